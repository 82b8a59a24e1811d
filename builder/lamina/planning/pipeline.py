"""dockerTools' `layeringPipeline`: operations by which a user groups a closure into layers.

A pipeline is a list of operations `[NAME, ARGUMENT...]`. The first one gets the whole closure, the others the result of
the previous one: a part of the closure, a list of values, or values by name. The parts in the last result become the
layers, the first at the bottom. `docs/use/planning.md` lists the operations; their meaning is that of nixpkgs'
flattenReferencesGraph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from lamina.errors import BadInput
from lamina.oci.strict_json import expect, strings
from lamina.planning.plan import PlannedLayer
from lamina.planning.planners import index
from lamina.store.closure import PathInfo

_WHERE = "layeringPipeline"

PARTS = ("main", "common", "rest")
"""The names of the parts that operations make. Which of them exist depends on the closure."""


@attrs.frozen
class Subgraph:
    """A part of the closure: paths, smallest first, each with the paths in the same part that it refers to."""

    references: Mapping[str, tuple[str, ...]]

    def only(self, paths: Iterable[str]) -> Subgraph:
        """The part with these paths only, in the same order."""
        chosen = set(paths)
        kept = {path: targets for path, targets in self.references.items() if path in chosen}
        return Subgraph({path: tuple(t for t in targets if t in chosen) for path, targets in kept.items()})

    def without(self, paths: Iterable[str]) -> Subgraph:
        return self.only(set(self.references).difference(paths))

    def users(self) -> dict[str, tuple[str, ...]]:
        """For each path, the paths that refer to it."""
        found: dict[str, list[str]] = {path: [] for path in self.references}
        for path, targets in self.references.items():
            for target in targets:
                found[target].append(path)
        return {path: tuple(several) for path, several in found.items()}


Value = Subgraph | list[Any] | dict[str, Any]
"""The input and the output of an operation. Lists and dictionaries contain values again."""

Operation = Callable[[Value], Value]


def run_pipeline(pipeline: object, infos: Iterable[PathInfo]) -> list[PlannedLayer]:
    """The layers that the pipeline makes from the closure, bottom first, without empty ones.

    Raises BadInput: not a pipeline; an operation gets a value of the wrong kind; circular references.
    """
    by_path = {info.path: info for info in infos}
    index(by_path.values())  # raises BadInput for circular references, with which walks from the roots would not end
    rising = sorted(by_path.values(), key=lambda info: (info.nar_size, info.name, info.path))
    closure = Subgraph({info.path: tuple(r for r in info.references if r != info.path) for info in rising}).only(
        by_path
    )
    parts = [part for part in _leaves(_pipe(pipeline)(closure)) if part.references]
    return [PlannedLayer(tuple(by_path[path] for path in sorted(part.references)), _WHERE) for part in parts]


def _operation(item: object) -> Operation:
    words = expect(item, list, "an operation", _WHERE)
    name = expect(words[0] if words else None, str, "an operation's name", _WHERE)
    if name not in _OPERATIONS:
        raise BadInput(_WHERE, f"the operation {name!r:.60}", f"write one of: {', '.join(_OPERATIONS)}")
    make, count = _OPERATIONS[name]
    arguments = words[1:]
    if len(arguments) != count:
        raise BadInput(_WHERE, f"{name} has {len(arguments)} arguments", f"give it {count}")
    return make(*arguments)


def _pipe(pipeline: object) -> Operation:
    operations = [_operation(item) for item in expect(pipeline, list, "a pipeline", _WHERE)]

    def pipe(value: Value) -> Value:
        for operation in operations:
            value = operation(value)
        return value

    return pipe


def _map(item: object) -> Operation:
    operation = _operation(item)
    return lambda value: [operation(each) for each in _list(value, "map")]


def _over(name: object, item: object) -> Operation:
    """Apply the operation to one of several parts. If this closure does not have that part, nothing happens."""
    key = expect(name, str, "the name that over is given", _WHERE)
    operation = _operation(item)

    def over(value: Value) -> Value:
        if not isinstance(value, dict):
            raise _unfit("over", value, "put it after split_paths, subcomponent_in or subcomponent_out")
        if key not in value and key not in PARTS:
            raise BadInput(_WHERE, f"over is given {key!r:.60}", f"write one of: {', '.join(PARTS)}")
        return {each: operation(inner) if each == key else inner for each, inner in value.items()}

    return over


def _flatten() -> Operation:
    return lambda value: list(_leaves(value))


def _reverse() -> Operation:
    return lambda value: _list(value, "reverse")[::-1]


def _split_every(count: object) -> Operation:
    most = _positive(count, "split_every")

    def split_every(value: Value) -> Value:
        part = _subgraph(value, "split_every")
        paths = list(part.references)
        return [part.only(paths[start : start + most]) for start in range(0, len(paths), most)]

    return split_every


def _limit_layers(count: object) -> Operation:
    """Join the last part that is allowed with all parts after it."""
    most = _positive(count, "limit_layers")

    def limit_layers(value: Value) -> Value:
        parts = [_subgraph(each, "limit_layers") for each in _list(value, "limit_layers")]
        joined = {path: targets for part in parts[most - 1 :] for path, targets in part.references.items()}
        return [*parts[: most - 1], Subgraph(joined)]

    return limit_layers


def _remove_paths(paths: object) -> Operation:
    unwanted = _paths(paths, "remove_paths")
    return lambda value: _subgraph(value, "remove_paths").without(unwanted)


def _subcomponent_out(paths: object) -> Operation:
    """main: the closure of the paths."""
    chosen = _paths(paths, "subcomponent_out")

    def subcomponent_out(value: Value) -> Value:
        part = _subgraph(value, "subcomponent_out")
        found = _reached(chosen, part.references)
        return {"main": part.only(found), "rest": part.without(found)}

    return subcomponent_out


def _subcomponent_in(paths: object) -> Operation:
    """main: the paths and everything that refers to them, directly or not."""
    chosen = _paths(paths, "subcomponent_in")

    def subcomponent_in(value: Value) -> Value:
        part = _subgraph(value, "subcomponent_in")
        found = _reached(chosen, part.users())
        return {"main": part.only(found), "rest": part.without(found)}

    return subcomponent_in


def _split_paths(specs: object) -> Operation:
    """main: the paths, with what only they need; common: what others need too; rest: all other paths.

    There are no empty parts. In the list of paths, `{"children_of": PATHS}` stands for all paths that these refer to.
    """
    items = [_split(item) for item in expect(specs, list, "what split_paths is given", _WHERE)]

    def split_paths(value: Value) -> Value:
        part = _subgraph(value, "split_paths")
        chosen: set[str] = set()
        for paths, children in items:
            for path in part.references.keys() & set(paths):
                chosen.update(part.references[path] if children else [path])
        if not chosen:
            return {"rest": part}
        roots = [path for path, users in part.users().items() if not users]
        if len(roots) == 1 and roots[0] in chosen:
            return {"main": part}
        cut = {path: tuple(t for t in targets if t not in chosen) for path, targets in part.references.items()}
        mine = _reached(chosen, part.references)
        others = _reached(set(roots) - chosen, cut)
        split = {"main": mine - others, "common": mine & others, "rest": others - mine}
        return {name: part.only(paths) for name, paths in split.items() if paths}

    return split_paths


def _split(item: object) -> tuple[list[str], bool]:
    """The paths of one item of split_paths, and whether their children are meant."""
    if not isinstance(item, dict):
        return _paths(item, "split_paths"), False
    if set(item) != {"children_of"}:
        raise BadInput(_WHERE, f"split_paths is given {item!r:.120}", 'write a path, or {"children_of": PATHS}')
    return _paths(item["children_of"], "children_of"), True


def _popularity_contest() -> Operation:
    """A part for each path: first the path that most others depend on, directly or not."""

    def popularity_contest(value: Value) -> Value:
        part = _subgraph(value, "popularity_contest")
        votes = _popularity(part)
        return [part.only([path]) for path in sorted(part.references, key=lambda path: (-votes[path], _by_name(path)))]

    return popularity_contest


def _popularity(part: Subgraph) -> dict[str, int]:
    """For each path the number of ways from a root to it, or to a path that depends on it."""
    users = part.users()
    walks: dict[str, int] = {}
    waiting = {path: len(users[path]) for path in part.references}
    ready = [path for path, count in waiting.items() if not count]
    for path in ready:  # the list grows in this loop
        walks[path] = sum(walks[user] for user in users[path]) or 1
        for target in part.references[path]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    votes = dict.fromkeys(part.references, 0)
    for path, count in walks.items():
        for needed in _reached([path], part.references):
            votes[needed] += count
    return votes


def _by_name(path: str) -> str:
    """The path with its hash after its name, for sorting by name."""
    start, _, name = path.partition("-")
    return f"{name}-{start}"


def _reached(start: Iterable[str], links: Mapping[str, tuple[str, ...]]) -> set[str]:
    """All paths that can be reached from `start` by links, including the paths of `start` that have links."""
    waiting = [path for path in start if path in links]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(links[path])
    return found


def _leaves(value: Value) -> Iterator[Subgraph]:
    if isinstance(value, Subgraph):
        yield value
    else:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)


def _subgraph(value: Value, operation: str) -> Subgraph:
    if isinstance(value, Subgraph):
        return value
    raise _unfit(operation, value, "reach each part with map or over")


def _list(value: Value, operation: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _unfit(operation, value, "put it after popularity_contest, split_every or flatten")


def _unfit(operation: str, value: Value, remedy: str) -> BadInput:
    kinds = {Subgraph: "one part of the closure", list: "a list of parts", dict: "parts by name"}
    return BadInput(_WHERE, f"{operation} cannot work on {kinds[type(value)]}", remedy)


def _positive(value: object, operation: str) -> int:
    count = expect(value, int, f"the number that {operation} is given", _WHERE)
    if count < 1:
        raise BadInput(_WHERE, f"{operation} is given {count}", "give at least 1")
    return count


def _paths(value: object, operation: str) -> list[str]:
    """One path or several. Paths that are not in the closure are ignored later."""
    return [value] if isinstance(value, str) else strings(value, f"what {operation} is given", _WHERE)


_OPERATIONS: dict[str, tuple[Callable[..., Operation], int]] = {
    "flatten": (_flatten, 0),
    "limit_layers": (_limit_layers, 1),
    "map": (_map, 1),
    "over": (_over, 2),
    "pipe": (_pipe, 1),
    "popularity_contest": (_popularity_contest, 0),
    "remove_paths": (_remove_paths, 1),
    "reverse": (_reverse, 0),
    "split_every": (_split_every, 1),
    "split_paths": (_split_paths, 1),
    "subcomponent_in": (_subcomponent_in, 1),
    "subcomponent_out": (_subcomponent_out, 1),
}
"""Each operation by its name, with how many arguments it takes."""
