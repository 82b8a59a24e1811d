"""Independent jobs in processes of their own: hashing and copying files keeps Python's own lock busy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from lamina.errors import LaminaError

Counter = Callable[[int], None]
"""Is told of bytes that were dealt with."""

Task = Callable[[int, Any, Counter], Any]
"""What is done for a job, by its number, with what this round gives for it."""

_REPORT = 8 << 20
"""Bytes between two reports of a worker: often enough for a progress line, seldom enough to cost nothing."""


def processors() -> int:
    """How many there are for this process: fewer than the machine has, where a build is limited."""
    return len(os.sched_getaffinity(0))


def balanced(sizes: Sequence[int], workers: int) -> list[list[int]]:
    """The jobs, by position, in at most `workers` groups of about equal size: the largest first, to the least busy."""
    groups: list[list[int]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for job in sorted(range(len(sizes)), key=lambda job: (-sizes[job], job)):
        least = loads.index(min(loads))
        groups[least].append(job)
        loads[least] += sizes[job]
    return [group for group in groups if group]


class Crew:
    """Processes, one for each group of jobs, for several rounds of tasks: use it as a context.

    A job comes back to the process that had it before, so that a later task finds what an earlier one has kept;
    unless that is busy when another has nothing left to do. Memory is not shared: only results and counts come back.
    One group alone is done in this process.
    """

    def __init__(self, tasks: Mapping[str, Task], groups: Sequence[Sequence[int]]) -> None:
        self._tasks = tasks
        self._groups = groups
        self._workers: list[Any] = []
        self._ends: list[Any] = []

    def __enter__(self) -> Crew:
        if len(self._groups) > 1:
            import multiprocessing  # 15 ms, and small images need none

            context = multiprocessing.get_context("fork")
            for _ in self._groups:
                here, there = context.Pipe()
                worker = context.Process(target=_serve, args=(self._tasks, there, [*self._ends, here]), daemon=True)
                worker.start()
                there.close()
                self._workers.append(worker)
                self._ends.append(here)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.terminate()
            worker.join()
        for end in self._ends:
            end.close()

    def do(self, task: str, given: Mapping[int, Any], progress: Counter) -> dict[int, Any]:
        """What the task returns for each job that something is given for.

        An error of Lamina's in any of them is raised here; so is LaminaError when a process was killed.
        """
        if not self._ends:
            work = self._tasks[task]
            return {job: work(job, given[job], progress) for group in self._groups for job in group if job in given}
        waiting = [[job for job in group if job in given] for group in self._groups]
        results: dict[int, Any] = {}
        busy = {end: number for number, end in enumerate(self._ends) if self._next(number, task, given, waiting)}
        while busy:
            for end, (kind, value, count) in _messages(busy):
                progress(count)
                if kind == "error":
                    raise value
                if kind == "done":
                    results.update([value])
                    if not self._next(busy[end], task, given, waiting):
                        del busy[end]
        return results

    def _next(self, number: int, task: str, given: Mapping[int, Any], waiting: list[list[int]]) -> bool:
        """Give a worker the next of its own jobs, else the last of whoever has most; False when none is left."""
        own = waiting[number]
        queue = own or max(waiting, key=len)
        if not queue:
            return False
        job = queue.pop(0 if own else -1)
        self._ends[number].send((task, job, given[job]))
        return True


def _serve(tasks: Mapping[str, Task], end: Any, others: Sequence[Any]) -> None:
    """The life of a worker: one job after the other, and what is to be told of each."""
    pending = 0

    def count(size: int) -> None:
        nonlocal pending
        pending += size
        if pending >= _REPORT:
            tell("bytes", None)

    def tell(kind: str, value: object) -> None:
        nonlocal pending
        end.send((kind, value, pending))
        pending = 0

    for other in others:
        other.close()  # else this process would not see that the first one is gone
    with contextlib.suppress(EOFError):
        while order := end.recv():
            task, job, given = order
            try:
                tell("done", (job, tasks[task](job, given, count)))
            except LaminaError as error:
                tell("error", error)
            except OSError as error:
                tell("error", LaminaError(error.filename or "a worker", error.strerror or str(error)))


def _messages(ends: Iterable[Any]) -> Iterator[tuple[Any, tuple[str, Any, int]]]:
    """What the workers at the ends say, and who."""
    from multiprocessing.connection import wait

    ready: list[Any] = wait(list(ends))
    for end in ready:
        try:
            message = end.recv()
        except (EOFError, ConnectionError):
            raise LaminaError("a worker", "was killed", "is there enough memory? run again") from None
        yield end, message
