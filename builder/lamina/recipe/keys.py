"""Keys of the digest cache: a hash of everything that determines the bytes of a layer, and of nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from lamina.oci.digest import hex_of, sha256
from lamina.oci.strict_json import canonical
from lamina.recipe.recipe import RecipeLayer, RootLayer, TarLayer, layer_json
from lamina.store.tree import Item
from lamina.tar.write import FILE, FORMAT

NarHashes = Mapping[bytes, str]
"""The NAR hash of each store path that a recipe names."""

_VERSION = 2
"""Of keys."""


def nar_hashes(layers: Iterable[RecipeLayer]) -> dict[bytes, str]:
    """The NAR hashes in a recipe, without those of paths for which it has two."""
    found: dict[bytes, str] = {}
    ambiguous: set[bytes] = set()
    for layer in layers:
        infos = layer.trees if isinstance(layer, RootLayer) else () if isinstance(layer, TarLayer) else layer.paths
        for info in infos:
            path = os.fsencode(info.path)
            if found.setdefault(path, info.nar_hash) != info.nar_hash:
                ambiguous.add(path)
    return {path: nar_hash for path, nar_hash in found.items() if path not in ambiguous}


def layer_key(layer: RecipeLayer, items: Sequence[Item] = (), **facts: object) -> str:
    """The key of a layer. `items`: those of its members whose place the NAR hashes in the layer do not determine."""
    fields = layer_json(layer)
    fields.pop("why", None)
    members = sha256("".join(map(_description, items)).encode())
    return hex_of(sha256(canonical({"key": _VERSION, "tar": FORMAT, **fields, "members": members, **facts})))


def _description(item: Item) -> str:
    """Everything about a member but its data. `repr` of the member itself takes four times as long."""
    it = item.member
    return repr((it.name, it.kind, it.size, it.mode, it.uid, it.gid, it.mtime, it.link, it.device, it.xattrs))


def root_key(layer: RootLayer, items: Sequence[Item], known: NarHashes) -> str | None:
    """The key of files at the root; None if a file lies in a store path whose NAR hash the recipe does not have.

    Symbolic links to directories lead to other store paths than the trees, and what is copied from there is not
    determined by the NAR hash of a tree, which has only the link.
    """
    owners: dict[bytes, bytes | None] = {}
    for item in items:
        if item.member.kind == FILE:
            directory = os.path.dirname(item.source)
            if directory not in owners:
                owners[directory] = _owner(directory, known)
    paths = set(owners.values())
    if None in paths:
        return None
    return layer_key(layer, items, sources={os.fsdecode(path): known[path] for path in paths if path})


def _owner(directory: bytes, known: NarHashes) -> bytes | None:
    """The path with a NAR hash in which the directory lies."""
    while directory not in known:
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above
    return directory
