"""Unusual images are read as docker, podman and Skopeo read them, or there is a reason on docs/generated/readers.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.differential.cases import CHANGES, Case, Change, drawn
from tests.differential.compare import compared
from tests.differential.ours import ours
from tests.differential.outcome import Image, Read, Refused
from tests.differential.page import PAGE, page
from tests.differential.readers import DAEMONS, Reader, reader, skopeos
from tests.differential.reasons import REASONS, reason_for
from tests.support.consumers.base import scratch
from tests.support.needs import need

COUNT = 25


def without_reason(readers: dict[str, Reader]) -> list[str]:
    """The disagreements of the first cases that nobody has explained."""
    cases = [drawn(number) for number in range(COUNT)]
    return [str(each) for tried in compared(cases, readers) for each in tried.disagreements if not each.reason]


@pytest.mark.parametrize("kind", DAEMONS)
def test_daemons(kind: str, request: pytest.FixtureRequest) -> None:
    with reader(request.getfixturevalue(kind)) as one:
        assert without_reason({DAEMONS[kind]: one}) == []


def test_skopeo() -> None:
    need("skopeo", "skopeo")
    with scratch() as directory:
        assert without_reason(skopeos(directory)) == []


def test_a_case_without_changes_is_read_alike() -> None:
    need("skopeo", "skopeo")
    with scratch() as directory:
        [tried] = compared([Case("docker save 20.10", "two layers", ())], skopeos(directory))
    assert tried.readers == ("skopeo docker-archive",) and not tried.disagreements


def test_a_reader_that_sees_something_else_is_found() -> None:
    image = Image(("sha256:1",), None, None, None)
    assert not Read((image,)).agrees(Read((Image(("sha256:2",), None, None, None),)))
    assert not Read((image,)).agrees(Read(()))
    assert Read((image,)).agrees(Read((image, image))) and Read((image,)).agrees(Read(None))


@pytest.mark.parametrize("kind", CHANGES)
def test_every_change_changes_something(kind: str) -> None:
    for shape in ("docker save 26, classic store", "docker save 20.10"):
        plain = Case(shape, "two layers", ()).packing().data()
        changed = {Case(shape, "two layers", (Change(kind, n, n),)).packing().data() for n in range(40)}
        if len(changed - {plain}) > 3:
            return
    assert kind == "directories missing"  # there is one way to do that


def test_cases_are_the_same_each_time() -> None:
    assert [drawn(number).packing().data() for number in range(20)] == [
        drawn(number).packing().data() for number in range(20)
    ]


def test_a_mended_archive_is_whole(tmp_path: Path) -> None:
    """After a change of a document, everything that refers to it by its digest is right."""
    path = tmp_path / "it.tar"
    case = Case("docker save 26, classic store", "two layers", (Change("unknown key", 3, 0),))
    path.write_bytes(case.packing().data())
    found = ours(path)
    assert not found.problems and not isinstance(found.base, Refused)


def test_reasons_do_not_overlap() -> None:
    assert len({reason.why for reason in REASONS}) == len(REASONS)
    for reason in REASONS:
        assert all(re.compile(pattern) for pattern in (reason.error, reason.readers, reason.change))
        assert not reason.change or any(re.search(reason.change, kind) for kind in CHANGES), reason
    assert reason_for("differs", "docker 26", "they see other layers", (), frozenset(["extra member"])) is None


def test_the_page_is_as_it_would_be_written() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.differential.page"
