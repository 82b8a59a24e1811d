"""An image: a config, an ordered list of layers, and names. Nothing else."""

from __future__ import annotations

import attrs

from builder.digest import UNKNOWN, Digest
from builder.errors import BadInput
from builder.layer import Layer
from builder.reference import Reference
from builder.spec import Json, canonical


@attrs.frozen
class Image:
    """`config` is the whole config document but for `rootfs` and `history`, which the layers tell.

    `layers` and `history` go bottom first; `history` has one entry for each layer, in order, and may have more
    with `empty_layer` between them. `original` is the config document of an image that was read and not changed: its
    digest is the image's ID, so not a byte of it may be written in another way.
    """

    config: Json
    layers: tuple[Layer, ...]
    history: tuple[Json, ...]
    names: tuple[Reference, ...] = ()
    original: bytes = b""

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


def complete_history(history: list[Json], layers: int, created: str, where: object) -> list[Json]:
    """A base's history, with an entry for each layer where the base has none at all.

    Raises BadInput when the two do not fit: docker refuses such an image ("too many non-empty layers in History
    section"), and a layer put on top would be told as another's.
    """
    told = sum(1 for entry in history if not entry.get("empty_layer"))
    if told == layers:
        return history
    if told:
        what = f"its history tells of {told} layers, it has {layers}"
        raise BadInput(where, what, "the image is damaged: pull it again")
    return [*history, *({"created": created, "created_by": "base image"} for _ in range(layers))]
