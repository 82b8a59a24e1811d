"""Which store paths each layer of an image contains."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from lamina.errors import BadInput
from lamina.image.layer import Layer
from lamina.limits import STORE_PATHS
from lamina.store.closure import is_store_name
from lamina.tar.read import entries
from lamina.tar.write import DIRECTORY

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
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
            if is_store_name(path):
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
