"""The page for users of dockerTools names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/use/from-dockertools.md").read_text())


def test_some_are_named() -> None:
    assert len(set(NAMED)) > 20


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_it_is_there(file: str, name: str) -> None:
    functions = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert name in functions
