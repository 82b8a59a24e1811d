"""Independent jobs in several processes, because hashing and copying files in threads would wait for Python's lock."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from lamina.errors import LaminaError

Counter = Callable[[int], None]
"""Gets the number of bytes that were just processed."""

Task = Callable[[int, Any, Counter], Any]
"""Called with a job's number, the argument for this job, and a counter; returns the job's result."""

Order = tuple[str, int, Any]
"""A task, a job's number, and the argument."""


class Jobs(Protocol):
    """Work for the processes of a `Crew`, handed out while they work."""

    def next(self, worker: int) -> Order | None:
        """The next order for an idle worker; None if there is none for it at the moment.

        Called for each idle worker after every result and every step.
        """

    def finished(self, job: int, result: Any) -> None:
        """Called when a worker has done the job."""

    def step(self) -> bool:
        """Do a small part of this process' own work; returns False if there is none before the next result."""


_REPORT = 8 << 20
"""Bytes between two reports of a worker: often enough for a progress line, rarely enough to cost nothing."""

_WORKER = "a process of Lamina"
"""What errors call a worker."""


def processors() -> int:
    """The number of processors that this process may use. A build may be limited to some of the machine's."""
    return len(os.sched_getaffinity(0))


def balanced(sizes: Sequence[int], workers: int) -> list[list[int]]:
    """Divide jobs, given by their sizes, into at most `workers` groups of about the same size.

    Each group lists positions in `sizes`. The largest job is assigned first, always to the group with the least work.
    """
    groups: list[list[int]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for job in sorted(range(len(sizes)), key=lambda job: (-sizes[job], job)):
        least = loads.index(min(loads))
        groups[least].append(job)
        loads[least] += sizes[job]
    return [group for group in groups if group]


class Crew:
    """One process for each group of jobs, for several rounds of tasks. Use it as a context manager.

    In every round a job goes to the same process, so that a later task finds what an earlier one has kept in memory.
    The exception: if that process is busy, and another has nothing left to do, the other process gets the job. Memory
    is not shared: only results and counts come back. A single group runs in this process.
    """

    def __init__(self, tasks: Mapping[str, Task], groups: Sequence[Sequence[int]]) -> None:
        self._tasks = tasks
        self._groups = groups
        self._workers: list[Any] = []
        self._ends: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._poll = select.poll()

    def __enter__(self) -> Crew:
        if len(self._groups) > 1:
            import multiprocessing  # 15 ms, and small images need none

            context = multiprocessing.get_context("fork")
            # A worker starts with SIGINT blocked, and then ignores it: this process ends the workers.
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                for _ in self._groups:
                    own_end, worker_end = context.Pipe()
                    arguments = (self._tasks, worker_end, [*self._ends, own_end])
                    worker = context.Process(target=_serve, args=arguments, daemon=True)
                    worker.start()
                    worker_end.close()
                    self._workers.append(worker)
                    self._numbers[own_end.fileno()] = len(self._ends)
                    self._poll.register(own_end, select.POLLIN)
                    self._ends.append(own_end)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.terminate()
            worker.join()
        for end in self._ends:
            end.close()

    def do(self, task: str, arguments: Mapping[int, Any], progress: Counter) -> dict[int, Any]:
        """Run a task for each job that has an argument; returns the results by job.

        Raises the first LaminaError of any job, and LaminaError if a process was killed.
        """
        if not self._ends:
            work = self._tasks[task]
            jobs = [job for group in self._groups for job in group if job in arguments]
            return {job: work(job, arguments[job], progress) for job in jobs}
        queues = Queues(task, arguments, self._groups)
        self.run(queues, progress)
        return queues.results

    def run(self, jobs: Jobs, progress: Counter) -> None:
        """Let the processes work until no order is left. There must be several processes. Raises as `do`."""
        idle = set(range(len(self._ends)))
        while True:
            for worker in sorted(idle):
                if order := jobs.next(worker):
                    self._ends[worker].send(order)
                    idle.remove(worker)
            is_working = jobs.step()
            if len(idle) == len(self._ends) and not is_working:
                return
            for worker, (kind, value, count) in self._messages(wait=not is_working):
                progress(count)
                if kind == "error":
                    raise value
                if kind == "done":
                    jobs.finished(*value)
                    idle.add(worker)

    def _messages(self, *, wait: bool) -> Iterator[tuple[int, tuple[str, Any, int]]]:
        """The messages of the workers, each with the worker's number. Without `wait`, only those that have arrived."""
        for descriptor, _ in self._poll.poll(None if wait else 0):
            worker = self._numbers[descriptor]
            try:
                message = self._ends[worker].recv()
            except (EOFError, ConnectionError):
                raise LaminaError(
                    _WORKER, "was killed", "check that there is enough memory, and run the command again"
                ) from None
            yield worker, message


class Queues:
    """A queue for each worker: its own jobs in order, and then the last job of the worker that has the most left."""

    def __init__(self, task: str, arguments: Mapping[int, Any], groups: Sequence[Sequence[int]]) -> None:
        self._task = task
        self._arguments = arguments
        self._waiting = [[job for job in group if job in arguments] for group in groups]
        self.results: dict[int, Any] = {}

    def next(self, worker: int) -> Order | None:
        own = self._waiting[worker]
        queue = own or max(self._waiting, key=len)
        if not queue:
            return None
        job = queue.pop(0 if own else -1)
        return self._task, job, self._arguments[job]

    def finished(self, job: int, result: Any) -> None:
        self.results[job] = result

    def step(self) -> bool:
        return False


def _serve(tasks: Mapping[str, Task], end: Any, others: Sequence[Any]) -> None:
    """The main loop of a worker: run one job after the other, and report each result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # collections would take a quarter of the time of finding files, and there are no cycles to find
    pending = 0

    def count(size: int) -> None:
        nonlocal pending
        pending += size
        if pending >= _REPORT:
            report("bytes", None)

    def report(kind: str, value: object) -> None:
        nonlocal pending
        end.send((kind, value, pending))
        pending = 0

    for other in others:
        other.close()  # otherwise this process would not notice the end of the main process
    with contextlib.suppress(EOFError):
        while order := end.recv():
            task, job, argument = order
            try:
                report("done", (job, tasks[task](job, argument, count)))
            except LaminaError as error:
                report("error", error)
            except OSError as error:
                report("error", LaminaError(error.filename or _WORKER, error.strerror or str(error)))
