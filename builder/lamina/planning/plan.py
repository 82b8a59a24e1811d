"""Plans the layers of a closure so that a change replaces few bytes. `docs/use/planning.md` describes the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import attrs

from lamina.errors import BadInput
from lamina.planning.lock import Lock, lock_names
from lamina.planning.planners import (
    OWN,
    TOP_REASON,
    Closure,
    Group,
    bands,
    heights,
    index,
    join_groups,
    ordered,
    split_large,
    top_layer,
)
from lamina.store.closure import PathInfo


@attrs.frozen
class PlannedLayer:
    """Store paths that share a layer, sorted, and the reason."""

    paths: tuple[PathInfo, ...]
    reason: str


def plan(
    infos: Iterable[PathInfo], max_layers: int, *, volatile: Collection[str] = (), previous: Lock | None = None
) -> list[PlannedLayer]:
    """The paths of a closure in at most `max_layers` layers, bottom first.

    `volatile` are store paths that change with every build: they are placed on top, with everything that refers to
    them. A volatile path that is not in the closure is ignored. With `previous`, paths stay in the layers where they
    were if that is cheap; without it, the plan depends only on the closure. References to paths that are not in
    `infos` are ignored.

    Raises BadInput: `max_layers` is below 1, or references are circular.
    """
    if max_layers < 1:
        raise BadInput("max_layers", f"{max_layers} layers", "give at least 1")
    closure = index(infos)
    if not closure.infos:
        return []
    height = heights(closure, frozenset(volatile))
    layers = _grouped(closure, height, max_layers, previous)
    order = ordered(closure, height, [group for group, _ in layers])
    return [_planned(closure, *layers[k]) for k in order]


def _grouped(closure: Closure, height: Sequence[int], limit: int, previous: Lock | None) -> list[tuple[Group, str]]:
    count = len(closure.infos)
    if count <= limit:
        return [([i], "alone: there is a layer for each path") for i in range(count)]
    if limit == 1:
        return [(list(range(count)), "all paths: there is one layer")]
    if previous is None:
        return bands(closure, height, limit)
    return _kept(closure, height, limit, previous)


def _kept(closure: Closure, height: Sequence[int], limit: int, previous: Lock) -> list[tuple[Group, str]]:
    """The groups of the previous plan, and each new path alone; then the cheapest pairs are joined until all fit."""
    names = lock_names(closure.infos)
    place = {name: number for number, layer in enumerate(previous.layers) for name in layer}
    before = [place.get(names[info.path]) for info in closure.infos]
    large, small = split_large(closure, height, limit)
    top, alone = top_layer(height, small), [i for i in large if height[i] == OWN]
    kept: dict[int, Group] = defaultdict(list)
    fresh: list[Group] = []
    for i in sorted(set(range(len(closure.infos))).difference(top, alone)):
        number = before[i]
        if number is None:
            fresh.append([i])
        else:
            kept[number].append(i)
    room = limit - bool(top) - len(alone)
    groups = join_groups(closure, [kept[number] for number in sorted(kept)] + fresh, room)
    layers = [(group, _reason(group, before)) for group in groups] + [([i], "alone: large") for i in alone]
    return layers + ([(top, TOP_REASON)] if top else [])


def _reason(group: Group, before: Sequence[int | None]) -> str:
    numbers = {before[i] for i in group}
    if numbers == {None}:
        return "alone: new" if len(group) == 1 else "merged: new, and cheapest to share a layer"
    if len(numbers) == 1:
        return "kept: as in the previous plan"
    return "merged: from the previous plan, with what it is cheapest to share a layer with"


def _planned(closure: Closure, group: Group, reason: str) -> PlannedLayer:
    return PlannedLayer(tuple(sorted((closure.infos[i] for i in group), key=lambda info: info.path)), reason)
