"""What an OCI repository needs of images: the documents, the layers, the names."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import zstandard

from lamina.data.blob import FileAt
from lamina.errors import BadInput
from lamina.image.annotate import annotated, parse_annotations
from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding
from lamina.image.hashing import with_digests
from lamina.image.image import Image
from lamina.image.index import ImageIndex, index_of
from lamina.media import universal
from lamina.media.oci_content import OciContent, oci_content
from lamina.oci.digest import sha256
from lamina.oci.documents import OCI_INDEX, Descriptor
from lamina.oci.reference import make_reference
from lamina.oci.strict_json import parse_json
from lamina.recipe.open import open_all_platforms, open_image
from tests.support.archives import (
    WRAPPERS,
    Shape,
    docker_26_containerd,
    docker_save,
    oci_archive,
    oci_manifest,
    oci_platforms,
    sample,
)
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import base, image_of, recipe, root_layer, save
from tests.support.trees import make_tree

PLAIN, GZIP, ZSTD = LayerEncoding("none"), LayerEncoding("gz"), LayerEncoding("zstd")
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "application/vnd.oci.image.layer.v1.tar": bytes,
    "application/vnd.oci.image.layer.v1.tar+gzip": gzip.decompress,
    "application/vnd.oci.image.layer.v1.tar+zstd": zstandard.decompress,
}


def content_of(
    *items: Image | ImageIndex, encoding: LayerEncoding | None = PLAIN, cache: Cache | None = None
) -> OciContent:
    return oci_content(items, encoding, cache or Cache(None))


def layer_digests(content: OciContent) -> list[str]:
    [top] = content.tops
    return [layer["digest"] for layer in parse_json(content.documents[top.digest].data, "it")["layers"]]


def test_plain_layers_have_the_manifest_of_the_universal_archive(tmp_path: Path) -> None:
    """So a push with plain layers has the digest under which containerd knows the loaded image."""
    image = with_digests(image_of(KINDS["store_and_root"](tmp_path)), None)
    content = content_of(image)
    manifest = sha256(universal.manifest(image))
    assert content.documents[manifest].data == universal.manifest(image)
    assert {name.familiar: top.digest for name, top in content.tags.items()} == {
        name.familiar: manifest for name in image.names
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", [PLAIN, GZIP, ZSTD], ids=lambda encoding: encoding.compressor)
def test_every_digest_is_that_of_its_bytes(kind: str, encoding: LayerEncoding, tmp_path: Path) -> None:
    """Also with digests from the cache; and each layer unpacks to what has its diff ID."""
    cache = Cache(tmp_path / "cache")
    image = image_of(KINDS[kind](tmp_path))
    first = content_of(image, encoding=encoding, cache=cache)
    content = content_of(image, encoding=encoding, cache=cache)
    assert content.index == first.index and content.blobs.keys() == first.blobs.keys()
    assert all(sha256(document.data) == digest for digest, document in content.documents.items())
    for digest, stored in content.blobs.items():
        data = b"".join(stored.blob.chunks())
        assert (sha256(data), len(data)) == (digest, stored.descriptor.size)
        assert data == b"".join(stored.checked.chunks())
        assert sha256(UNPACK[stored.descriptor.media_type](data)) == stored.diff_id


def test_a_second_time_no_file_is_read(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"file": b"x" * 100_000})
    store_layer = KINDS["store_and_root"](tmp_path)["layers"][0]
    cache = Cache(tmp_path / "cache")
    fields = recipe(store_layer)
    before = content_of(image_of(fields), encoding=ZSTD, cache=cache)
    for path in store_layer["paths"]:
        os.rename(path["path"], path["path"] + ".gone")
    assert content_of(image_of(fields), encoding=ZSTD, cache=cache).index == before.index
    with pytest.raises(BadInput):
        content_of(image_of(fields), encoding=GZIP, cache=cache)
    assert tree.exists()


def test_a_wrong_entry_of_the_cache_is_noticed_when_the_layer_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    image = with_digests(image_of(KINDS["one_layer"](tmp_path)), cache)
    [layer] = image.layers
    assert layer.diff_id
    cache.remember_compressed(layer.diff_id, GZIP.key, Descriptor("", sha256(b"other"), 5))
    [stored] = content_of(image, encoding=GZIP, cache=cache).blobs.values()
    with pytest.raises(BadInput, match="not those of its digest"):
        list(stored.checked.chunks())


@pytest.mark.parametrize("shape", [oci_archive, docker_26_containerd], ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("encoding", [PLAIN, GZIP, ZSTD], ids=lambda encoding: encoding.compressor)
def test_layers_of_a_base_keep_their_bytes(shape: Shape, encoding: LayerEncoding, tmp_path: Path) -> None:
    below = sample("below", "above")
    saved = save(shape([below]), tmp_path / "base.tar")
    image = image_of(recipe(root_layer(make_tree(tmp_path / "tree", {"a": b"a"})), base=base(saved)))
    content = content_of(image, encoding=encoding)
    packed = [WRAPPERS["gzip"](layer) for layer in below.layers]
    assert layer_digests(content)[:2] == [sha256(data) for data in packed]
    assert [b"".join(content.blobs[sha256(data)].checked.chunks()) for data in packed] == packed


def test_plain_layers_of_a_base_are_compressed(tmp_path: Path) -> None:
    saved = save(docker_save([sample("below")]), tmp_path / "base.tar")
    content = content_of(open_image(saved), encoding=GZIP)
    assert [blob.descriptor.media_type[-5:] for blob in content.blobs.values()] == ["+gzip"]


def test_again_compresses_what_is_compressed(tmp_path: Path) -> None:
    saved = save(oci_archive([sample("below", "above")]), tmp_path / "base.tar")
    content = content_of(open_image(saved), encoding=LayerEncoding("zstd", again=True))
    assert [blob.descriptor.media_type[-5:] for blob in content.blobs.values()] == ["+zstd", "+zstd"]


def test_an_image_that_is_not_changed_keeps_its_manifest(tmp_path: Path) -> None:
    image = sample("below", "above")
    opened = open_image(save(oci_archive([image]), tmp_path / "image.tar"))
    [top] = content_of(opened, encoding=GZIP).tops
    assert top.digest == sha256(oci_manifest(image))
    [other] = content_of(annotated(opened, {"a.b": "c"}, "it"), encoding=GZIP).tops
    assert other.digest != top.digest


def test_a_base_whose_layer_has_other_bytes_is_refused(tmp_path: Path) -> None:
    pieces = oci_archive([sample("below")])
    packed = WRAPPERS["gzip"](sample("below").layers[0])
    forged = packed[:-8] + bytes(8)
    swapped = [attrs.evolve(piece, data=forged) if piece.data == packed else piece for piece in pieces]
    with pytest.raises(BadInput, match="not those of its digest"):
        for blob in content_of(open_image(save(swapped, tmp_path / "base.tar")), encoding=GZIP).blobs.values():
            list(blob.checked.chunks())


def test_compressed_layers_are_kept_in_the_directory(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    content = oci_content([image_of(KINDS["store_and_root"](tmp_path))], ZSTD, Cache(None), spool=spool)
    for blob in content.blobs.values():
        assert isinstance(blob.blob, FileAt) and sha256(b"".join(blob.blob.chunks())) == blob.descriptor.digest


def test_an_index_lists_every_platform_once(tmp_path: Path) -> None:
    image = image_of(KINDS["store_and_root"](tmp_path))
    other = attrs.evolve(image, config={**image.config, "architecture": "arm64"})
    index = index_of([("one", image), ("other", other)], [make_reference("app", "1", "test")])
    content = content_of(annotated(index, {"org.opencontainers.image.source": "x", "descriptor:note": "y"}, "it"))
    [entry] = parse_json(content.index, "index.json")["manifests"]
    assert entry["mediaType"] == OCI_INDEX and entry["annotations"]["note"] == "y"
    document = parse_json(content.documents[entry["digest"]].data, "the index")
    assert document["annotations"] == {"org.opencontainers.image.source": "x"}
    children = document["manifests"]
    assert [child["platform"]["architecture"] for child in children] == [image.config["architecture"], "arm64"]
    assert all(child["digest"] in content.documents for child in children)


def test_two_images_for_one_platform_are_refused(tmp_path: Path) -> None:
    image = image_of(KINDS["one_layer"](tmp_path))
    with pytest.raises(BadInput, match="b: is for linux/amd64, and so is a; give one image for each platform"):
        index_of([("a", image), ("b", image)])


def test_an_index_that_is_read_keeps_its_platforms(tmp_path: Path) -> None:
    images = [sample("below", architecture=each) for each in ("amd64", "arm64")]
    [opened] = open_all_platforms(save(oci_platforms(images), tmp_path / "index.tar"))
    assert isinstance(opened, ImageIndex)
    assert [image.config["architecture"] for image in opened.images] == ["amd64", "arm64"]
    digests = {sha256(oci_manifest(image)) for image in images}
    assert digests <= content_of(opened, encoding=GZIP).documents.keys()


def test_an_index_without_one_of_its_images_is_refused(tmp_path: Path) -> None:
    images = [sample("below", architecture=each) for each in ("amd64", "arm64")]
    missing = oci_manifest(images[1])
    pieces = [piece for piece in oci_platforms(images) if piece.data != missing]
    with pytest.raises(BadInput, match="the image for linux/arm64 is missing"):
        open_all_platforms(save(pieces, tmp_path / "index.tar"))


def test_annotations_are_in_the_manifest_or_the_descriptor(tmp_path: Path) -> None:
    image = annotated(
        image_of(KINDS["one_layer"](tmp_path)), {"org.example.a": "b=c", "descriptor:org.example.d": "e"}, "it"
    )
    content = content_of(image)
    [top] = content.tops
    assert parse_json(content.documents[top.digest].data, "it")["annotations"] == {"org.example.a": "b=c"}
    [entry] = parse_json(content.index, "it")["manifests"]
    assert entry["annotations"]["org.example.d"] == "e" and "io.containerd.image.name" in entry["annotations"]


@pytest.mark.parametrize("key", ["", "descriptor:", "a b", "a\nb", "org.opencontainers.image.ref.name"])
def test_keys_of_annotations_that_are_refused(key: str) -> None:
    with pytest.raises(BadInput, match="annotation"):
        parse_annotations({key: "value"}, "annotations")


def test_one_name_for_two_images_is_refused(tmp_path: Path) -> None:
    one, other = image_of(KINDS["one_layer"](tmp_path)), image_of(recipe())
    with pytest.raises(BadInput, match="two different images have this name"):
        content_of(one, other)
