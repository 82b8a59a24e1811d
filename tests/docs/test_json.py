"""docs/use/inspect.md lists the keys of the JSON that the commands print."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.builds import COMMAND, ROOT, nix_build

PAGE = ROOT / "docs/use/inspect.md"


@pytest.fixture(scope="module")
def recipe() -> Path:
    return nix_build("-A", "examples.layered.recipe")


def described(command: str) -> set[str]:
    """The keys in the row of a command."""
    [row] = re.findall(rf"^\| {command} \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row))


def printed(*words: str | Path) -> list[dict[str, object]]:
    done = subprocess.run([COMMAND, *words, "--json"], capture_output=True, text=True, check=True, timeout=60)
    result: list[dict[str, object]] = json.loads(done.stdout)
    return result


def test_inspect(recipe: Path) -> None:
    [image] = printed("inspect", recipe)
    assert set(image) == described("`lamina inspect`")
    layers = image["layers"]
    assert isinstance(layers, list)
    for layer in layers:
        assert set(layer) == described("each of these layers")


def test_why_and_diff(recipe: Path) -> None:
    for words in (("why", recipe, "hello"), ("diff", recipe, recipe)):
        done = subprocess.run([COMMAND, *words, "--json"], capture_output=True, text=True, check=True, timeout=60)
        assert set(json.loads(done.stdout)) <= described(f"`lamina {words[0]}`")


def test_what_options_add(recipe: Path) -> None:
    [image] = printed("inspect", recipe, "--layers", "--tree", "--files", "*")
    for option, key in (("`--layers`", "layerDetails"), ("`--tree` or `--largest N`", "paths"), ("`--files`", "files")):
        rows = image[key]
        assert isinstance(rows, list)
        assert {key, *rows[0]} <= described(f"with {option}")


def test_plan(recipe: Path) -> None:
    for layer in printed("plan", recipe):
        assert set(layer) == described("`lamina plan`")
