"""Which store paths each layer of an image contains."""

from __future__ import annotations

from collections.abc import Iterable

from lamina.data.budget import Meter
from lamina.errors import BadInput
from lamina.image.layer import Layer
from lamina.limits import LAYER_MEMBERS, STORE_PATHS
from lamina.store.closure import is_store_name
from lamina.tar.read import entries
from lamina.tar.whiteout import Hidden, clean_path, hidden_path, is_metadata
from lamina.tar.write import DIRECTORY

Changes = tuple[frozenset[str], frozenset[str]]
"""The store paths that a layer adds, and those that it deletes from the layers below it: "" stands for all."""


def store_paths(
    layers: Iterable[Layer], store: str = "nix/store", seen: dict[object, Changes] | None = None
) -> list[set[str]]:
    """For each layer the store paths (`HASH-NAME`) that it adds and that no later layer deletes or spoils.

    A whiteout inside a path spoils it: what is left is not what the hash stands for. Reads each layer's headers. A
    layer that occurs several times is read once, also in several calls that get the same `seen`. Raises BadInput: a
    layer is damaged, or has more store paths than any store.
    """
    layers = list(layers)
    seen = {} if seen is None else seen
    headers = Meter(LAYER_MEMBERS)
    changes = []
    for layer in layers:
        identity = layer.identity
        if identity not in seen:
            seen[identity] = _changes(layer, store, headers)
        changes.append(seen[identity])
    found: list[set[str]] = []
    deleted: set[str] = set()
    total = work = 0
    for layer, (added, gone) in zip(reversed(layers), reversed(changes), strict=True):
        found.append(set() if "" in deleted else set(added - deleted))
        deleted |= gone
        total += len(found[-1])
        work += len(added) + len(gone)
        if total > STORE_PATHS or work > 20 * STORE_PATHS:
            raise _too_many(layer)
    return found[::-1]


def _too_many(layer: Layer) -> BadInput:
    return BadInput(layer.where, f"more than {STORE_PATHS} store paths", "no store contains so many: it is hostile")


def _changes(layer: Layer, store: str, headers: Meter) -> Changes:
    added: set[str] = set()
    gone: set[str] = set()
    for entry in entries(layer.blob, layer.where):
        headers.count(1, layer.budget, layer.where)
        path = clean_path(entry.name)
        hidden = hidden_path(path)
        if hidden is not None:
            gone |= deleted_from_store(hidden, store)
        elif store == path or store.startswith(path + "/"):
            gone |= set() if entry.kind == DIRECTORY else {""}
        elif name := name_in_store(path, store):
            added.add(name)
        if len(added) + len(gone) > STORE_PATHS:
            raise _too_many(layer)
    return frozenset(added), frozenset(gone)


def deleted_from_store(hidden: Hidden, store: str) -> set[str]:
    """What a whiteout deletes from the store: one `HASH-NAME`, everything (""), or nothing."""
    if hidden.path == store or hidden.covers(store):
        return {""}
    first = hidden.path[len(store) + 1 :].partition("/")[0] if hidden.path.startswith(store + "/") else ""
    return {first} if first else set()


def name_in_store(path: str, store: str) -> str | None:
    """The `HASH-NAME` of a path inside the store."""
    if not path.startswith(store + "/"):
        return None
    name = path[len(store) + 1 :].partition("/")[0]
    return name if is_store_name(name) and not is_metadata(path) else None
