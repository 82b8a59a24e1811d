"""Jobs in processes of their own: every result comes back, and every kind of failure too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from builder.errors import BadInput, LaminaError
from builder.parallel import balanced, run

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
    def work(job: int, count: Counter) -> tuple[int, int]:
        count(job)
        return job * job, os.getpid()

    counted: list[int] = []
    results = run(work, [[0, 3], [1], [2]], counted.append)
    assert {job: value for job, (value, _) in results.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
    assert len({process for _, process in results.values()} | {os.getpid()}) == 4
    assert sum(counted) == 6


@pytest.mark.parametrize("error", [BadInput("f.tar", "is cut\nshort", "pull it again"), LaminaError("disk", "full")])
def test_an_error_is_raised_as_it_was(error: LaminaError) -> None:
    def work(job: int, _: Counter) -> int:
        if job == 1:
            raise error
        return job

    with pytest.raises(type(error)) as caught:
        run(work, [[0], [1]], lambda _: None)
    assert str(caught.value) == str(error)
    assert caught.value.exit_status == error.exit_status


def test_an_error_of_the_system_is_one_line() -> None:
    def work(_: int, __: Counter) -> int:
        raise OSError(28, "No space left on device")

    with pytest.raises((LaminaError, OSError), match="No space left on device"):
        run(work, [[0], [1]], lambda _: None)


def test_a_worker_that_was_killed_is_an_error() -> None:
    def work(job: int, _: Counter) -> int:
        if job == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    with pytest.raises(LaminaError, match="was killed"):
        run(work, [[0], [1]], lambda _: None)
