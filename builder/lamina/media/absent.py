"""Layers that an archive leaves out, because the daemon that loads it has them from another image.

Such an archive names the other image in the annotations of `index.json`, and contains that image's manifest. Only a
layer of that manifest may be absent.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from lamina.data.blob import Blob
from lamina.data.checked import DAMAGED
from lamina.errors import BadInput, shortened
from lamina.image.image import Image
from lamina.image.index import ImageIndex, all_images
from lamina.image.layer import Layer
from lamina.limits import LAYER_PLACES
from lamina.media.files import Members, read_document
from lamina.oci.digest import Digest, belongs, blob_path, parse_digest
from lamina.oci.documents import Descriptor
from lamina.oci.spelling import MANIFEST
from lamina.oci.strict_json import expect

NEEDED_MANIFEST = "lamina.needs.manifest"
"""The annotation with the digest of the manifest whose layers may be absent."""

NEEDED_IMAGE = "lamina.needs.image"
"""The annotation with the name of that manifest's image, for messages."""


@attrs.frozen(eq=False)
class Needed:
    """The image that the daemon must have when the archive is loaded: name, manifest, and sizes of the layers."""

    where: str
    name: str
    manifest: bytes
    sizes: dict[Digest, int]

    def layer(self, path: str, diff_id: Digest, size: int | None = None) -> Layer:
        """A layer that is absent; `path` is where it would be. Raises BadInput: the needed image has no such layer."""
        where = f"{self.where}({path})"
        known = self.sizes.get(diff_id)
        if known is None or size not in (None, known):
            raise BadInput(where, f"is missing, and is no layer of {self.name}, which the archive needs", DAMAGED)
        return Layer(Absent(where, known, self), where, diff_id, known)


@attrs.frozen(eq=False)
class Absent(Blob):
    """A layer that is absent by design."""

    where: str
    size: int
    needed: Needed

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput."""
        raise self.error()

    def error(self) -> BadInput:
        """The error for a command that needs the layer."""
        what = f"the archive leaves out this layer of {self.needed.name}"
        return BadInput(self.where, what, "use the whole image")


def needed_image(members: Members) -> Needed | None:
    """The image with the layers that an archive leaves out; None if the archive is complete. Raises BadInput.

    If `index.json` cannot be read, the archive counts as complete: Docker does not read this file.
    """
    where = f"{members.where}(index.json)"
    try:
        index = read_document(members, "index.json", MANIFEST)
    except BadInput:
        return None
    annotations = index.get("annotations") if isinstance(index, dict) else None
    if not isinstance(annotations, dict) or NEEDED_MANIFEST not in annotations:
        return None
    digest = parse_digest(annotations[NEEDED_MANIFEST], where)
    name = shortened(expect(annotations.get(NEEDED_IMAGE), str, NEEDED_IMAGE, where))
    path = blob_path(digest)
    data, value = members.documents.read(members.blob(path), MANIFEST, f"{members.where}({path})")
    if not belongs(digest, data):
        raise BadInput(f"{members.where}({path})", "its bytes are not those of its digest", DAMAGED)
    layers = expect(expect(value, dict, "a manifest", where).get("layers"), list, "layers", where)
    members.budget.spend(LAYER_PLACES, len(layers), where)
    descriptors = [Descriptor.from_json(item, where) for item in layers]
    return Needed(members.where, name, data, {each.digest: each.size for each in descriptors})


def absent_layers(image: Image) -> dict[Digest, Absent]:
    """The layers of the image that are absent, by their diff IDs."""
    found = zip(image.diff_ids, image.layers, strict=True)
    return {diff_id: item.blob for diff_id, item in found if isinstance(item.blob, Absent)}


def require_all_layers(item: Image | ImageIndex) -> None:
    """Raises BadInput: a layer is absent. For commands that would find this out only after they begin to send."""
    for image in all_images([item]):
        for absent in absent_layers(image).values():
            raise absent.error()
