"""docs/compatibility.md says what the tests expect, without running them again."""

from __future__ import annotations

import pytest

from . import compat, matrix
from .adapters import KINDS

REMEDY = "docs/compatibility.md is not what the tests say: make compat"


def test_page_is_what_the_table_says() -> None:
    text = compat.PAGE.read_text()
    versions = compat.versions_in(text)
    assert set(versions) == set(KINDS), REMEDY
    assert text == compat.page(versions), REMEDY


@pytest.mark.parametrize("kind", KINDS)
def test_every_consumer_does_something(kind: str) -> None:
    """A mistake in the table of refusals would make tests expect that nothing works."""
    assert [case for case in matrix.CASES if not matrix.refusal(kind, case)], kind
    assert sum(bool(matrix.refusal(kind, case)) for case in matrix.CASES) <= 3
