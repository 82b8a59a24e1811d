"""Documents name files that exist, and docs/design/house.md names every Nix function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.builds import ROOT
from tests.support.documents import pages

HOUSE = ROOT / "docs/design/house.md"
_FILE = re.compile(r"`((?:bench|builder|dev|docs|examples|nix|tests)/(?!store|var)[\w./-]*)(?:::\w+)?`")
_PAGE = re.compile(r"\bdocs/[\w./-]+\.(?:md|json)\b")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = set(_FILE.findall(page.read_text()))
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_pages_that_the_sources_name_exist() -> None:
    folders = ("builder", "nix", "tests", "bench", "dev", "examples")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".nix", ".sh")]
    named = {name for path in files for name in _PAGE.findall(path.read_text())}
    assert len(named) > 10
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_nix_function_has_a_line() -> None:
    text = HOUSE.read_text()
    assert {path.name for path in (ROOT / "nix").glob("*.nix") if f"`nix/{path.name}`" not in text} == set()
