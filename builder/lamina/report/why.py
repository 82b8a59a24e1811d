"""`lamina why`: the chains of references that bring a store path into an image, and what only it brings in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from lamina.data.progress import human
from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.oci.strict_json import Json
from lamina.report.contents import Contents, StorePath
from lamina.report.find import find_path
from lamina.report.graph import Root, chain, distances, exclusive, roots_of
from lamina.report.references import searched
from lamina.report.style import Style
from lamina.report.views import root_text
from lamina.store.closure import name_of

_SHOWN = 12
"""Names in a list."""


@attrs.frozen
class Chain:
    """The root at which a chain starts (None: a store path that the user named), and the store paths on the way."""

    root: Root | None
    paths: tuple[str, ...]


@attrs.frozen
class Why:
    """Why a store path is in an image. `others` is the number of roots whose chains are not in `chains`."""

    contents: Contents
    path: StorePath
    chains: tuple[Chain, ...]
    others: int
    exclusive: frozenset[str]


def why(
    contents: Contents,
    requested: str,
    where: object,
    *,
    everything: bool = False,
    start: str | None = None,
    cache: Cache | None = None,
) -> Why:
    """The shortest chain of references to a store path; with `everything`, the shortest one from each root.

    `start` names a store path to start at instead of the roots. Searches the files for unknown references.

    Raises BadInput: there is no such store path, or no such chain; or a layer cannot be read.
    """
    target = find_path(contents.paths, requested, where)
    contents = searched(contents, cache=cache)
    roots = roots_of(contents)
    steps = distances(contents.paths, target.path)
    alone = frozenset(exclusive(contents, roots, target.path))
    target = contents.paths[target.path]
    if start is not None:
        begin = find_path(contents.paths, start, where)
        if begin.path not in steps:
            problem = f"{begin.full_name} does not refer to {target.full_name}"
            raise BadInput(where, problem, "leave the start out to see the chains from the config and the files")
        return Why(contents, target, (Chain(None, tuple(chain(contents.paths, begin.path, steps))),), 0, alone)
    chains = []
    for root in roots:
        near = [path for path in root.paths if path in steps]
        if near:
            first = min(near, key=lambda path: (steps[path], name_of(path)))
            chains.append(Chain(root, tuple(chain(contents.paths, first, steps))))
    chains.sort(key=lambda item: len(item.paths))
    shortest = [item for item in chains if len(item.paths) == len(chains[0].paths)]
    shown = chains if everything else shortest[:1]
    return Why(contents, target, tuple(shown), len(chains) - len(shown), alone)


def why_json(result: Why) -> Json:
    """Shape: `{path, name, version, output, size, narSize, layers, chains, otherChains, exclusive, exclusiveSize}`.

    `chains` are `{from: {kind, where, layer} | null, paths}`. `layers` are numbers of layers, the lowest is 1. Sizes
    are bytes in the layers' tars, null if the files are not on this machine.
    """
    path, sizes = result.path, result.contents.sizes
    layers = [
        number
        for number, layer in enumerate(result.contents.layers, 1)
        if any(held.path == path.path for held in layer.paths)
    ]
    return {
        "path": path.path,
        "name": path.package.name,
        "version": path.package.version,
        "output": path.package.output,
        "size": sizes.get(path.path),
        "narSize": path.nar_size,
        "layers": layers,
        "chains": [{"from": _root_json(item.root), "paths": list(item.paths)} for item in result.chains],
        "otherChains": result.others,
        "exclusive": sorted(result.exclusive, key=name_of),
        "exclusiveSize": _total(result.exclusive, sizes),
    }


def _root_json(root: Root | None) -> Json | None:
    if root is None:
        return None
    return {"kind": root.kind, "where": root.where, "layer": None if root.layer is None else root.layer + 1}


def why_text(result: Why, style: Style) -> Iterator[str]:
    """The same as lines of text."""
    sizes = result.contents.sizes
    for item in result.chains:
        yield style.line(root_text(item.root) if item.root else "from", "title")
        for depth, path in enumerate(item.paths, 1):
            yield style.line(f"{'  ' * min(depth, 40)}{name_of(path)}  {_size(sizes.get(path))}")
    if result.others:
        yield style.line(f"{result.others} more {'way' if result.others == 1 else 'ways'} in, not shown")
    yield ""
    names = sorted(result.exclusive - {result.path.path}, key=lambda path: -(sizes.get(path) or 0))
    own = _size(sizes.get(result.path.path))
    if not names:
        yield style.line(f"without {result.path.full_name}: {own} less; others need what it refers to")
        return
    total = _size(_total(result.exclusive, sizes))
    yield style.line(f"without {result.path.full_name}: {total} less, {own} of its own; only it needs these:")
    for path in names[:_SHOWN]:
        yield style.line(f"  {_size(sizes.get(path)):>9}  {name_of(path)}")
    if len(names) > _SHOWN:
        yield style.line(f"  and {len(names) - _SHOWN} more")


def _total(paths: frozenset[str], sizes: Mapping[str, int | None]) -> int | None:
    found = [sizes.get(path) for path in paths]
    return None if None in found else sum(size or 0 for size in found)


def _size(size: int | None) -> str:
    return "size unknown" if size is None else human(size)
