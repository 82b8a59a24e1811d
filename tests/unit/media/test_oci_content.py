"""What an OCI repository needs of images: the documents, the layers, the names."""

from __future__ import annotations

from pathlib import Path

import attrs

from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding
from lamina.image.hashing import known
from lamina.image.image import Image
from lamina.image.index import ImageIndex
from lamina.media import universal
from lamina.media.oci_content import OciContent, oci_content
from lamina.oci.digest import sha256
from lamina.oci.documents import OCI_INDEX
from lamina.oci.reference import make_reference
from lamina.oci.strict_json import parse_json
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import image_of

PLAIN = LayerEncoding("none")


def content_of(*items: Image | ImageIndex) -> OciContent:
    return oci_content(items, PLAIN, Cache(None))


def test_plain_layers_have_the_manifest_of_the_universal_archive(tmp_path: Path) -> None:
    """So a push with plain layers has the digest under which containerd knows the loaded image."""
    image = known(image_of(KINDS["store_and_root"](tmp_path)), None)
    content = content_of(image)
    manifest = sha256(universal.manifest(image))
    assert content.documents[manifest].data == universal.manifest(image)
    assert {name.familiar: top.digest for name, top in content.tags.items()} == {
        name.familiar: manifest for name in image.names
    }


def test_every_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = content_of(image_of(KINDS["store_and_root"](tmp_path)))
    assert all(sha256(document.data) == digest for digest, document in content.documents.items())
    for digest, stored in content.blobs.items():
        data = b"".join(stored.blob.chunks())
        assert (sha256(data), len(data)) == (digest, stored.descriptor.size)


def test_index_lists_every_platform_once(tmp_path: Path) -> None:
    image = image_of(KINDS["store_and_root"](tmp_path))
    other = attrs.evolve(image, config={**image.config, "architecture": "arm64"})
    content = content_of(ImageIndex((image, other), (make_reference("app", "1", "test"),)))
    [entry] = parse_json(content.index, "index.json")["manifests"]
    assert entry["mediaType"] == OCI_INDEX
    children = parse_json(content.documents[entry["digest"]].data, "the index")["manifests"]
    assert [child["platform"]["architecture"] for child in children] == [image.config["architecture"], "arm64"]
    assert all(child["digest"] in content.documents for child in children)
