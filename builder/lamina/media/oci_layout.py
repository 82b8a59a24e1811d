"""Reading OCI layouts, as a directory or in a tar (OCI image spec v1.1, image-layout.md).

`index.json` lists manifests, or indexes of them with one for each platform. A manifest lists a config and layers.
Everything is in `blobs/`, under its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.compression import plain
from lamina.errors import BadInput
from lamina.image.document import claimed_diff_ids, make_image
from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.limits import IMAGE_NAMES, IMAGES, INDEXES, LAYER_PLACES
from lamina.media.choice import Candidate
from lamina.media.files import Members, read_document
from lamina.oci.digest import Digest, blob_path, sha256
from lamina.oci.documents import (
    CONTAINERD_NAME,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
)
from lamina.oci.platform import for_platform
from lamina.oci.spelling import CONFIG_DOCUMENT, MANIFEST, Shape
from lamina.oci.spelling import LAYOUT as LAYOUT_DOCUMENT
from lamina.oci.strict_json import Json, expect, items_of

INDEX = "index.json"
LAYOUT = "oci-layout"
INDEXES_OF = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS_OF = (OCI_MANIFEST, DOCKER_MANIFEST)

_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
"""How the media types of layers of images begin."""

_DAMAGED = "the image is damaged: pull it again"
_HOSTILE = "readers would differ: the image is hostile"


@attrs.frozen(eq=False)
class Checked(Blob):
    """A blob whose size and digest are in a descriptor."""

    blob: Blob
    descriptor: Descriptor
    where: str

    @property
    def size(self) -> int:
        return self.descriptor.size

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput at the end, when the bytes were others."""
        state = hashlib.sha256()
        total = 0
        for chunk in self.blob.chunks():
            state.update(chunk)
            total += len(chunk)
            yield chunk
        if (total, "sha256:" + state.hexdigest()) != (self.descriptor.size, self.descriptor.digest):
            raise BadInput(self.where, "its bytes are not those of its digest", _DAMAGED)


@attrs.frozen(eq=False)
class Foreign(Blob):
    """A layer that is kept elsewhere by design: its descriptor lists addresses, which are never read."""

    where: str
    size: None = None

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput."""
        raise BadInput(self.where, "a layer that is not in the image, but at an address", "pull it with all its layers")


def candidates(members: Members, architecture: str) -> list[Candidate]:
    """The images of a layout. An image that several entries name is one candidate; so are the platforms of one name.

    Artifacts, signatures and attestations beside the images are left out. Raises BadInput.
    """
    check_version(members)
    entries = listed(members)
    images = [entry for entry in entries if _may_be_image(members, entry)]
    names: dict[Digest, list[str]] = {}
    found: dict[Digest, Descriptor] = {}
    for entry in images or entries:
        found.setdefault(entry.digest, entry)
        name = descriptor_name(entry)
        names.setdefault(entry.digest, []).extend([name] if name else [])
    groups: dict[tuple[str, ...], list[Descriptor]] = {}
    for digest, entry in found.items():
        groups.setdefault(tuple(names[digest]), []).append(entry)
    return [
        _candidate(members, group_names, alternatives, architecture)
        for group_names, group in groups.items()
        for alternatives in _by_platform(group)
    ]


def _by_platform(entries: list[Descriptor]) -> list[list[Descriptor]]:
    """The entries as one list if they are the platforms of one image, as in an index; else a list for each.

    apko and go-containerregistry list the platforms of an image in `index.json` itself.
    """
    platforms = [tuple(sorted(entry.platform.items())) for entry in entries if entry.platform]
    are_platforms = len(entries) > 1 and len(set(map(str, platforms))) == len(entries)
    return [entries] if are_platforms else [[entry] for entry in entries]


def _candidate(members: Members, names: tuple[str, ...], entries: list[Descriptor], architecture: str) -> Candidate:
    def read() -> Image:
        top = entries[0]
        if len(entries) > 1:
            top = for_platform(entries, "linux", architecture, f"{members.where}({INDEX})")
        return _chosen(members, top, list(names), architecture)

    return Candidate(names, read, frozenset(name for name in names if ":" not in name and "/" not in name))


def _may_be_image(members: Members, entry: Descriptor) -> bool:
    """Whether the entry refers to an index or an image. What cannot be read counts: reading it gives the error."""
    if entry.media_type in INDEXES_OF or blob_path(entry.digest) not in members:
        return True
    if entry.media_type not in MANIFESTS_OF:
        return False
    try:
        return is_image(read_manifest(members, entry))
    except BadInput:
        return True


def is_image(manifest: Json) -> bool:
    """Whether readers take the manifest for an image: artifacts, signatures and attestations are manifests, too."""
    config = manifest.get("config")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    kinds = [str(layer.get("mediaType")) for layer in items_of(manifest.get("layers")) if isinstance(layer, dict)]
    return kind in (OCI_CONFIG, DOCKER_CONFIG) and (not kinds or any(kind.startswith(_LAYERS) for kind in kinds))


def check_version(members: Members) -> None:
    """Raises BadInput: an OCI layout of a version that nobody knows. No version is none that is wrong."""
    where = f"{members.where}({LAYOUT})"
    if LAYOUT not in members:
        return
    layout = expect(read_document(members, LAYOUT, LAYOUT_DOCUMENT), dict, LAYOUT, where)
    if layout.get("imageLayoutVersion") != "1.0.0":
        what = f"OCI layout of version {layout.get('imageLayoutVersion')!r:.20}"
        raise BadInput(members.where, what, "only version 1.0.0 is known")


def listed(members: Members) -> list[Descriptor]:
    """What `index.json` lists. Raises BadInput."""
    where = f"{members.where}({INDEX})"
    descriptors = manifests_in(read_document(members, INDEX, MANIFEST), where)
    members.budget.spend(IMAGE_NAMES, len(descriptors), where)
    return descriptors


def manifests_in(index: object, where: str) -> list[Descriptor]:
    """What an index lists. Raises BadInput."""
    fields = expect(index, dict, "the index", where)
    if "layers" in fields or "config" in fields:
        raise BadInput(where, "an index that is a manifest too", _HOSTILE)
    items = expect(fields.get("manifests"), list, "manifests", where)
    if len(items) > IMAGES:
        raise BadInput(where, f"{len(items)} manifests", f"at most {IMAGES} are read")
    return [Descriptor.from_json(item, where) for item in items]


def descriptor_name(descriptor: Descriptor) -> str | None:
    """The whole name, if the descriptor has it; else what some tools write in its place, which may be the tag alone."""
    return descriptor.annotations.get(CONTAINERD_NAME) or descriptor.annotations.get(REF_NAME)


def blob_where(members: Members, digest: Digest) -> str:
    """What errors call a blob."""
    return f"{members.where}({blob_path(digest)})"


def read_linked(
    members: Members, descriptor: Descriptor, shape: Shape, *, each_use: bool = False
) -> tuple[bytes, Json]:
    """The bytes and the value of a document to which a descriptor refers. Raises BadInput."""
    where = blob_where(members, descriptor.digest)
    blob = members.blob(blob_path(descriptor.digest))
    data, value = members.documents.read(blob, shape, where, each_use=each_use)
    if (len(data), sha256(data)) != (descriptor.size, descriptor.digest):
        raise BadInput(where, "its bytes are not those of its digest", _DAMAGED)
    return data, expect(value, dict, "the document", where)


def read_manifest(members: Members, descriptor: Descriptor) -> Json:
    """The manifest or the index to which a descriptor refers. Raises BadInput; also where readers see one as both."""
    where = blob_where(members, descriptor.digest)
    document = read_linked(members, descriptor, MANIFEST)[1]
    if document.get("mediaType", descriptor.media_type) != descriptor.media_type:
        what = f"calls itself {document['mediaType']!r:.80}, what leads to it {descriptor.media_type!r:.80}"
        raise BadInput(where, what, _HOSTILE)
    if descriptor.media_type in MANIFESTS_OF and "manifests" in document:
        raise BadInput(where, "a manifest that is an index too", _HOSTILE)
    return document


def read_image(members: Members, manifest: Json, names: Sequence[str]) -> Image:
    """The image of a manifest. A layer that is kept elsewhere by design is `Foreign`. Raises BadInput."""
    config = Descriptor.from_json(manifest.get("config"), members.where)
    where = blob_where(members, config.digest)
    data, document = read_linked(members, config, CONFIG_DOCUMENT, each_use=True)
    items = expect(manifest.get("layers"), list, "layers", members.where)
    members.budget.spend(LAYER_PLACES, len(items), members.where)
    descriptors = [Descriptor.from_json(item, members.where) for item in items]
    diff_ids = claimed_diff_ids(document, where)
    if len(descriptors) != len(diff_ids):
        what = f"{len(descriptors)} layers in the manifest, {len(diff_ids)} diff IDs in the config"
        raise BadInput(members.where, what, _DAMAGED)
    layers = [_layer(members, *pair) for pair in zip(descriptors, diff_ids, strict=True)]
    return make_image(data, document, layers, list(names), where)


def _layer(members: Members, descriptor: Descriptor, diff_id: Digest) -> Layer:
    path = blob_path(descriptor.digest)
    where = blob_where(members, descriptor.digest)
    if descriptor.is_foreign and path not in members:
        return Layer(Foreign(where), where, diff_id)
    stored = members.blob(path)
    if stored.size != descriptor.size:
        what = f"has {stored.size} bytes, and its descriptor says {descriptor.size}"
        raise BadInput(where, what, _DAMAGED)
    blob = stored if descriptor.digest == diff_id else Checked(stored, descriptor, where)
    return Layer.of(plain(blob, where, members.budget), where, diff_id, budget=members.budget)


def _chosen(members: Members, top: Descriptor, names: list[str], architecture: str) -> Image:
    """The image to which a descriptor refers, through indexes to the one for the platform."""
    descriptor = top
    for _ in range(INDEXES):
        where = blob_where(members, descriptor.digest)
        document = read_manifest(members, descriptor)
        if descriptor.media_type in MANIFESTS_OF:
            return read_image(members, document, names)
        if descriptor.media_type not in INDEXES_OF:
            raise BadInput(where, f"media type {descriptor.media_type!r:.80}", "give an image, not an artifact")
        descriptor = for_platform(manifests_in(document, where), "linux", architecture, where)
    raise BadInput(members.where, "indexes within indexes without end", "the layout is hostile")
