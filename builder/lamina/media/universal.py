"""The universal archive: a docker archive with the legacy v1 files, and an OCI image layout, in one tar.

Every distinct layer is stored once, as a regular member named by its digest; everything else refers to it.
`docs/design/archive.md` lists which reader needs which property.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.image.image import Image, all_layers
from lamina.media.legacy import VERSION, legacy_layers, repositories
from lamina.media.tarball import ArchiveMember, directory, distinct, document, layer, symlink
from lamina.oci.digest import UNKNOWN, Digest, blob_path, hex_of, sha256
from lamina.oci.documents import (
    CONTAINERD_NAME,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    oci_index,
    oci_manifest,
)
from lamina.oci.strict_json import Json, canonical


def arrange(images: Sequence[Image]) -> list[ArchiveMember]:
    """The members of the archive, in order: documents first, then the layers, then the v1 files that link to them."""
    legacy = [legacy_layers(image) for image in images]
    tops = [(image.names, layers[-1].id) for image, layers in zip(images, legacy, strict=True) if layers]
    # Images with the same lowest layers share the v1 directories of these layers.
    directories = {
        item.id: (item, diff_id)
        for image, layers in zip(images, legacy, strict=True)
        for item, diff_id in zip(layers, image.diff_ids, strict=True)
    }
    return [
        *_entrances(images),
        document("repositories", repositories(tops)),
        *_blobs(images),
        *(member for item, diff_id in directories.values() for member in _legacy(item.id, item.json, diff_id)),
    ]


def arrange_for_loading(images: Sequence[Image], annotations: Mapping[str, str] | None = None) -> list[ArchiveMember]:
    """The members without the v1 files, which no daemon with a client of ours reads; `annotations` are the index's.

    Docker 20.10 unpacks v1 files even so: for 100 layers this takes 0.27 s, more than one changed layer (0.18 s).
    """
    return [*_entrances(images, annotations), *_blobs(images)]


def arrange_for_docker_1_9(images: Sequence[Image]) -> list[ArchiveMember]:
    """The members, and two more that make Docker up to 1.9 take the directory `blobs` for the bottom layer.

    Docker 1.9 reads every directory at the top as a v1 image, and skips one whose ID it already has (graph/load.go,
    Load).
    """
    lowest = next((image for image in images if image.layers), None)
    if lowest is None:
        return arrange(images)
    bottom = legacy_layers(lowest)[0]
    decoy = [
        document("blobs/json", bottom.json),
        symlink("blobs/layer.tar", f"sha256/{hex_of(lowest.diff_ids[0])}"),
    ]
    members = arrange(images)
    before_legacy = [item.member.name for item in members].index(bottom.id.encode())
    return [*members[:before_legacy], *decoy, *members[before_legacy:]]


def _entrances(images: Sequence[Image], annotations: Mapping[str, str] | None = None) -> list[ArchiveMember]:
    """The documents where readers of OCI layouts and of docker archives begin."""
    items = [
        manifest_item(image, blob_path(sha256(image.document())), [blob_path(diff_id) for diff_id in image.diff_ids])
        for image in images
    ]
    return [
        document("oci-layout", canonical({"imageLayoutVersion": "1.0.0"})),
        document("index.json", _index(images, annotations)),
        document("manifest.json", canonical(items)),
    ]


def _blobs(images: Sequence[Image]) -> list[ArchiveMember]:
    """Every manifest, config and layer once, named by its digest."""
    documents = {sha256(data): data for image in images for data in (manifest(image), image.document())}
    layers = all_layers(images)
    return [
        directory("blobs"),
        directory("blobs/sha256"),
        *(document(blob_path(digest), data) for digest, data in documents.items()),
        *(layer(blob_path(layers[at].diff_id or UNKNOWN), layers[at], at) for at in distinct(layers)),
    ]


def manifest_item(image: Image, config: str, layers: list[str]) -> Json:
    """The image's item of `manifest.json` (Docker image spec v1.2): the paths of its config and layers, its names.

    Names are fully qualified, because podman would put short ones under `localhost/`.
    """
    return {"Config": config, "RepoTags": [name.qualified for name in image.names], "Layers": layers}


def _legacy(identity: str, json: bytes, diff_id: Digest) -> list[ArchiveMember]:
    """A layer's v1 directory. Its link refers to the blob, and not to another `layer.tar`, which Mesos deletes."""
    return [
        directory(identity),
        document(f"{identity}/VERSION", VERSION),
        document(f"{identity}/json", json),
        symlink(f"{identity}/layer.tar", f"../{blob_path(diff_id)}"),
    ]


def manifest(image: Image) -> bytes:
    """The OCI manifest: its digest is the image's ID where a daemon keeps images in containerd."""
    config = image.document()
    layers = [
        Descriptor(OCI_LAYER, diff_id, item.size or 0)
        for diff_id, item in zip(image.diff_ids, image.layers, strict=True)
    ]
    return oci_manifest(Descriptor(OCI_CONFIG, sha256(config), len(config)), layers)


def _index(images: Sequence[Image], annotations: Mapping[str, str] | None) -> bytes:
    """One entry for each name, because readers use one name of an entry; one without a name for a nameless image."""
    entries = []
    for image in images:
        data = manifest(image)
        notes: list[dict[str, str]] = [{CONTAINERD_NAME: name.qualified, REF_NAME: name.tag} for name in image.names]
        digest, size = sha256(data), len(data)
        entries += [Descriptor(OCI_MANIFEST, digest, size, note, image.platform) for note in notes or [{}]]
    return oci_index(entries, annotations)
