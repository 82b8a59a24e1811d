"""Which store paths go into which layer, so that a change costs little: `docs/planning.md` tells the rules and why."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import attrs

from builder.closure import PathInfo
from builder.errors import BadInput
from builder.output import whole_file
from builder.planners import (
    OWN,
    TOP_REASON,
    Closure,
    Group,
    bands,
    heights,
    index,
    merge,
    ordered,
    split_large,
    top_layer,
)
from builder.spec import expect, read_json_file, strings

VERSION = 1
"""Of locks."""

_VERSION = re.compile(r"(?<=.)-[0-9][^-]*")


@attrs.frozen
class PlannedLayer:
    """Store paths that share a layer, sorted, and why they do."""

    paths: tuple[PathInfo, ...]
    reason: str


@attrs.frozen
class Lock:
    """An earlier plan: for each layer the names of its paths, as `lock_of` writes them. Without layers: no plan yet."""

    layers: tuple[tuple[str, ...], ...] = ()


def plan(
    infos: Iterable[PathInfo], max_layers: int, *, volatile: Collection[str] = (), previous: Lock | None = None
) -> list[PlannedLayer]:
    """The paths of a closure in at most `max_layers` layers, bottom first.

    `volatile` are store paths that change with every build: they go on top, with all that refers to them; one that
    the closure does not hold is passed over. `previous` keeps paths where they were as far as that is cheap; without
    it, the plan hangs on the closure alone. References to paths that are not given count for nothing.

    Raises BadInput: `max_layers` below 1; references that go round in a circle.
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
    """As in the previous plan; what is new alone; then the cheapest to share a layer are joined until all fit."""
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
    groups = merge(closure, [kept[number] for number in sorted(kept)] + fresh, room)
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


def lock_names(infos: Iterable[PathInfo]) -> dict[str, str]:
    """For each path the name that a lock knows it by: one that stays when its hash or its version changes.

    It is the store path's name without the parts that begin with a digit: `openssl-3.0.13-dev` is `openssl-dev`. Of
    several that are called alike, the second is `NAME~2`: no store path has a tilde in its name.
    """
    alike: dict[str, list[PathInfo]] = defaultdict(list)
    for info in infos:
        alike[_VERSION.sub("", info.name)].append(info)
    result: dict[str, str] = {}
    for name, several in alike.items():
        several.sort(key=lambda info: (info.name, info.nar_size, info.nar_hash, info.path))
        for count, info in enumerate(several, 1):
            result[info.path] = name if count == 1 else f"{name}~{count}"
    return result


def lock_of(layers: Iterable[Iterable[PathInfo]]) -> Lock:
    """What to keep of a plan: give the layers' paths."""
    grouped = [list(paths) for paths in layers]
    names = lock_names(info for paths in grouped for info in paths)
    return Lock(tuple(tuple(sorted(names[info.path] for info in paths)) for paths in grouped))


def lock_bytes(lock: Lock) -> bytes:
    """The lock as a file: JSON with one name per line, so that a version control system shows what moved."""
    value = {"version": VERSION, "layers": lock.layers}
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def write_lock(lock: Lock, path: Path) -> None:
    """Raises LaminaError: no place to write to."""
    with whole_file(path) as file:
        file.write(lock_bytes(lock))


def read_lock(path: Path) -> Lock:
    """Raises BadInput: not a lock, of another version, or with fields that this version does not know."""
    return parse_lock(read_json_file(path, "give a lock, as lamina plan --lock writes it"), path)


def parse_lock(value: object, where: object) -> Lock:
    fields = expect(value, dict, "a lock", where)
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        remedy = f"this Lamina reads version {VERSION}: write the lock again"
        raise BadInput(where, f"lock of version {version!r:.20}", remedy)
    if unknown := sorted(set(fields) - {"version", "layers"}):
        raise BadInput(where, f"the lock has the unknown field {unknown[0]!r:.60}", "write the lock again")
    layers = expect(fields.get("layers"), list, "layers", where)
    lock = Lock(tuple(tuple(strings(layer, "a layer of a lock", where)) for layer in layers))
    names = [name for layer in lock.layers for name in layer]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(where, f"{twice!r:.120} stands in the lock twice", "write the lock again")
    return lock
