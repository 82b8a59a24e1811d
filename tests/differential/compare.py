"""Comparing what the readers make of a case with what we make of it."""

from __future__ import annotations

import queue
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
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
    """A case that a reader was given: whether it read it, whether we did, and where they do not agree."""

    case: Case
    reader: str
    they_read: bool
    we_read: bool
    disagreement: Disagreement | None


Results = queue.SimpleQueue[Tried | Exception | None]


@attrs.frozen
class _Source:
    """The cases for one reader, which its daemons share; `left` is how many more it may have."""

    cases: Iterator[Case]
    left: Iterator[object]
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def next(self, reader: Reader) -> tuple[Case, Packing] | None:
        """The next case with a side that the reader reads."""
        with self.lock:
            for case in self.cases:
                packing = case.packing()
                if any(packing.find(side) is not None for side in reader.sides(packing)):
                    return (case, packing) if next(self.left, None) is not None else None
            return None


@attrs.frozen
class _Ours:
    """What we make of each case, found out once for all readers. The slowest reader may be this many cases behind."""

    most: int = 20_000
    known: dict[Case, Ours] = attrs.field(factory=dict)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def of(self, case: Case, path: Path) -> Ours:
        with self.lock:
            if case not in self.known:
                if len(self.known) >= self.most:
                    del self.known[next(iter(self.known))]
                self.known[case] = ours(path)
            return self.known[case]


def compared(
    cases: Callable[[], Iterator[Case]], readers: Mapping[str, Sequence[Reader]], most: int = sys.maxsize
) -> Generator[Tried, None, None]:
    """Give the cases to all readers, each at its own speed and at most `most` of those that it can read.

    A reader may be several daemons, which share its cases. An error of a daemon that is no answer ends the comparison.
    """
    results: Results = queue.SimpleQueue()
    ended = threading.Event()
    we = _Ours()
    lanes = [
        (name, source, each)
        for name in readers
        for source in [_Source(cases(), iter(range(most)))]
        for each in readers[name]
    ]
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(len(lanes)) as pool:
        for number, lane in enumerate(lanes):
            pool.submit(_work, *lane, we, Path(directory) / f"{number}.tar", results, ended)
        try:
            for _ in lanes:
                yield from _until_end(results)
        finally:
            ended.set()


def _until_end(results: Results) -> Iterator[Tried]:
    """What arrives until one of the readers has no more cases."""
    while (result := results.get()) is not None:
        if isinstance(result, Exception):
            raise result
        yield result


def _work(
    name: str, source: _Source, reader: Reader, we: _Ours, path: Path, results: Results, ended: threading.Event
) -> None:
    try:
        while not ended.is_set() and (item := source.next(reader)):
            case, packing = item
            path.write_bytes(packing.data())
            theirs = _read(reader, packing, path)
            results.put(_tried(case, name, reader.sides(packing), theirs, we.of(case, path)))
        results.put(None)
    except Exception as error:
        results.put(error)


def _read(reader: Reader, packing: Packing, path: Path) -> Outcome:
    try:
        return reader.read(packing, path)
    except (ConnectionRefusedError, FileNotFoundError):
        raise  # the daemon is gone
    except Exception as error:  # one answer that cannot be understood must not end a long run
        return Refused(f"its answer was not understood: {error!r}")


def _tried(case: Case, name: str, sides: Sequence[str], theirs: Outcome, mine: Ours) -> Tried:
    we_read = any(isinstance(mine.sides[side], Read) for side in sides)
    return Tried(case, name, isinstance(theirs, Read), we_read, _judged(case, name, sides, theirs, mine))


def _judged(case: Case, name: str, sides: Sequence[str], theirs: Outcome, mine: Ours) -> Disagreement | None:
    """podman takes the second side of an archive where it cannot read the first, so either may be what it read."""
    own = [mine.sides[side] for side in sides]
    read = [each for each in own if isinstance(each, Read)]
    if isinstance(theirs, Refused):
        return _disagreement("they refuse", case, name, theirs.message, mine) if read else None
    if any(each.agrees(theirs) for each in read):
        return _built(case, name, sides, mine)
    if read:
        return _disagreement("differs", case, name, f"they see {theirs}\n    we see {read[0]}", mine)
    error = next(each.message for each in own if isinstance(each, Refused))
    return _disagreement("we refuse", case, name, error, mine)


def _disagreement(severity: Severity, case: Case, name: str, said: str, mine: Ours) -> Disagreement:
    """`said` is what the reason is looked for in; `verify` is shown beside it."""
    reason = reason_for(severity, name, said, mine.problems, case)
    return Disagreement(severity, name, case, f"{said}\n    verify: {mine.problems or 'sound'}", reason)


def _built(case: Case, name: str, sides: Sequence[str], mine: Ours) -> Disagreement | None:
    """They read it, and so do we; one can build on it, too, unless there is a reason."""
    if isinstance(mine.base, Read) or mine.taken not in sides:
        return None
    return _disagreement("we refuse", case, name, f"building on it: {mine.base.message}", mine)
