"""The cases: what Lamina does, and beside it the floor, which is what cannot be left out.

The floors are GNU tar over the same files, into `openssl dgst -sha256`, `cat` or `zstd -1 -T0`; for starting it is
Python itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import evolve, frozen

from bench.measure import Command, Series, Setting, in_turn, peak_memory

Kind = Literal["ratio", "above", "faster"]
"""What counts of two commands: the one over the other, what the one takes more, or how often the one fits the other."""


@frozen
class Goal:
    """Which two commands of a case are compared, and what is to come out: at most `limit`, or for "faster" at least.

    None: it is only shown.
    """

    ours: str
    beside: str
    kind: Kind
    limit: float | None = None


@frozen
class Case:
    """Commands by what they do; of those in `weighed` the memory is measured too.

    `cold`: the digests that are remembered are forgotten before each command. `warm`: rounds that do not count.
    `most`: the goal for the memory.
    """

    name: str
    commands: Mapping[str, Command]
    goals: tuple[Goal, ...]
    cold: bool = True
    weighed: tuple[str, ...] = ()
    warm: int = 1
    most: int | None = 100_000_000


@frozen
class Row:
    """One comparison, measured."""

    title: str
    ours: Series
    goal: Goal
    beside: Series

    @property
    def figure(self) -> float:
        if self.goal.kind == "above":
            return self.ours.median - self.beside.median
        if self.goal.kind == "faster":
            return self.beside.median / self.ours.median
        return self.ours.median / self.beside.median

    @property
    def met(self) -> bool | None:
        if self.goal.limit is None:
            return None
        return self.figure >= self.goal.limit if self.goal.kind == "faster" else self.figure <= self.goal.limit


@frozen
class Amount:
    """Bytes of memory, or that were sent."""

    title: str
    bytes: int
    limit: int | None = None

    @property
    def met(self) -> bool | None:
        return None if self.limit is None else self.bytes <= self.limit


TAR = "tar -cf - --sort=name -P -T {paths}"
HASHED = "GNU tar into openssl dgst -sha256"
BUILD = "archive in a file"
UNSYNCED = "archive in a file, not waiting for the disk"
DIGESTS = "digests only"
PIPED = "into a pipe, digests known"
ZSTD = "archive with zstd"
SINGLE = "one layer, archive in a file"
SINGLE_UNSYNCED = "one layer, archive in a file, not waiting for the disk"

lamina_build = Command("{lamina} build {recipe} -o {out}")
unsynced_build = Command("{steps} build {recipe} {out}")
hashed_tar = Command(TAR + " | openssl dgst -sha256")

ARCHIVE = Case(
    "archive",
    {
        BUILD: lamina_build,
        UNSYNCED: unsynced_build,
        HASHED: hashed_tar,
        "GNU tar to a file": Command("tar -cf {out} --sort=name -P -T {paths}"),
        "GNU tar to a file, synced": Command("tar -cf {out} --sort=name -P -T {paths}; sync -d {out}"),
        "cp of the result": Command("cp --reflink=never {result} {out}"),
        "cp of the result, synced": Command("cp --reflink=never {result} {out}; sync -d {out}"),
    },
    (
        Goal(BUILD, HASHED, "ratio", 1.0),
        Goal(BUILD, "GNU tar to a file, synced", "ratio"),
        Goal(BUILD, "cp of the result, synced", "ratio"),
        Goal(UNSYNCED, HASHED, "ratio"),
        Goal(UNSYNCED, "GNU tar to a file", "ratio"),
        Goal(UNSYNCED, "cp of the result", "ratio"),
    ),
    weighed=(BUILD,),
)

OF_LARGE = (
    ARCHIVE,
    Case(
        "digests",
        {DIGESTS: Command("{steps} digests {recipe}"), HASHED: hashed_tar},
        (Goal(DIGESTS, HASHED, "ratio", 0.85),),
        weighed=(DIGESTS,),
    ),
    Case(
        "pipe",
        {
            PIPED: Command("{lamina} build {recipe} -o - | cat"),
            "GNU tar into cat": Command(TAR + " | cat"),
        },
        (Goal(PIPED, "GNU tar into cat", "ratio", 1.0),),
        cold=False,
        weighed=(PIPED,),
    ),
    Case(
        "zstd",
        {
            ZSTD: Command("{lamina} build {recipe} -o {out} --compressor zstd"),
            "GNU tar into zstd -1 -T0": Command(TAR + " | zstd -1 -T0"),
            "GNU tar into zstd -3 -T0, its usual level": Command(TAR + " | zstd -3 -T0"),
        },
        (
            Goal(ZSTD, "GNU tar into zstd -1 -T0", "ratio", 1.3),
            Goal(ZSTD, "GNU tar into zstd -3 -T0, its usual level", "ratio"),
        ),
        weighed=(ZSTD,),
    ),
    Case(
        "workers",
        {
            "archive by two processors, not waiting for the disk": Command(f"taskset -c 0,1 {unsynced_build.text}"),
            "by one, not waiting for the disk": Command(f"taskset -c 0 {unsynced_build.text}"),
            "archive by two processors": Command(f"taskset -c 0,1 {lamina_build.text}"),
            "by one, the disk's work done by the other": Command(f"taskset -c 0 {lamina_build.text}"),
            "digests by two processors": Command("taskset -c 0,1 {steps} digests {recipe}"),
            "digests by one": Command("taskset -c 0 {steps} digests {recipe}"),
        },
        (
            Goal(
                "archive by two processors, not waiting for the disk", "by one, not waiting for the disk", "faster", 1.7
            ),
            Goal("archive by two processors", "by one, the disk's work done by the other", "faster"),
            Goal("digests by two processors", "digests by one", "faster"),
        ),
    ),
)
"""With the large closure."""

START = Case(
    "start",
    {
        "lamina --version": Command("{lamina} --version", direct=True),
        "recipe of hello": Command("{lamina} recipe -o {out}", direct=True),
        'python3 -c "import json, os"': Command("{python} -c 'import json, os'", direct=True),
    },
    (
        Goal("lamina --version", 'python3 -c "import json, os"', "ratio", 1.5),
        Goal("recipe of hello", 'python3 -c "import json, os"', "ratio", 2.5),
    ),
    weighed=("recipe of hello",),
)
"""As derivations run it. `{python}` is the interpreter of the package, with its flags."""

OF_SINGLE = Case(
    "single",
    {
        SINGLE: lamina_build,
        SINGLE_UNSYNCED: unsynced_build,
        "100 layers, archive in a file": Command("{lamina} build {layered} -o {out}"),
        HASHED: hashed_tar,
        "one layer, digests only": Command("{steps} digests {recipe}"),
        "one layer by two processors, not waiting for the disk": Command(f"taskset -c 0,1 {unsynced_build.text}"),
        "one layer by one, not waiting for the disk": Command(f"taskset -c 0 {unsynced_build.text}"),
    },
    (
        Goal(SINGLE, HASHED, "ratio", 1.0),
        Goal(SINGLE_UNSYNCED, HASHED, "ratio"),
        Goal(SINGLE, "100 layers, archive in a file", "ratio"),
        Goal("one layer, digests only", HASHED, "ratio"),
        Goal(
            "one layer by two processors, not waiting for the disk",
            "one layer by one, not waiting for the disk",
            "faster",
            1.7,
        ),
    ),
    weighed=(SINGLE, "one layer, digests only"),
)
"""With `buildImage`'s image of the large closure: all store paths in one layer. `{layered}` has the same in many."""

OF_ANY = Case(
    "closures",
    {BUILD: lamina_build, DIGESTS: Command("{steps} digests {recipe}"), HASHED: hashed_tar},
    (Goal(BUILD, HASHED, "ratio"), Goal(DIGESTS, HASHED, "ratio")),
    weighed=(BUILD,),
    most=None,
)
"""With each closure, so that it is seen where many files or many paths cost more than bytes."""

CLOSURE_GOALS: Mapping[str, Mapping[str, float]] = {
    "small": {BUILD: 1.5},
    "files": {BUILD: 1.0, DIGESTS: 0.9},
    "paths": {BUILD: 2.0},
}
"""Goals for the ratios of OF_ANY, by closure."""


def of_closure(name: str) -> Case:
    """OF_ANY with the goals for this closure."""
    limits = CLOSURE_GOALS.get(name, {})
    return evolve(OF_ANY, goals=tuple(evolve(goal, limit=limits.get(goal.ours)) for goal in OF_ANY.goals))


QUICK = (ARCHIVE, *OF_LARGE[1:4], START)


def untold(case: Case) -> Case:
    """The case without its goals, which are those for the large closure."""
    return evolve(case, goals=tuple(evolve(goal, limit=None) for goal in case.goals), most=None)


def measure(case: Case, setting: Setting, times: int, title: str = "") -> tuple[list[Row], list[Amount]]:
    """The comparisons of the case, and the memory that it takes. `title` is put before what is compared."""
    found = in_turn(case.commands, setting, times, case.cold, case.warm)
    rows = [Row(title + goal.ours, found[goal.ours], goal, found[goal.beside]) for goal in case.goals]
    amounts = [
        Amount(f"{title}{name}", peak_memory(case.commands[name], setting, times + 1, case.cold), case.most)
        for name in case.weighed
    ]
    return rows, amounts
