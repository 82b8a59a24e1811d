"""docs/compatibility.md and docs/verify.md say what the tests expect, without running them again."""

from __future__ import annotations

import pytest

from . import compat, matrix, scores
from .adapters import KINDS
from .test_saved import PAIRS

REMEDY = "docs/compatibility.md is not what the tests say: make compat"


def test_page_is_what_the_table_says() -> None:
    text = compat.PAGE.read_text()
    versions = compat.versions_in(text)
    assert set(versions) == set(KINDS), REMEDY
    assert text == compat.page(versions), REMEDY


def test_page_of_checks_is_what_is_registered() -> None:
    text = scores.PAGE.read_text()
    told = scores.scores_in(text)
    remedy = "docs/verify.md is not what the checks say: make scores"
    assert text == scores.page(told), remedy
    assert {row: failing for row, failing in told.items() if row[0] == scores.LAMINA} == scores.ours(), remedy
    assert {(tool, form) for tool, _, form in told if tool != scores.LAMINA} == {
        (scores.tool(kind), form) for kind, form in PAIRS
    }, remedy


@pytest.mark.parametrize("kind", KINDS)
def test_every_consumer_does_something(kind: str) -> None:
    """A mistake in the table of refusals would make tests expect that nothing works."""
    assert [case for case in matrix.CASES if not matrix.refusal(kind, case)], kind
    assert sum(bool(matrix.refusal(kind, case)) for case in matrix.CASES) <= 3
