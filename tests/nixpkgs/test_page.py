"""The page that says which test makes which of nixpkgs' assertions says so of tests that exist."""

from __future__ import annotations

import importlib

from tests.nixpkgs.assertions import ASSERTIONS
from tests.nixpkgs.conftest import EXAMPLES
from tests.nixpkgs.page import PAGE, page


def test_every_assertion_is_there() -> None:
    assert [assertion.number for assertion in ASSERTIONS] == list(range(1, 71))


def test_every_example_is_there() -> None:
    assert len(EXAMPLES) == 66


def test_their_tests_are_there() -> None:
    for assertion in ASSERTIONS:
        module, _, name = assertion.test.partition("::")
        assert callable(getattr(importlib.import_module(f"{__package__}.{module}"), name))


def test_the_page_is_as_it_would_be_written() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.nixpkgs.page"
