"""Layers: a tar with a diff ID, and what of the store lies in it."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

import attrs

from builder.blob import Blob
from builder.digest import Digest
from builder.errors import BadInput
from builder.limits import STORE_PATHS
from builder.tar import DIRECTORY
from builder.tar_index import entries

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_STORE_NAME = re.compile(r"[0-9a-df-np-sv-z]{32}-.+")


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


Changes = tuple[frozenset[str], frozenset[str]]
"""What of the store a layer adds, and what it takes away from those below it: "" stands for everything."""


def store_paths(
    layers: Iterable[Layer], store: str = "nix/store", seen: dict[object, Changes] | None = None
) -> list[set[str]]:
    """For each layer the store paths (`HASH-NAME`) that it adds and that no later one takes away or spoils.

    A whiteout inside a path spoils it: what is left is not what the hash stands for. Reads each layer's headers, but
    of a layer that several images share, or one image has twice, only once where these get the same `seen`.
    Raises BadInput for more than any store holds.
    """
    held: list[set[str]] = []
    seen = {} if seen is None else seen
    for layer in layers:
        # One that nobody gave a digest is no other layer, whatever it is called.
        identity = (layer.diff_id, layer.where) if layer.diff_id else object()
        if identity not in seen:
            seen[identity] = _changes(layer, store)
        added, gone = seen[identity]
        held = [set() if "" in gone else earlier - gone for earlier in held]
        held.append(set(added))
        if sum(map(len, held)) > STORE_PATHS:
            raise _too_many(layer)
    return held


def _too_many(layer: Layer) -> BadInput:
    return BadInput(layer.where, f"more than {STORE_PATHS} store paths", "no store holds so many: it is hostile")


def _changes(layer: Layer, store: str) -> Changes:
    added: set[str] = set()
    gone: set[str] = set()
    for entry in entries(layer.blob, layer.where, need_end=False):
        name = posixpath.normpath("/" + entry.name.decode(errors="surrogateescape")).lstrip("/")
        taken = _whited_out(name, store, entry.kind == DIRECTORY)
        if taken is None and name.startswith(store + "/"):
            path = name[len(store) + 1 :].partition("/")[0]
            if _STORE_NAME.fullmatch(path):
                added.add(path)
        elif taken is not None:
            gone.add(taken)
        if len(added) + len(gone) > STORE_PATHS:
            raise _too_many(layer)
    return frozenset(added), frozenset(gone)


def _whited_out(name: str, store: str, is_directory: bool) -> str | None:
    """What a member takes away from the store below it: one `HASH-NAME`, everything (""), or nothing (None)."""
    if store == name or store.startswith(name + "/"):
        return None if is_directory else ""
    parent, _, last = name.rpartition("/")
    if not last.startswith(_WHITEOUT):
        return None
    target = parent if last == _OPAQUE else f"{parent}/{last.removeprefix(_WHITEOUT)}"
    target = posixpath.normpath("/" + target).lstrip("/")  # `.wh.` and `.wh..` take away what they lie in
    if not target or target == store or store.startswith(target + "/"):
        return ""
    return target[len(store) + 1 :].partition("/")[0] if target.startswith(store + "/") else None


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
