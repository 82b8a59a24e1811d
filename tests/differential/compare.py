"""Comparing what the readers make of a case with what we make of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from tests.differential.cases import Case
from tests.differential.ours import Ours, ours
from tests.differential.outcome import Outcome, Read, Refused
from tests.differential.packing import Packing
from tests.differential.readers import Reader
from tests.differential.reasons import Reason, Severity, reason_for


@attrs.frozen
class Disagreement:
    """A reader and ours do not agree about a case. Without a reason it is a fault."""

    severity: Severity
    reader: str
    case: Case
    said: str
    reason: Reason | None

    def __str__(self) -> str:
        return f"{self.severity}: {self.reader}: {self.case}\n    {self.said}"


@attrs.frozen
class Tried:
    """A case, the readers that were asked, and where they did not agree."""

    case: Case
    readers: tuple[str, ...]
    disagreements: tuple[Disagreement, ...]


def compared(cases: Sequence[Case], readers: Mapping[str, Reader]) -> Iterator[Tried]:
    """Give all cases to all readers, which work side by side, each on one case at a time."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(len(readers)) as pool:
        packings = [case.packing() for case in cases]
        paths = [Path(directory) / f"{number}.tar" for number in range(len(cases))]
        for path, packing in zip(paths, packings, strict=True):
            path.write_bytes(packing.data())
        answers = {name: pool.submit(_answers, reader, packings, paths) for name, reader in readers.items()}
        mine = [ours(path) for path in paths]
        for number, case in enumerate(cases):
            given = {name: answer for name in readers if (answer := answers[name].result()[number])}
            found = [
                _judged(case, name, readers[name].sides(packings[number]), given[name], mine[number]) for name in given
            ]
            yield Tried(case, tuple(given), tuple(filter(None, found)))


def _answers(reader: Reader, packings: Sequence[Packing], paths: Sequence[Path]) -> list[Outcome | None]:
    return [_answer(reader, packing, path) for packing, path in zip(packings, paths, strict=True)]


def _answer(reader: Reader, packing: Packing, path: Path) -> Outcome | None:
    """None for an archive without a side that the reader reads."""
    if all(packing.find(side) is None for side in reader.sides(packing)):
        return None
    try:
        return reader.read(packing, path)
    except Exception as error:  # one answer that cannot be understood must not end a long run
        return Refused(f"its answer was not understood: {error!r}")


def _judged(case: Case, name: str, sides: Sequence[str], theirs: Outcome, mine: Ours) -> Disagreement | None:
    """podman takes the second side of an archive where it cannot read the first, so either may be what it read."""
    own = [mine.sides[side] for side in sides]
    if isinstance(theirs, Read):
        read = [each for each in own if isinstance(each, Read)]
        if any(each.agrees(theirs) for each in read):
            return _built(case, name, sides, mine)
        if read:
            said = f"they see {theirs}\n    we see {read[0]}\n    verify: {mine.problems}"
            return Disagreement(
                "differs", name, case, said, reason_for("differs", name, said, mine.problems, case.kinds)
            )
        said = next(each.message for each in own if isinstance(each, Refused))
        return Disagreement(
            "we refuse", name, case, said, reason_for("we refuse", name, said, mine.problems, case.kinds)
        )
    if not any(isinstance(each, Read) for each in own):
        return None
    sound = "sound" if not mine.problems else f"verify: {mine.problems}"
    said = f"{theirs.message}\n    {sound}"
    return Disagreement(
        "they refuse", name, case, said, reason_for("they refuse", name, said, mine.problems, case.kinds)
    )


def _built(case: Case, name: str, sides: Sequence[str], mine: Ours) -> Disagreement | None:
    """They read it, and so do we; one can build on it, too, unless there is a reason."""
    if isinstance(mine.base, Read) or mine.taken not in sides:
        return None
    said = f"building on it: {mine.base.message}"
    return Disagreement("we refuse", name, case, said, reason_for("we refuse", name, said, mine.problems, case.kinds))
