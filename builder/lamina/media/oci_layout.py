"""Documents and layers of OCI layouts, as a directory or in a tar (OCI image spec v1.1, image-layout.md).

`index.json` lists manifests, or indexes with a manifest for each platform. A manifest lists a config and layers.
Everything is in `blobs/`, under its digest. Skopeo's `dir:` has the same documents under other names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.checked import DAMAGED, Checked
from lamina.data.compression import plain
from lamina.errors import BadInput
from lamina.image.document import claimed_diff_ids, make_image
from lamina.image.image import Image
from lamina.image.layer import Layer, stored_form
from lamina.limits import IMAGE_NAMES, IMAGES, LAYER_PLACES
from lamina.media.absent import Needed, needed_image
from lamina.media.files import Members, read_document
from lamina.media.skopeo_directory import SkopeoDirectory
from lamina.oci.digest import Digest, belongs, is_sha256
from lamina.oci.documents import (
    CONTAINERD_NAME,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Annotations,
    Descriptor,
    Document,
    is_media_type,
)
from lamina.oci.spelling import CONFIG_DOCUMENT, MANIFEST, Shape
from lamina.oci.spelling import LAYOUT as LAYOUT_DOCUMENT
from lamina.oci.strict_json import Json, expect, items_of

INDEX = "index.json"
LAYOUT = "oci-layout"
INDEXES_OF = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS_OF = (OCI_MANIFEST, DOCKER_MANIFEST)

_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
"""The beginnings of media types of images' layers."""

_HOSTILE = "readers would differ: the image is hostile"


@attrs.frozen(eq=False)
class Foreign(Blob):
    """A layer that is kept elsewhere by design: its descriptor lists addresses, which are never read."""

    where: str
    size: None = None

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput."""
        raise BadInput(self.where, "a layer that is not in the image, but at an address", "pull it with all its layers")


def is_image(manifest: Json) -> bool:
    """Whether the manifest is that of an image. Artifacts, signatures and attestations have manifests, too.

    If the media type of its config or of a layer is invalid, it counts as an image, and reading it raises the error.
    """
    config = manifest.get("config")
    kind = str(config.get("mediaType")) if isinstance(config, dict) else ""
    kinds = [str(layer.get("mediaType")) for layer in items_of(manifest.get("layers")) if isinstance(layer, dict)]
    if not all(map(is_media_type, [kind, *kinds])):
        return True
    return kind in (OCI_CONFIG, DOCKER_CONFIG) and (not kinds or any(each.startswith(_LAYERS) for each in kinds))


def check_version(members: Members) -> None:
    """Raises BadInput: an OCI layout of an unknown version. Skopeo's `dir:` has none."""
    where = f"{members.where}({LAYOUT})"
    if LAYOUT not in members:
        return
    layout = expect(read_document(members, LAYOUT, LAYOUT_DOCUMENT), dict, LAYOUT, where)
    if layout.get("imageLayoutVersion") != "1.0.0":
        what = f"OCI layout of version {layout.get('imageLayoutVersion')!r:.20}"
        raise BadInput(members.where, what, "only version 1.0.0 is known")


def listed(members: Members) -> list[Descriptor]:
    """The entries of `index.json`; for Skopeo's `dir:`, its only manifest. Raises BadInput."""
    if isinstance(members, SkopeoDirectory):
        return [members.manifest]
    where = f"{members.where}({INDEX})"
    descriptors = manifests_in(read_document(members, INDEX, MANIFEST), where)
    members.budget.spend(IMAGE_NAMES, len(descriptors), where)
    return descriptors


def manifests_in(index: object, where: str) -> list[Descriptor]:
    """The entries of an index. Raises BadInput."""
    fields = expect(index, dict, "the index", where)
    if "layers" in fields or "config" in fields:
        raise BadInput(where, "an index that is a manifest too", _HOSTILE)
    items = expect(fields.get("manifests"), list, "manifests", where)
    if len(items) > IMAGES:
        raise BadInput(where, f"{len(items)} manifests", f"at most {IMAGES} are read")
    return [Descriptor.from_json(item, where) for item in items]


def descriptor_name(descriptor: Descriptor) -> str | None:
    """The name in the descriptor: the complete one if there is one, else a name or a tag as other tools write it."""
    return descriptor.annotations.get(CONTAINERD_NAME) or descriptor.annotations.get(REF_NAME)


def blob_where(members: Members, digest: Digest) -> str:
    """The name of a blob in errors."""
    return f"{members.where}({members.path_of(digest)})"


def read_linked(
    members: Members, descriptor: Descriptor, shape: Shape, *, each_use: bool = False
) -> tuple[bytes, Json]:
    """The bytes and the value of a document to which a descriptor refers. Raises BadInput."""
    where = blob_where(members, descriptor.digest)
    blob = members.blob(members.path_of(descriptor.digest))
    data, value = members.documents.read(blob, shape, where, each_use=each_use)
    if len(data) != descriptor.size or not belongs(descriptor.digest, data):
        raise BadInput(where, "its bytes are not those of its digest", DAMAGED)
    return data, expect(value, dict, "the document", where)


def read_manifest(members: Members, descriptor: Descriptor) -> Json:
    """The manifest or the index to which a descriptor refers. Raises BadInput, also if it could be read as both."""
    where = blob_where(members, descriptor.digest)
    document = read_linked(members, descriptor, MANIFEST)[1]
    if document.get("mediaType", descriptor.media_type) != descriptor.media_type:
        what = f"has the media type {document['mediaType']!r:.80}, but {descriptor.media_type!r:.80} in its descriptor"
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
        raise BadInput(members.where, what, DAMAGED)
    needed = needed_image(members)
    layers = [_layer(members, *pair, needed) for pair in zip(descriptors, diff_ids, strict=True)]
    return make_image(data, document, layers, list(names), where)


def with_manifest(members: Members, descriptor: Descriptor, image: Image) -> Image:
    """The image with the manifest from which it was read, and with its annotations. Raises BadInput."""
    data, document = read_linked(members, descriptor, MANIFEST)
    annotations = Annotations(texts_in(document), own_annotations(descriptor))
    config = Descriptor.from_json(document.get("config"), members.where)
    kept = Document(descriptor.media_type, data) if is_sha256(config.digest) else None
    return attrs.evolve(image, manifest=kept, annotations=annotations)


def texts_in(document: Json) -> dict[str, str]:
    """The annotations of a manifest or an index."""
    annotations = document.get("annotations")
    pairs = annotations.items() if isinstance(annotations, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def own_annotations(descriptor: Descriptor) -> dict[str, str]:
    """The annotations of a descriptor, except the names, which Lamina writes itself."""
    return {key: value for key, value in descriptor.annotations.items() if key not in (CONTAINERD_NAME, REF_NAME)}


def _layer(members: Members, descriptor: Descriptor, diff_id: Digest, needed: Needed | None) -> Layer:
    path = members.path_of(descriptor.digest)
    where = blob_where(members, descriptor.digest)
    if descriptor.is_foreign and path not in members:
        return Layer(Foreign(where), where, diff_id)
    if needed and descriptor.digest == diff_id and path not in members:
        return needed.layer(path, diff_id, descriptor.size)
    stored = members.blob(path)
    if stored.size != descriptor.size:
        what = f"has {stored.size} bytes, and its descriptor says {descriptor.size}"
        raise BadInput(where, what, DAMAGED)
    blob = stored if descriptor.digest == diff_id else Checked(stored, descriptor, where)
    tar = plain(blob, where, members.budget)
    return attrs.evolve(
        Layer.of(tar, where, diff_id, budget=members.budget),
        stored=stored_form(stored, tar, descriptor),
    )
