"""Layers: tars with a diff ID, and how to hash them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import attrs

from lamina.data.blob import Blob
from lamina.data.budget import Budget
from lamina.errors import BadInput
from lamina.oci.digest import Digest, is_sha256
from lamina.oci.documents import OCI_LAYER, Descriptor
from lamina.store.closure import PathInfo


class Origin(NamedTuple):
    """What a recipe says about a layer that it describes: `kind` is "store", "root" or "tar".

    `paths` are the store paths of which it is made, with their references if `has_references`. `reason` says why they
    share a layer.
    """

    kind: str
    paths: tuple[PathInfo, ...] = ()
    reason: str = ""
    has_references: bool = False


@attrs.frozen(eq=False)
class Stored:
    """A layer as a repository stores it. `blob` has the bytes, which were not compared with the descriptor yet.

    `encoding` is the key of the `LayerEncoding` that made this form; None if the layer came so.
    """

    descriptor: Descriptor
    blob: Blob
    encoding: str | None = None

    @property
    def is_compressed(self) -> bool:
        return self.descriptor.media_type != OCI_LAYER


_SUFFIXES: Mapping[str | None, str] = {None: "", "gzip": "+gzip", "zstd": "+zstd"}
"""The suffix of a layer's media type, by compression (OCI image spec v1.1, layer.md)."""


def stored_form(packed: Blob, tar: Blob, descriptor: Descriptor) -> Stored | None:
    """The form in which a layer came: `packed` is `tar` as it was stored. None if OCI has no media type for it.

    Also None with a digest by another algorithm than SHA-256, which many readers do not know.
    """
    from lamina.data.compression import Decompressed  # it imports decoders, which layers of ours do not need

    kind = tar.kind if isinstance(tar, Decompressed) else None
    if kind not in _SUFFIXES or not is_sha256(descriptor.digest):
        return None
    media_type = OCI_LAYER + _SUFFIXES[kind]
    return Stored(descriptor._replace(media_type=media_type, platform=None, is_foreign=False), packed)


@attrs.frozen
class Layer:
    """A layer of an image: a tar, uncompressed, that is extracted over the layers below it.

    `blob` produces the bytes: `blob.chunks()`. `diff_id` is the SHA-256 digest of the uncompressed tar (OCI image spec
    v1.1, config.md, "Layer DiffID"): None if the layer has not been read; of a base's layer, the digest that its
    config claims, which is compared whenever the layer is read. `size` is the tar's length in bytes, or None if only
    reading can find it out, as for compressed layers; `weight` is then a guess of it. `where` is the name of the layer
    in errors. `key` identifies everything that determines the bytes of a layer that Lamina makes (`cache.py`).
    `budget` is that of the archive from which the layer comes. `origin` is for reports, and None for layers that were
    read. `stored` is the form in which an OCI layout has it.
    """

    blob: Blob
    where: str
    diff_id: Digest | None = None
    size: int | None = None
    key: str | None = None
    weight: int = 32 << 20
    budget: Budget | None = attrs.field(default=None, eq=False, repr=False)
    stored: Stored | None = attrs.field(default=None, eq=False, repr=False)
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def identity(self) -> object:
        """Equal for layers that are known to have the same bytes, whatever diff IDs their configs claim."""
        return self.blob.place or ((self.diff_id, self.where) if self.diff_id else object())

    @classmethod
    def of(cls, blob: Blob, where: str, diff_id: Digest | None = None, *, budget: Budget | None = None) -> Layer:
        return cls(blob, where, diff_id, blob.size, budget=budget)


def hashing(layer: Layer, seen: Callable[[Layer], None]) -> Iterator[bytes]:
    """The layer's bytes. After the last one, `seen` is called with the layer, which then has its diff ID and size.

    Raises BadInput: the bytes do not match the diff ID that the config claims.
    """
    state = hashlib.sha256()
    size = 0
    for chunk in layer.blob.chunks():
        state.update(chunk)
        size += len(chunk)
        yield chunk
    seen(identified(layer, Digest("sha256:" + state.hexdigest()), size))


def identified(layer: Layer, diff_id: Digest, size: int) -> Layer:
    """The layer with diff ID and size of its bytes. Raises BadInput: the config claims another diff ID."""
    if layer.diff_id not in (None, diff_id):
        what = f"the config says diff ID {layer.diff_id}, the bytes have {diff_id}"
        raise BadInput(layer.where, what, "the image is damaged: copy or pull it again")
    return attrs.evolve(layer, diff_id=diff_id, size=size)


def hashed(layer: Layer, count: Callable[[int], None] = lambda _: None) -> Layer:
    """Read the layer; returns it with diff ID and size. Raises BadInput: it does not match its diff ID."""
    result = [layer]
    for chunk in hashing(layer, result.append):
        count(len(chunk))
    return result[-1]


def read_through(
    layer: Layer, look: Callable[[Blob], Iterable[object]], count: Callable[[int], None] = lambda _: None
) -> Layer:
    """Read the layer once, and let `look` read the same bytes; returns the layer with diff ID and size.

    Raises what `look` raises, and BadInput: the layer does not match its diff ID.
    """
    tee = _Tee(layer, count)
    for _ in look(tee):
        pass
    for _ in tee.rest:
        pass
    return tee.measured or layer


@attrs.define(eq=False)
class _Tee(Blob):
    """A layer's bytes for another reader. `rest` are the bytes that it has not read, so that all of them are hashed."""

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
