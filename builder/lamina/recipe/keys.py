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
"""Version of the keys."""


def nar_hashes(layers: Iterable[RecipeLayer]) -> dict[bytes, str]:
    """The NAR hashes in a recipe, without paths for which it has two different ones."""
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
    """The key of a layer. `items` are the members whose path the NAR hashes in the layer do not determine."""
    fields = layer_json(layer)
    fields.pop("why", None)
    members = sha256("".join(map(_description, items)).encode())
    return hex_of(sha256(canonical({"key": _VERSION, "tar": FORMAT, **fields, "members": members, **facts})))


def _description(item: Item) -> str:
    """All fields of a member. `repr` of the member itself takes four times as long."""
    m = item.member
    return repr((m.name, m.kind, m.size, m.mode, m.uid, m.gid, m.mtime, m.link, m.device, m.xattrs))


def root_key(layer: RootLayer, items: Sequence[Item], known: NarHashes) -> str | None:
    """The key of files at the root; None if a file is in a store path whose NAR hash the recipe does not have.

    A symbolic link to a directory may lead out of the trees into another store path. The NAR hash of the tree covers
    only the link, not the files that are copied from there.
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
    """The path with a known NAR hash that contains the directory; None if there is none."""
    while directory not in known:
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above
    return directory
