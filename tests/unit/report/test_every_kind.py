"""The reports take every kind of image: recipes, our archives, and those of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamina.commands.main import main
from tests.support.archives import SHAPES, Shape, sample
from tests.support.kinds_of_images import KINDS, Kind
from tests.support.recipes import ARRANGEMENTS, archive_of, save, write_recipe


def reports(old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each form of each report succeeds, and prints nothing that steers a terminal."""
    for words in (
        ["inspect", new, "--layers", "--tree", "--largest", "3"],
        ["inspect", new, "--files", "*"],
        ["diff", old, new],
        ["diff", old, new, "--markdown"],
    ):
        assert main([str(word) for word in words]) == 0, words
        shown = capsys.readouterr()
        assert shown.out
        assert shown.err == ""
        assert all(char.isprintable() or char == "\n" for char in shown.out)
    for words in (["inspect", new, "--layers", "--tree", "--files", "*", "--json"], ["diff", old, new, "--json"]):
        assert main([str(word) for word in words]) == 0
        assert json.loads(capsys.readouterr().out)
    assert main(["why", str(new), "no such path"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_archives_of_other_tools(shape: Shape, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = save(shape([sample("a", "b", names=("x:1",))]), tmp_path / "old.tar")
    new = save(shape([sample("a", "c", names=("x:2",))]), tmp_path / "new.tar")
    reports(old, new, capsys)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_recipes(kind: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(kind(tmp_path), tmp_path)
    reports(recipe, recipe, capsys)


@pytest.mark.parametrize("layout", ARRANGEMENTS)
@pytest.mark.parametrize("compressor", ["none", "zstd"])
def test_our_archives(layout: str, compressor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = KINDS["store_and_root"](tmp_path)
    archive = archive_of(fields, tmp_path / "it.tar", layout, compressor)
    reports(write_recipe(fields, tmp_path), archive, capsys)
