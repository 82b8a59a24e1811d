"""The pages in docs/generated say what the tests expect; the trials are not repeated here."""

from __future__ import annotations

import re

import pytest

from tests.support.builds import ROOT
from tests.support.consumers import compat, matrix, scores
from tests.support.consumers.adapters import KINDS
from tests.support.consumers.scores import PAGE_PAIRS

COMPAT = "run make compat: docs/generated/compatibility.md and .json differ from what the tests expect"
SCORES = "run make scores: docs/generated/saved.md and checks.md differ from what the checks say"


def test_compatibility_is_what_the_table_says() -> None:
    text = compat.TABLE.read_text()
    versions = compat.versions_in(text)
    assert set(versions) == set(KINDS), COMPAT
    assert text == compat.results(versions), COMPAT
    assert compat.PAGE.read_text() == compat.page(versions), COMPAT


def test_the_guide_to_daemons_has_the_versions() -> None:
    """docs/use/daemons.md says which versions of the daemons are tested."""
    versions = compat.versions_in(compat.TABLE.read_text())
    text = (ROOT / "docs/use/daemons.md").read_text()
    for family in ("docker", "podman", "containerd"):
        [row] = re.findall(rf"^\| {family} \| ([^|]+) \| [^|]*\|$", text, re.MULTILINE | re.IGNORECASE)
        tested = {version for kind, version in versions.items() if KINDS[kind].family == family}
        assert set(re.findall(r"\d+\.\d+\.\d+", row)) == tested, f"docs/use/daemons.md: {family}"


def test_page_of_checks_is_what_is_registered() -> None:
    assert scores.CHECKS_PAGE.read_text() == scores.checks_page(), SCORES


def test_page_of_scores_is_complete() -> None:
    text = scores.PAGE.read_text()
    listed = scores.scores_in(text)
    assert text == scores.page(listed), SCORES
    assert {row: failing for row, failing in listed.items() if row[0] == scores.LAMINA} == scores.ours(), SCORES
    assert {(tool, form) for tool, _, form in listed if tool != scores.LAMINA} == {
        (scores.tool(kind), form) for kind, form in PAGE_PAIRS
    }, SCORES


@pytest.mark.parametrize("kind", KINDS)
def test_every_consumer_does_something(kind: str) -> None:
    """A mistake in the table of refusals would make tests expect that nothing works."""
    assert [case for case in matrix.CASES if not matrix.refusal(kind, case)], kind
    assert sum(bool(matrix.refusal(kind, case)) for case in matrix.CASES) <= 3
