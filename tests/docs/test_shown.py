"""What the documents show of commands is what these print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shown import BLOCK, PAGES, runner, shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_what_commands_print(page: Path, tmp_path: Path) -> None:
    """`python -m tests.support.shown` writes it."""
    text = page.read_text()
    assert BLOCK.search(text)
    assert shown(text, runner(tmp_path)) == text
