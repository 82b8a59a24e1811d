"""Nix code in the guides parses, and whole calls of the library evaluate."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.builds import ROOT, nix
from tests.support.documents import pages

_BLOCK = re.compile(r"^```nix\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in pages()
    for number, block in enumerate(_BLOCK.findall(page.read_text()), 1)
]
SCOPE = f"""
let
  library = import {ROOT} {{ }};
  pkgs = library.pkgs // {{ pkgsCross.aarch64-multiplatform = library.pkgs; }};
  app = pkgs.hello;
  base = library.examples.busybox;
  lamina = library;
  alpine = base;
  nixpkgs = pkgs;
  system = builtins.currentSystem;
in
"""


def forms(block: str) -> list[str]:
    """The ways in which a snippet may be Nix: an expression, or some of a set's attributes."""
    return [block, f"{{\n{block}\n}}"]


def parses(text: str) -> bool:
    return nix("nix-instantiate", "--parse", "-E", text).returncode == 0


def test_there_are_some() -> None:
    assert len(BLOCKS) > 10


@pytest.mark.parametrize("block", BLOCKS)
def test_it_parses(block: str) -> None:
    elided = re.sub(r"\{ \.\.\. \}", "{ }", block)
    assert any(parses(SCOPE + form) for form in forms(elided)), block


def calls() -> list[str]:
    """Snippets that are an image, as an expression or in a `let` with the library."""
    blocks = [str(parameter.values[0]) for parameter in BLOCKS]
    whole = [block for block in blocks if re.search(r"^(in\n)?lamina\.\w+", block, re.MULTILINE) and "..." not in block]
    imported = re.compile(r"import (\./lamina|/where/lamina/is) \{[^}]*\}")
    ours = [imported.sub("library", block).replace("import <nixpkgs> { }", "library.pkgs") for block in whole]
    return [f"({block})" for block in ours]


def test_calls_evaluate(tmp_path: Path) -> None:
    expression = tmp_path / "calls.nix"
    expression.write_text(f"{SCOPE}\nmap (image: image.drvPath) [\n" + "\n".join(calls()) + "\n]")
    done = nix("nix-instantiate", "--eval", "--strict", "--json", expression)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(json.loads(done.stdout)) == len(calls()) >= 8
