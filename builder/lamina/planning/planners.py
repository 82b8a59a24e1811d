"""The two planners, which group store paths into layers and sort the layers, and the closure that they work on.

The hash of a path depends on the hashes of everything that it refers to. So a path changes whenever anything in its
closure changes: the larger the closure, the more often. Nothing else is assumed about changes. Decisions depend on
names, sizes and references, never on hashes, which are new with every change; and only on integers and on divisions,
which give the same result on every machine. `docs/design/planning.md` has the measurements for every number here.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from lamina.errors import BadInput
from lamina.limits import LOOKS
from lamina.store.closure import PathInfo

Group = list[int]
"""The paths of a layer, by their numbers in a Closure."""

TINY = 256 << 10
"""Bytes. A path of at most this size that only a root refers to is a wrapper or a configuration file."""

TOP_REASON = "top: changes with every deploy"

STABLE, PICKED, OWN, TOP = range(4)
"""How close a path is to the user's own work, and so how high its layer is: see `heights`."""


@attrs.frozen(eq=False)
class Closure:
    """Store paths with numbers, in an order that does not depend on their hashes.

    `users[i]` are the paths that refer to path i. `closures[i]` is the closure of path i, including itself, as the
    bits of an integer.
    """

    infos: Sequence[PathInfo]
    users: Sequence[Sequence[int]]
    closures: Sequence[int]

    def size(self, group: Iterable[int]) -> int:
        """The size of the paths, in bytes of NAR."""
        return sum(self.infos[i].nar_size for i in group)

    def reach(self, group: Iterable[int]) -> int:
        """The union of the paths' closures."""
        result = 0
        for i in group:
            result |= self.closures[i]
        return result


def index(infos: Iterable[PathInfo]) -> Closure:
    """The closure of these paths; references to other paths are ignored. Raises BadInput: circular references."""
    by_path = {info.path: info for info in infos}
    references = {path: sorted({r for r in info.references if r in by_path} - {path}) for path, info in by_path.items()}
    users: dict[str, list[str]] = {path: [] for path in by_path}
    for path, targets in references.items():
        for target in targets:
            users[target].append(path)
    order = _by_looks(by_path, references, users)
    number = {path: i for i, path in enumerate(order)}
    closures = _closures([[number[r] for r in references[path]] for path in order], order)
    return Closure([by_path[path] for path in order], [sorted(number[u] for u in users[p]) for p in order], closures)


_Links = Mapping[str, Sequence[str]]


def _by_looks(infos: Mapping[str, PathInfo], references: _Links, users: _Links) -> list[str]:
    """The paths sorted by name and size. Equal ones are sorted by the names and sizes of the paths around them.

    Only paths whose surroundings are equal up to a distance of LOOKS references are sorted by their hashes.
    """
    looks = _ranks({path: (info.name, info.nar_size) for path, info in infos.items()})
    kinds = len(set(looks.values()))
    for _ in range(LOOKS):
        if kinds == len(looks):
            break
        around = {p: (_looks(looks, references[p]), _looks(looks, users[p])) for p in looks}
        looks = _ranks({path: (look, *around[path]) for path, look in looks.items()})
        before, kinds = kinds, len(set(looks.values()))
        if kinds == before:
            break
    return sorted(looks, key=lambda path: (looks[path], path))


def _looks(looks: Mapping[str, int], paths: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted(looks[path] for path in paths))


def _ranks(values: Mapping[str, tuple[Any, ...]]) -> dict[str, int]:
    """For each path the rank of its value among the distinct values."""
    rank = {value: number for number, value in enumerate(sorted(set(values.values())))}
    return {path: rank[value] for path, value in values.items()}


def _closures(references: Sequence[Sequence[int]], paths: Sequence[str]) -> list[int]:
    """For each path its closure, as the bits of an integer. Raises BadInput: circular references."""
    users: list[list[int]] = [[] for _ in references]
    open_references = [len(targets) for targets in references]
    for i, targets in enumerate(references):
        for target in targets:
            users[target].append(i)
    ready = [i for i, count in enumerate(open_references) if not count]
    closures = [0] * len(references)
    for i in ready:  # the list grows in this loop
        closures[i] = 1 << i
        for target in references[i]:
            closures[i] |= closures[target]
        for user in users[i]:
            open_references[user] -= 1
            if not open_references[user]:
                ready.append(user)
    if len(ready) < len(references):
        path = next(path for path, count in zip(paths, open_references, strict=True) if count)
        raise BadInput(path, "its references form a circle, or lead to one", "the closure graph is damaged")
    return closures


def heights(closure: Closure, volatile: Collection[str]) -> list[int]:
    """For each path, how close it is to what changes with every deployment. A root is a path that no other refers to.

    TOP     A volatile path, or one that refers to a volatile path. If there are no volatile paths: the root, if there
            is only one. Also tiny paths that only one path refers to, if that is one of these or a root.
    OWN     If there are no volatile paths: each of several roots, and a path that only a root refers to and whose
            closure is most of the image, such as an application below its wrapper.
    PICKED  Other paths that only one of the above refers to: a user's choice, or a part of the user's work.
    STABLE  All other paths.
    """
    named = sum(1 << i for i, info in enumerate(closure.infos) if info.path in volatile)
    if named:
        high = top = {i for i, reached in enumerate(closure.closures) if reached & named}
    else:
        high = {i for i, users in enumerate(closure.users) if not users}
        top = high if len(high) == 1 else set()
    result = []
    for i, users in enumerate(closure.users):
        height = STABLE
        if i in high:
            height = TOP if i in top else OWN
        elif len(users) == 1 and users[0] in high:
            reaches_most = 10 * closure.closures[i].bit_count() >= 7 * len(closure.infos)
            height = OWN if reaches_most and not named else PICKED
            if closure.infos[i].nar_size <= TINY:
                height = TOP
        result.append(height)
    return result


def bands(closure: Closure, height: Sequence[int], limit: int) -> list[tuple[Group, str]]:
    """Groups with reasons: large paths alone, small paths with others that change as often, the user's own on top.

    Layers stay the same without a history: whether a path is large, and in which band it is, depends on its size and
    on its closure, and these cannot change without a change of its hash.
    """
    alone, small = split_large(closure, height, limit)
    top = top_layer(height, small)
    others = [i for i in small if height[i] != OWN]
    groups = [([i], "alone: large") for i in alone] + _banded(closure, others, limit - len(alone) - bool(top))
    return groups + ([(top, TOP_REASON)] if top else [])


def top_layer(height: Sequence[int], small: Group) -> Group:
    """The paths of the top layer: those with height TOP, and small ones with height OWN."""
    return [i for i, level in enumerate(height) if level == TOP] + [i for i in small if height[i] == OWN]


def split_large(closure: Closure, height: Sequence[int], limit: int) -> tuple[Group, Group]:
    """The paths below the top layer: large ones, which get layers of their own if there are `limit` layers; the others.

    A sixth of the layers remains for the others: with fewer, small paths change too much; with more, too many large
    paths share a layer. Sizes are compared in eighths of a power of two, so that the limit rarely moves when a size
    changes a little, or when a path is added or removed.
    """
    room = max(0, limit - 1 - max(1, limit // 6))
    size = {i: (info.nar_size**8).bit_length() for i, info in enumerate(closure.infos) if height[i] != TOP}
    falling = sorted(size.values(), reverse=True)
    border = falling[room] + 1 if room < len(falling) else 0
    return [i for i in size if size[i] >= border], [i for i in size if size[i] < border]


def _banded(closure: Closure, small: Group, room: int) -> list[tuple[Group, str]]:
    """The small paths in at most `room` groups.

    A third of the groups is for the smallest paths, which together have 0.3 of the bytes: most paths are among them.
    They would make the layers of the other paths change often, although they are only a small part of the bytes.
    """
    if room < 2:
        return [(small, "the rest: all that has no layer of its own")] if small else []
    size = {i: closure.infos[i].nar_size for i in small}
    weight = sum(size.values())
    border = 1
    while weight and 10 * sum(each for each in size.values() if each < 2 * border) <= 3 * weight:
        border *= 2
    smallest = [i for i in small if size[i] < border]
    least = _by_closure(closure, smallest, max(1, room // 3), "smallest paths")
    others = [i for i in small if size[i] >= border]
    return least + _by_closure(closure, others, room - len(least), "small paths")


def _by_closure(closure: Closure, paths: Group, room: int, kind: str) -> list[tuple[Group, str]]:
    """The paths in at most `room` bands of similar closure size.

    A band is a twelfth of a power of two wide; the width is doubled until there are few enough bands. So when a path is
    added or removed, the other paths usually stay in their bands.
    """
    length = {i: (closure.closures[i].bit_count() ** 12).bit_length() - 1 for i in paths}
    lengths = set(length.values())
    width = 1
    while len({each // width for each in lengths}) > room:
        width *= 2
    members: dict[int, Group] = defaultdict(list)
    for i in paths:
        members[length[i] // width].append(i)
    return [(members[band], _reason(closure, members[band], kind)) for band in sorted(members)]


def _reason(closure: Closure, group: Group, kind: str) -> str:
    counts = [closure.closures[i].bit_count() for i in group]
    span = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return f"band: {kind} with closures of {span}"


SHARE = 0.15
"""The probability that another image needs only a part of a layer."""

HALF = 50
"""A layer that depends on this many paths changes with every second update."""


@attrs.frozen(eq=False)
class _Cluster:
    """Paths that share a layer. `chance` is that an update changes the layer, `alone` the cost of the first join."""

    group: Group
    size: int
    reach: int
    chance: float
    alone: float

    @classmethod
    def of(cls, closure: Closure, group: Group) -> _Cluster:
        size, reach = closure.size(group), closure.reach(group)
        return cls(group, size, reach, _chance(reach), SHARE * size if len(group) == 1 else 0.0)

    def least(self, other: _Cluster) -> float:
        """A lower bound of `cost` that is quick to compute: a joined layer changes at least as often as either part."""
        rise = other.chance - self.chance
        return (self.size * rise if rise > 0 else -other.size * rise) + self.alone + other.alone

    def cost(self, other: _Cluster) -> float:
        """The number of additional bytes that an average update sends if the two share a layer."""
        chance = _chance(self.reach | other.reach)
        rise = self.size * (chance - self.chance) + other.size * (chance - other.chance)
        return rise + self.alone + other.alone


def _chance(reach: int) -> float:
    count = reach.bit_count()
    return count / (count + HALF)


def join_groups(closure: Closure, groups: Sequence[Group], room: int) -> list[Group]:
    """Join the two groups that cost least to join, again and again, until at most `room` groups are left.

    A heap has each cluster with its best partner among the earlier clusters. If the partner is gone when the cluster is
    taken from the heap, the best partner is searched again.
    """
    clusters = {k: _Cluster.of(closure, group) for k, group in enumerate(groups)}
    waiting: list[tuple[float, int, int]] = []
    if len(clusters) > room:
        for k in clusters:
            _push_best(clusters, k, waiting)
    number = len(clusters)
    while len(clusters) > max(1, room):
        _, later, earlier = heapq.heappop(waiting)
        if later not in clusters:
            continue
        if earlier in clusters:
            joined = sorted(clusters.pop(earlier).group + clusters.pop(later).group)
            clusters[number] = _Cluster.of(closure, joined)
            later, number = number, number + 1
        _push_best(clusters, later, waiting)
    return [cluster.group for cluster in clusters.values()]


def _push_best(clusters: Mapping[int, _Cluster], later: int, waiting: list[tuple[float, int, int]]) -> None:
    """Push the cluster `later` to the heap, with its best partner among the earlier clusters, if there are any."""
    cluster = clusters[later]
    best: tuple[float, int] | None = None
    for earlier, other in clusters.items():  # in the order of their numbers
        if earlier >= later:
            break
        if best is None or cluster.least(other) < best[0]:
            cost = cluster.cost(other)
            if best is None or cost < best[0]:
                best = (cost, earlier)
    if best:
        heapq.heappush(waiting, (best[0], later, best[1]))


def ordered(closure: Closure, height: Sequence[int], groups: Sequence[Group]) -> list[int]:
    """The numbers of the groups, bottom layer first: groups that rarely change are at the bottom.

    Always true: a group whose closure is a part of another group's closure is below that group. So a path with a layer
    of its own is below all paths with layers of their own that refer to it. Beyond that: Docker's classic store finds
    a layer only together with all layers below it, so everything above a change is sent again. Therefore a group is
    placed lower the more bytes it adds per newly required path.
    """
    reach = [closure.reach(group) for group in groups]
    size = [closure.size(group) for group in groups]
    first = [min(group) for group in groups]  # so that the order of equals does not depend on the order of `groups`
    masks = [sum(1 << i for i, level in enumerate(height) if level >= least) for least in (PICKED, OWN, TOP)]
    level = [sum(1 for mask in masks if reached & mask) for reached in reach]  # of the highest path it depends on
    result: list[int] = []
    for current in (STABLE, PICKED, OWN, TOP):
        here = [k for k in range(len(groups)) if level[k] == current]
        covered = closure.reach(i for k in result for i in groups[k])
        inside = {k: [j for j in here if reach[j] | reach[k] == reach[k]] for k in here}
        gain = {k: sum(size[j] for j in inside[k]) for k in here}
        left = set(here)
        while left:
            best = min(left, key=lambda k: (-_density(gain[k], reach[k] & ~covered), reach[k].bit_count(), first[k]))
            # Groups that need only what `best` needs come with it, the smaller closures first.
            bundle = sorted(left.intersection(inside[best]), key=lambda k: (reach[k].bit_count(), -size[k], first[k]))
            for done in bundle:
                for k in left:
                    if reach[done] | reach[k] == reach[k]:
                        gain[k] -= size[done]
            left.difference_update(bundle)
            covered |= reach[best]
            result += bundle
    return result


def _density(size: int, added: int) -> float:
    return size / added.bit_count() if added else math.inf
