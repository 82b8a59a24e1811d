"""The universal archive: at once a docker archive, with the legacy v1 files, and an OCI image layout.

Every distinct layer is stored once, as a regular member named by its digest; all else points there. Which reader
needs which of its properties is told in `docs/archive.md`.
"""

from __future__ import annotations

from builder.digest import Digest, hex_of, sha256
from builder.image import Image
from builder.media.legacy import VERSION, legacy_layers, repositories
from builder.media.tarball import Part, directory, distinct, document, layer, symlink
from builder.spec import (
    CONTAINERD_NAME,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    canonical,
    oci_index,
    oci_manifest,
)


def arrange(image: Image) -> list[Part]:
    """The members, in order: documents first, then the layers, then what points at them."""
    config = image.document()
    told = manifest(image)
    legacy = legacy_layers(image)
    return [
        document("oci-layout", canonical({"imageLayoutVersion": "1.0.0"})),
        document("index.json", _index(image, told)),
        document("manifest.json", docker_manifest(image, _path(sha256(config)), [_path(d) for d in image.diff_ids])),
        document("repositories", repositories(image.names, legacy[-1].id)),
        directory("blobs"),
        directory("blobs/sha256"),
        document(_path(sha256(told)), told),
        document(_path(sha256(config)), config),
        *(layer(_path(image.diff_ids[position]), image, position) for position in distinct(image)),
        *(
            part
            for item, diff_id in zip(legacy, image.diff_ids, strict=True)
            for part in _legacy(item.id, item.json, diff_id)
        ),
    ]


def docker_manifest(image: Image, config: str, layers: list[str]) -> bytes:
    """`manifest.json` (Docker image spec v1.2). Names are whole: podman would put short ones under `localhost/`."""
    names = [name.qualified for name in image.names]
    return canonical([{"Config": config, "RepoTags": names, "Layers": layers}])


def _path(digest: Digest) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _legacy(identity: str, json: bytes, diff_id: Digest) -> list[Part]:
    """A layer's legacy directory. The link leads to the blob and never to another `layer.tar`, which Mesos deletes."""
    return [
        directory(identity),
        document(f"{identity}/VERSION", VERSION),
        document(f"{identity}/json", json),
        symlink(f"{identity}/layer.tar", f"../{_path(diff_id)}"),
    ]


def manifest(image: Image) -> bytes:
    """The OCI manifest: its digest is the image's ID where a daemon keeps images in containerd."""
    config = image.document()
    layers = [
        Descriptor(OCI_LAYER, diff_id, item.size or 0)
        for diff_id, item in zip(image.diff_ids, image.layers, strict=True)
    ]
    return oci_manifest(Descriptor(OCI_CONFIG, sha256(config), len(config)), layers)


def _index(image: Image, told: bytes) -> bytes:
    """One entry for each name, since readers take one name from an entry; a bare one for an image without."""
    notes: list[dict[str, str]] = [{CONTAINERD_NAME: name.qualified, REF_NAME: name.tag} for name in image.names]
    digest, size = sha256(told), len(told)
    return oci_index([Descriptor(OCI_MANIFEST, digest, size, note, image.platform) for note in notes or [{}]])
