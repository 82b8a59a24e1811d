"""An image: a config, an ordered list of layers, and names. Nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from lamina.image.encoding import LayerEncoding
from lamina.image.layer import Layer
from lamina.oci.digest import UNKNOWN, Digest
from lamina.oci.documents import NO_ANNOTATIONS, Annotations, Document
from lamina.oci.reference import Reference
from lamina.oci.strict_json import Json, canonical


@attrs.frozen
class Image:
    """An image: `open_images` and `build_image` return it, `write` and `load` take it.

    `config` is the config document without `rootfs` and `history`: `{"os": ..., "architecture": ..., "config": {"Env":
    [...], "Cmd": [...]}, ...}` (OCI image spec v1.1, config.md). `layers` and `history` go from the bottom to the
    top; `history` has one entry for each layer, in order, and may have further ones with `empty_layer`. `names` are
    the names that are valid. `stored_names` are the names of an image that was read, as the file spells them; some may
    not be valid. `original` is the config document of an image that was read and not changed: the image's ID is the
    digest of these bytes, so they are written as they are. `manifest` is the manifest of an image that was read from an
    OCI layout. `annotations` and `encoding` (of layers, in OCI formats) are those that a recipe requests. `where` is
    the name of the config document in errors.
    """

    config: Json
    layers: tuple[Layer, ...]
    history: tuple[Json, ...]
    names: tuple[Reference, ...] = ()
    original: bytes = b""
    stored_names: tuple[str, ...] = attrs.field(default=(), eq=False)
    manifest: Document | None = attrs.field(default=None, eq=False, repr=False)
    annotations: Annotations = NO_ANNOTATIONS
    encoding: LayerEncoding | None = None
    where: str = attrs.field(default="the image", eq=False)

    @property
    def diff_ids(self) -> list[Digest]:
        """The diff ID of each layer, from the bottom to the top; UNKNOWN, of the same length, for an unread layer."""
        return [layer.diff_id or UNKNOWN for layer in self.layers]

    def document(self) -> bytes:
        """The config document as JSON. Its digest is the image's ID (OCI image spec v1.1, config.md)."""
        if self.original:
            return self.original
        rootfs = {"type": "layers", "diff_ids": self.diff_ids}
        return canonical({**self.config, "rootfs": rootfs, "history": list(self.history)})

    @property
    def platform(self) -> Json:
        """The platform in an index entry of this image (OCI image spec v1.1, image-index.md).

        Empty if the config lacks `architecture` or `os`: each platform has both, and an entry needs none.
        """
        keys = ("architecture", "os", "variant", "os.version")
        known = {key: self.config[key] for key in keys if self.config.get(key)}
        return known if "architecture" in known and "os" in known else {}


def all_layers(images: Iterable[Image]) -> tuple[Layer, ...]:
    """The layers of all images, one image after the other. A layer that two images share occurs twice."""
    return tuple(layer for image in images for layer in image.layers)


def with_layers(images: Iterable[Image], layers: Sequence[Layer]) -> list[Image]:
    """The images with other layers, given in the order of `all_layers`."""
    result = []
    start = 0
    for image in images:
        end = start + len(image.layers)
        result.append(attrs.evolve(image, layers=tuple(layers[start:end])))
        start = end
    return result
