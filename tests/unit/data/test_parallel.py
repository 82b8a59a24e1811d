"""Jobs in processes of their own: every result comes back, and every kind of failure too."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable

import pytest

from lamina.data.parallel import Crew, Task, balanced
from lamina.errors import BadInput, LaminaError

Counter = Callable[[int], None]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("sizes", [[], [5], [1, 1, 1, 1, 100], [7, 7, 7, 7, 7, 7], [0, 0, 0]])
def test_groups_hold_every_job_once(sizes: list[int], workers: int) -> None:
    groups = balanced(sizes, workers)
    assert sorted(job for group in groups for job in group) == list(range(len(sizes)))
    assert len(groups) <= workers and all(groups)


def test_the_largest_job_has_a_worker_to_itself() -> None:
    assert balanced([1, 1, 100, 1], 2) == [[2], [0, 1, 3]]


def test_every_result_comes_back_from_another_process() -> None:
    def work(job: int, given: int, count: Counter) -> tuple[int, int]:
        count(job)
        return job * given, os.getpid()

    counted: list[int] = []
    with Crew({"multiply": work}, [[0, 3], [1], [2]]) as crew:
        results = crew.do("multiply", {job: job for job in range(4)}, counted.append)
    assert {job: value for job, (value, _) in results.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
    assert os.getpid() not in {process for _, process in results.values()}
    assert sum(counted) == 6


def test_a_job_finds_what_it_kept_in_the_round_before() -> None:
    kept: dict[int, int] = {}

    def keep(job: int, given: int, _: Counter) -> int:
        kept[job] = given
        return os.getpid()

    with Crew({"keep": keep, "kept": lambda job, _, __: (kept.get(job), os.getpid())}, [[0], [1]]) as crew:
        where = crew.do("keep", {0: 5, 1: 6}, lambda _: None)
        results = crew.do("kept", {0: None, 1: None}, lambda _: None)
    for job, (value, process) in results.items():
        assert value == (5 + job if process == where[job] else None)
    assert not kept, "memory is not shared"


def test_no_worker_is_idle_while_another_has_jobs_left() -> None:
    """The first of two groups is slow: the other worker takes what waits there."""

    others_done = multiprocessing.get_context("fork").Event()

    def work(job: int, _: object, __: Counter) -> int:
        if job == 4:  # the last that is taken away from the first group
            others_done.set()
        assert job or others_done.wait(30)
        return os.getpid()

    with Crew({"work": work}, [[0, 4, 3, 2], [1]]) as crew:
        workers = crew.do("work", dict.fromkeys(range(5)), lambda _: None)
    assert {workers[job] for job in (1, 2, 3, 4)} == {workers[1]} != {workers[0]}


def test_one_group_is_done_here() -> None:
    with Crew({"where": lambda *_: os.getpid()}, [[0, 1]]) as crew:
        assert crew.do("where", {0: None, 1: None}, lambda _: None) == {0: os.getpid(), 1: os.getpid()}


def test_only_jobs_that_something_is_given_for_are_done() -> None:
    for groups in ([[0, 1, 2]], [[0, 1], [2]]):
        with Crew({"same": lambda job, given, _: (job, given)}, groups) as crew:
            assert crew.do("same", {2: "x"}, lambda _: None) == {2: (2, "x")}
            assert crew.do("same", {}, lambda _: None) == {}


@pytest.mark.parametrize("error", [BadInput("f.tar", "is cut\nshort", "pull it again"), LaminaError("disk", "full")])
def test_an_error_is_raised_as_it_was(error: LaminaError) -> None:
    def work(job: int, _: object, __: Counter) -> int:
        if job == 1:
            raise error
        return job

    with pytest.raises(type(error)) as caught:
        run(work)
    assert str(caught.value) == str(error)
    assert caught.value.exit_status == error.exit_status


def test_an_error_of_the_system_is_one_line() -> None:
    def work(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with pytest.raises((LaminaError, OSError), match="No space left on device"):
        run(work)


def test_a_worker_that_was_killed_is_an_error() -> None:
    def work(job: int, _: object, __: Counter) -> int:
        if job == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    with pytest.raises(LaminaError, match="was killed"):
        run(work)


def run(work: Task) -> None:
    """Two jobs, in two processes."""
    with Crew({"work": work}, [[0], [1]]) as crew:
        crew.do("work", {0: None, 1: None}, lambda _: None)
