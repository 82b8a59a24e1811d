"""An image: a config, an ordered list of layers, and names. Nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from lamina.image.layer import Layer
from lamina.oci.digest import UNKNOWN, Digest
from lamina.oci.reference import Reference
from lamina.oci.strict_json import Json, canonical


@attrs.frozen
class Image:
    """`config` is the whole config document but for `rootfs` and `history`, which the layers tell.

    `layers` and `history` go bottom first; `history` has one entry for each layer, in order, and may have more
    with `empty_layer` between them. `original` is the config document of an image that was read and not changed: its
    digest is the image's ID, so not a byte of it may be written in another way.
    `stored_names` are the names of an image that was read, as its file spells them; some may follow no grammar.
    """

    config: Json
    layers: tuple[Layer, ...]
    history: tuple[Json, ...]
    names: tuple[Reference, ...] = ()
    original: bytes = b""
    stored_names: tuple[str, ...] = attrs.field(default=(), eq=False)

    @property
    def diff_ids(self) -> list[Digest]:
        """A diff ID for each layer; UNKNOWN, which is as long, where the bytes were not seen yet."""
        return [layer.diff_id or UNKNOWN for layer in self.layers]

    def document(self) -> bytes:
        """The config document: its digest is the image's ID (OCI image spec, config.md)."""
        if self.original:
            return self.original
        rootfs = {"type": "layers", "diff_ids": self.diff_ids}
        return canonical({**self.config, "rootfs": rootfs, "history": list(self.history)})

    @property
    def platform(self) -> Json:
        """What an index says of the image (image-index.md, "platform")."""
        keys = ("architecture", "os", "variant", "os.version")
        return {key: self.config[key] for key in keys if self.config.get(key)}


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
