"""The universal archive: at once a docker archive, with the legacy v1 files, and an OCI image layout.

Every distinct layer is stored once, as a regular member named by its digest; all else points there. Which reader
needs which of its properties is told in `docs/archive.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from lamina.image.image import Image
from lamina.media.legacy import VERSION, legacy_layers, repositories
from lamina.media.tarball import Arrangement, Part, directory, distinct, document, layer, symlink
from lamina.oci.digest import Digest, hex_of, sha256
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


def arrange(image: Image) -> list[Part]:
    """The members of the archive of one image, in order: documents first, then the layers, then what points at them."""
    return _arrange([image], image)


def several(images: Sequence[Image]) -> tuple[Image, Arrangement]:
    """What `tarball.write` takes for an archive of several images: one with all their layers, and the arrangement.

    Each distinct layer is stored once, so all diff IDs have to be known. The images that come out equal are one
    already; see `builder/merge.py`.
    """
    stored = list({layer.diff_id: layer for image in images for layer in image.layers}.values())

    def arrangement(pool: Image) -> list[Part]:
        seen = {layer.diff_id: layer for layer in pool.layers}
        whole = [attrs.evolve(image, layers=tuple(seen[item.diff_id] for item in image.layers)) for image in images]
        return _arrange(whole, pool)

    return Image(config={}, layers=tuple(stored), history=()), arrangement


def _arrange(images: Sequence[Image], pool: Image) -> list[Part]:
    """The members; `pool` has the layers of all images, by the positions that `tarball` knows them by."""
    legacy = [legacy_layers(image) for image in images]
    tops = [(image.names, layers[-1].id) for image, layers in zip(images, legacy, strict=True) if layers]
    # Images that have their lowest layers in common have the legacy directories of these in common, too.
    directories = {
        item.id: (item, diff_id)
        for image, layers in zip(images, legacy, strict=True)
        for item, diff_id in zip(layers, image.diff_ids, strict=True)
    }
    return [
        *_entrances(images),
        document("repositories", repositories(tops)),
        *_blobs(images, pool),
        *(part for item, diff_id in directories.values() for part in _legacy(item.id, item.json, diff_id)),
    ]


def arrange_for_loading(image: Image) -> list[Part]:
    """The same without the v1 side, which no daemon with a client of ours reads.

    Docker 20.10 unpacks it all the same: of 100 layers, for 0.27 s, where one that changed takes 0.18 s.
    """
    return [*_entrances([image]), *_blobs([image], image)]


def _entrances(images: Sequence[Image]) -> list[Part]:
    """Where readers of OCI layouts and of docker archives begin."""
    items = [
        manifest_item(image, _path(sha256(image.document())), [_path(diff_id) for diff_id in image.diff_ids])
        for image in images
    ]
    return [
        document("oci-layout", canonical({"imageLayoutVersion": "1.0.0"})),
        document("index.json", _index(images)),
        document("manifest.json", canonical(items)),
    ]


def _blobs(images: Sequence[Image], pool: Image) -> list[Part]:
    """Every manifest, config and layer once, by its digest."""
    documents = {sha256(data): data for image in images for data in (manifest(image), image.document())}
    return [
        directory("blobs"),
        directory("blobs/sha256"),
        *(document(_path(digest), data) for digest, data in documents.items()),
        *(layer(_path(pool.diff_ids[position]), pool, position) for position in distinct(pool)),
    ]


def arrange_for_docker_1_9(image: Image) -> list[Part]:
    """The same with two more members, by which Docker up to 1.9 takes the directory `blobs` for the bottom layer.

    It reads every directory at the top as a v1 image, and passes over one whose ID it has (graph/load.go, Load).
    """
    bottom = legacy_layers(image)[0]
    decoy = [
        document("blobs/json", bottom.json),
        symlink("blobs/layer.tar", f"sha256/{hex_of(image.diff_ids[0])}"),
    ]
    parts = arrange(image)
    before_legacy = [part.member.name for part in parts].index(bottom.id.encode())
    return [*parts[:before_legacy], *decoy, *parts[before_legacy:]]


def manifest_item(image: Image, config: str, layers: list[str]) -> Json:
    """The image's item of `manifest.json` (Docker image spec v1.2): the paths of its config and layers, its names.

    Names are whole: podman would put short ones under `localhost/`.
    """
    return {"Config": config, "RepoTags": [name.qualified for name in image.names], "Layers": layers}


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


def _index(images: Sequence[Image]) -> bytes:
    """One entry for each name, since readers take one name from an entry; a bare one for an image without."""
    entries = []
    for image in images:
        told = manifest(image)
        notes: list[dict[str, str]] = [{CONTAINERD_NAME: name.qualified, REF_NAME: name.tag} for name in image.names]
        digest, size = sha256(told), len(told)
        entries += [Descriptor(OCI_MANIFEST, digest, size, note, image.platform) for note in notes or [{}]]
    return oci_index(entries)
