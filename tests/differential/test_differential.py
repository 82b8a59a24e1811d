"""Unusual images are read as docker, podman and Skopeo read them, or there is a reason on docs/generated/readers.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.differential.cases import CHANGES, Case, Change, drawn
from tests.differential.compare import Disagreement, Tried, compared
from tests.differential.ours import ours
from tests.differential.outcome import Image, Read, Refused
from tests.differential.page import PAGE, page
from tests.differential.readers import DAEMONS, Docker, Reader, of_sides, reader, skopeos
from tests.differential.reasons import REASONS, reason_for
from tests.differential.tally import ENOUGH, Tally
from tests.support.builds import ROOT
from tests.support.consumers.base import scratch
from tests.support.needs import need

COUNT = 25


def without_reason(readers: dict[str, Reader]) -> list[str]:
    """The disagreements of the first cases that nobody has explained."""
    tried = compared(lambda: map(drawn, range(COUNT)), {name: [reader] for name, reader in readers.items()})
    found = [each.disagreement for each in tried if each.disagreement]
    return [str(each) for each in found if not each.reason]


def _with(change: str, shape: str = "docker save 20.10") -> Case:
    return Case(shape, "two layers", (Change(change, 0, 0),))


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
        [reader] = [one for name, one in skopeos(directory).items() if name == "skopeo docker-archive"]
        [tried] = compared(lambda: iter([Case("docker save 20.10", "two layers", ())]), {"skopeo": [reader]})
    assert tried.they_read and tried.we_read and not tried.disagreement


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
    assert reason_for("differs", "docker 26", "they see other layers", (), _with("extra member")) is None


def test_an_image_that_is_listed_twice_is_one_image() -> None:
    """Docker has one image for each config, with the names of all items."""
    one, two = (Image((), "sha256:1", None, frozenset([name])) for name in ("env/one:1", "env/two:1"))
    both = Image((), "sha256:1", None, frozenset(["env/one:1", "env/two:1"]))
    assert Read((one, two)).agrees(Read((both,)))
    assert not Read((one,)).agrees(Read((both,)))


def test_a_document_behind_a_link_is_found() -> None:
    case = Case("docker save 20.10", "two images", (Change("file behind a link", 0, 0),))
    for place in range(20):
        for choice in range(8):
            packing = attrs.evolve(case, changes=(Change("file behind a link", place, choice),)).packing()
            assert len(packing.json("manifest.json")) == 2


def test_a_reason_needs_its_reader_change_and_problem() -> None:
    layer = _with("unusual headers in a layer")
    error = "lsetxattr security.capability /h: invalid argument"
    assert reason_for("they refuse", "docker 26", error, (), layer)
    assert reason_for("they refuse", "skopeo docker-archive", error, (), layer) is None
    assert reason_for("they refuse", "docker 26", error, (), _with("extra member")) is None
    assert reason_for("they refuse", "docker 26", "archive/tar: invalid tar header", (), layer) is None
    assert reason_for("they refuse", "docker 26", "archive/tar: invalid tar header", ("a damaged tar header",), layer)


def test_a_reason_needs_its_shape() -> None:
    error = "reading blob sha256:0: open /x: no such file or directory"
    for shape, expected in (("OCI index", True), ("OCI archive", False)):
        case = _with("member missing", shape)
        assert bool(reason_for("they refuse", "skopeo oci-archive", error, (), case)) == expected


def test_a_tag_alone_is_a_name_for_podman_only() -> None:
    said = "they see names=frozenset({'%s:latest'}) we see names=frozenset({'1'})"
    case = _with("field null")
    assert reason_for("differs", "podman", said % "1", (), case)
    assert not reason_for("differs", "podman", said % "2", (), case)
    assert not reason_for("differs", "docker 26", said % "1", (), case)


def test_podman_is_asked_about_the_sides_of_the_archive_only() -> None:
    error = "payload does not match any of:\n * oci: not a directory\n * docker-archive: Invalid tag\n * dir: x"
    assert of_sides(error, ("manifest.json",)) == "docker-archive: Invalid tag"
    assert of_sides("disk full", ("manifest.json",)) == "disk full"


def test_a_tally_counts_and_knows_what_no_input_needed() -> None:
    case = drawn(0)
    reason = REASONS[0]
    tally = Tally()
    for disagreement in (None, Disagreement("differs", "podman", case, "", reason)):
        tally.add(Tried(case, "podman", they_read=True, we_read=True, disagreement=disagreement))
    table = "\n".join(tally.lines(2.0))
    assert re.search(r"podman +2 +1\.0 +1 +0 +1 +0", table) and reason.why in table
    assert tally.unused(["podman"]) == []
    for _ in range(ENOUGH):
        tally.add(Tried(case, "podman", they_read=False, we_read=False, disagreement=None))
    assert tally.unused(["podman"]) == list(REASONS[1:]) and tally.unused(["podman", "docker 26"]) == []
    assert tally.without_reason() == 0


def test_a_reader_that_is_gone_ends_the_comparison() -> None:
    gone = Docker(Path("/nowhere/socket"), in_containerd=False)
    with pytest.raises(FileNotFoundError):
        list(compared(lambda: iter([Case("docker save 20.10", "two layers", ())]), {"docker 26": [gone]}))


def test_counts_are_printed_when_a_run_is_interrupted() -> None:
    need("skopeo", "skopeo")
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.differential", "--seconds", "60", "--reader", "skopeo docker-archive"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stdout
        assert run.stdout.readline().startswith("cases from number")
        run.terminate()
        assert "both read" in run.stdout.read()


def test_the_page_is_as_it_would_be_written() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.differential.page"
