"""Layers: a tar with a diff ID, and what of the store lies in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import attrs

from lamina.data.blob import Blob
from lamina.errors import BadInput
from lamina.oci.digest import Digest


@attrs.frozen
class Layer:
    """An uncompressed tar that goes over the layers below it.

    `diff_id` is None until the bytes have been seen, or what a base's config claims, which is checked whenever the
    bytes go by; `size` is None until somebody measures it, for which a compressed base layer has to be read, and
    `weight` what the size will be, about; `where` is what errors call it. `key` stands for everything that fixes the
    bytes of a layer of ours (`cache.py`): a diff ID that such a layer has was seen, and is no claim of anybody's.
    """

    blob: Blob
    where: str
    diff_id: Digest | None = None
    size: int | None = None
    key: str | None = None
    weight: int = 32 << 20

    @classmethod
    def of(cls, blob: Blob, where: str, diff_id: Digest | None = None, key: str | None = None) -> Layer:
        return cls(blob, where, diff_id, blob.size, key)


def hashing(layer: Layer, seen: Callable[[Layer], None]) -> Iterator[bytes]:
    """The layer's bytes; at their end `seen` gets the layer with diff ID and size.

    Raises BadInput when the bytes are not those of the diff ID that was claimed.
    """
    state = hashlib.sha256()
    size = 0
    for chunk in layer.blob.chunks():
        state.update(chunk)
        size += len(chunk)
        yield chunk
    diff_id = Digest("sha256:" + state.hexdigest())
    if layer.diff_id not in (None, diff_id):
        what = f"the config says diff ID {layer.diff_id}, the bytes have {diff_id}"
        raise BadInput(layer.where, what, "the image is damaged: copy or pull it again")
    seen(attrs.evolve(layer, diff_id=diff_id, size=size))


def hashed(layer: Layer, count: Callable[[int], None] = lambda _: None) -> Layer:
    """The layer with diff ID and size, after one reading of its bytes. Raises BadInput: not what it claims to be."""
    result = [layer]
    for chunk in hashing(layer, result.append):
        count(len(chunk))
    return result[-1]


def read_through(
    layer: Layer, look: Callable[[Blob], Iterable[object]], count: Callable[[int], None] = lambda _: None
) -> Layer:
    """The layer with diff ID and size, after one reading in which `look` saw the bytes too.

    Raises what `look` raises, and BadInput: not what it claims to be.
    """
    tee = _Tee(layer, count)
    for _ in look(tee):
        pass
    for _ in tee.rest:
        pass
    return tee.measured or layer


@attrs.define(eq=False)
class _Tee(Blob):
    """A layer's bytes for whoever reads it; `rest` is what was left, so that all of it is hashed."""

    layer: Layer
    count: Callable[[int], None]
    measured: Layer | None = None
    rest: Iterator[bytes] = attrs.field(factory=lambda: iter(()))
    size: None = None

    def pieces(self) -> Iterator[bytes]:
        self.rest = self._counted()
        return self.rest

    def _counted(self) -> Iterator[bytes]:
        for chunk in hashing(self.layer, lambda seen: setattr(self, "measured", seen)):
            self.count(len(chunk))
            yield chunk
