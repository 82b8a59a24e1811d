"""Independent jobs in processes of their own: hashing and copying files keeps Python's own lock busy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from builder.errors import LaminaError

T = TypeVar("T")

Counter = Callable[[int], None]
"""Is told of bytes that were dealt with."""

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


def run(work: Callable[[int, Counter], T], groups: list[list[int]], progress: Counter) -> dict[int, T]:
    """What `work` returns for each job, a process for each group. Work may write to files; memory is not shared.

    An error of Lamina's in any of them is raised here; so is LaminaError when a process was killed.
    """
    import multiprocessing  # 15 ms, and small images need none
    import multiprocessing.connection

    context = multiprocessing.get_context("fork")
    ends = {}
    for group in groups:
        here, there = context.Pipe(duplex=False)
        worker = context.Process(target=_serve, args=(work, group, there), daemon=True)
        worker.start()
        there.close()
        ends[here] = worker
    results: dict[int, T] = {}
    try:
        for kind, value in _messages(multiprocessing.connection.wait, list(ends)):
            if kind == "bytes":
                progress(value)
            elif kind == "done":
                results.update([value])
            else:
                raise value
    finally:
        for worker in ends.values():
            worker.terminate()
            worker.join()
    return results


def _serve(work: Callable[[int, Counter], T], group: list[int], out: Any) -> None:
    """The life of a worker: its jobs, one after the other, and what is to be told of them."""
    pending = 0

    def count(size: int) -> None:
        nonlocal pending
        pending += size
        if pending >= _REPORT:
            out.send(("bytes", pending))
            pending = 0

    try:
        for job in group:
            out.send(("done", (job, work(job, count))))
        out.send(("bytes", pending))
        out.send(("end", None))
    except LaminaError as error:
        out.send(("error", error))
    except OSError as error:
        out.send(("error", LaminaError(error.filename or "a worker", error.strerror or str(error))))


def _messages(wait: Callable[[list[Any]], list[Any]], ends: list[Any]) -> Iterator[tuple[str, Any]]:
    """What the workers say, until all have said that they are at the end."""
    while ends:
        for end in wait(ends):
            try:
                message = end.recv()
            except EOFError:
                raise LaminaError("a worker", "was killed", "is there enough memory? run again") from None
            if message[0] == "end":
                ends.remove(end)
            else:
                yield message
