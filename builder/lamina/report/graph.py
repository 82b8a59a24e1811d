"""The references of an image as a graph: its roots, shortest chains, and what only one store path brings in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import attrs

from lamina.oci.strict_json import canonical
from lamina.report.contents import Contents, StorePath
from lamina.report.references import referred_by_files
from lamina.store.closure import name_of
from lamina.store.references import hashes_in


@attrs.frozen
class Root:
    """The start of chains of references: a field of the config, a file outside the store, or a layer.

    A layer is a root for paths in it to which nothing refers. `kind` is "config", "file" or "layer"; `where` the field,
    the file or the layer; `layer` the number of the layer, from 0.
    """

    kind: str
    where: str
    layer: int | None
    paths: tuple[str, ...]


def roots_of(contents: Contents) -> list[Root]:
    """The roots of an image: its config, its files in no store path, and layers with paths to which nothing refers.

    The files are read. Raises BadInput: a layer cannot be read.
    """
    paths = contents.paths
    hashes = contents.by_hash()
    roots = []
    for field, value in sorted((contents.image.config.get("config") or {}).items()):
        named = sorted({hashes[digest] for digest in hashes_in(canonical({"": value}), hashes)})
        if named:
            roots.append(Root("config", field, None, tuple(named)))
    for layer, file, found in referred_by_files(contents):
        roots.append(Root("file", "/" + file, layer, tuple(sorted(found))))
    reached = reachable(paths, (path for root in roots for path in root.paths))
    return [*roots, *_listed(contents, reached)]


def _listed(contents: Contents, reached: set[str]) -> Iterator[Root]:
    """A root for each layer with paths that no other root reaches. Only paths to which none of these refers."""
    paths = contents.paths
    left = [path for path in paths if path not in reached]
    used = {name for path in left for name in paths[path].references or () if name != path}
    layer_of = contents.layer_of()
    lists: dict[int, list[str]] = {}
    for path in left:
        if path not in used:
            lists.setdefault(layer_of[path], []).append(path)
            reached |= reachable(paths, [path])
    for path in left:  # paths that refer to each other in a circle
        if path not in reached:
            lists.setdefault(layer_of[path], []).append(path)
            reached |= reachable(paths, [path])
    for layer, names in sorted(lists.items()):
        yield Root("layer", f"layer {layer + 1}", layer, tuple(sorted(names)))


def reachable(paths: Mapping[str, StorePath], start: Iterable[str], without: str = "") -> set[str]:
    """The closure of some store paths within the image. The path `without` is ignored."""
    found: set[str] = set()
    waiting = [path for path in start if path in paths and path != without]
    found.update(waiting)
    while waiting:
        for name in paths[waiting.pop()].references or ():
            if name not in found and name != without and name in paths:
                found.add(name)
                waiting.append(name)
    return found


def distances(paths: Mapping[str, StorePath], target: str) -> dict[str, int]:
    """The number of references from each store path to the target, for paths that depend on it."""
    referrers: dict[str, list[str]] = {}
    for path, known in paths.items():
        for name in known.references or ():
            referrers.setdefault(name, []).append(path)
    found = {target: 0}
    waiting = deque([target])
    while waiting:
        path = waiting.popleft()
        for referrer in referrers.get(path, ()):
            if referrer not in found:
                found[referrer] = found[path] + 1
                waiting.append(referrer)
    return found


def chain(paths: Mapping[str, StorePath], start: str, steps: Mapping[str, int]) -> list[str]:
    """The shortest chain from `start` to the target of `distances` (`steps`); of several, the first by name."""
    way = [start]
    while steps[way[-1]]:
        known = paths[way[-1]].references or ()
        near = [name for name in known if steps.get(name, -1) == steps[way[-1]] - 1]
        way.append(min(near, key=name_of))
    return way


def exclusive(contents: Contents, roots: Iterable[Root], path: str) -> set[str]:
    """The store paths that only this one brings in, and itself: what would not be in the image without it."""
    start = [name for root in roots for name in root.paths]
    everything = reachable(contents.paths, start)
    return everything - reachable(contents.paths, start, without=path)
