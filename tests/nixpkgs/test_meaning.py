"""The page of dockerTools' arguments and attributes says what is so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.nixpkgs.meaning import ARGUMENTS, ATTRIBUTES, DERIVATION, PAGE, SAME, SET, page
from tests.support.builds import expression, nix

LET = """let
  inherit (lamina) dockerTools;
  has = set: names: builtins.filter (name: builtins.hasAttr name set) names;
  named = dockerTools.buildImage { name = "x"; };
  results = {
    buildImage = named;
    streamLayeredImage = dockerTools.streamLayeredImage { name = "x"; };
    buildLayeredImage = dockerTools.buildLayeredImage { name = "x"; };
    pullImage = dockerTools.pullImage {
      imageName = "x"; imageDigest = "sha256:${builtins.hashString "sha256" ""}"; hash = "";
    };
    exportImage = dockerTools.exportImage { fromImage = named; };
    streamNixShellImage = dockerTools.streamNixShellImage { drv = pkgs.hello; };
    buildNixShellImage = dockerTools.buildNixShellImage { drv = pkgs.hello; };
  };
in """


def evaluated(text: str) -> Any:
    done = nix("nix-instantiate", "--eval", "--strict", "--json", *expression(f"{LET} {text}"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def nix_list(names: object) -> str:
    return f"(builtins.fromJSON {json.dumps(json.dumps(list(names)))})"  # type: ignore[call-overload]


def test_the_page_is_as_it_would_be_written() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.nixpkgs.meaning"


@pytest.mark.parametrize("function", ARGUMENTS)
def test_every_argument_is_taken(function: str) -> None:
    taken = evaluated(f"has dockerTools.{function}.__functionArgs {nix_list(ARGUMENTS[function])}")
    assert set(taken) == set(ARGUMENTS[function])


@pytest.mark.parametrize("function", ATTRIBUTES)
def test_every_attribute_is_there_or_said_to_be_missing(function: str) -> None:
    there = set(evaluated(f"has results.{function} {nix_list(ATTRIBUTES[function])}"))
    missing = {name for name, text in ATTRIBUTES[function].items() if text.startswith("missing")}
    assert there == set(ATTRIBUTES[function]) - missing


@pytest.mark.parametrize("function", ARGUMENTS)
def test_every_result_has_what_derivations_have(function: str) -> None:
    assert set(evaluated(f"has results.{function} {nix_list(DERIVATION)}")) == set(DERIVATION)


def test_the_set_has_what_the_page_says() -> None:
    missing = {name for name, text in SET.items() if text.startswith("missing")}
    assert set(evaluated(f"has dockerTools {nix_list(SET)}")) == set(SET) - missing


def test_what_is_ignored_or_missing_has_a_reason() -> None:
    texts = [text for rows in (*ARGUMENTS.values(), *ATTRIBUTES.values(), SET) for text in rows.values()]
    for text in texts:
        assert text == SAME or len(text) > len(SAME)
        if text.startswith(("ignored", "missing")):
            assert ":" in text or "as `" in text, text
