"""docs/use/arguments.md describes every argument of every public function, once, as the Nix files have it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.builds import ROOT, nix

PAGE = ROOT / "docs/use/arguments.md"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_INHERITED = re.compile(r"all arguments of \[(\w+)\]")
_PARAMETER = re.compile(r"^[{,] (\w+)(?: \? (.*?))?(?:\s+#.*)?$", re.MULTILINE)
_LITERAL = re.compile(r'null|true|false|\d+|"[^"$]*"|\[ \]|\{ \}')

FUNCTIONS = {
    "The library": "default.nix",
    "buildImage": "nix/buildImage.nix",
    "streamLayeredImage": "nix/streamLayeredImage.nix",
    "buildLayeredImage": "nix/buildLayeredImage.nix",
    "buildLayer": "nix/buildLayer.nix",
    "buildIndex": "nix/buildIndex.nix",
    "pullImage": "nix/pullImage.nix",
    "exportImage": "nix/exportImage.nix",
    "checkImage": "nix/checkImage.nix",
    "streamNixShellImage": "nix/streamNixShellImage.nix",
    "buildNixShellImage": "nix/buildNixShellImage.nix",
    "fakeNss": "nix/fakeNss.nix",
}
"""Each section with arguments, and the file that defines them."""

SCOPE = f"""
let
  lamina = import {ROOT} {{ }};
  inherit (lamina) pkgs;
  app = pkgs.hello;
  base = lamina.examples.busybox;
  layer = lamina.buildLayer {{ paths = [ app ]; }};
  argumentsOf = function: function.__functionArgs or (builtins.functionArgs function);
in
"""
REQUIRED = {
    "The library": "",
    "buildImage": 'name = "app";',
    "streamLayeredImage": 'name = "app";',
    "buildLayeredImage": 'name = "app";',
    "buildLayer": "",
    "buildIndex": "images = [ base ];",
    "pullImage": f'imageName = "app"; imageDigest = "sha256:{"0" * 64}"; '
    'hash = "sha256-xxZ4UW6jRIVAzlVYA62awcopzcYNViDyh6q1yocF3KU=";',
    "exportImage": "fromImage = base;",
    "checkImage": 'image = base; policy = builtins.toFile "policy.toml" "";',
    "streamNixShellImage": "drv = app;",
    "buildNixShellImage": "drv = app;",
    "fakeNss": "",
}
"""What the examples of each function leave out."""


@frozen
class Row:
    name: str
    type: str
    default: str
    meaning: str
    example: str


def sections(text: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    _, *parts = _SECTION.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def table(section: str) -> list[list[str]]:
    """The cells of the rows of the tables in a section, without the heads."""
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [row for row in rows if row[0].startswith("`")]


def rows(section: str) -> list[Row]:
    return [Row(name.strip("`"), *cells) for name, *cells in table(section)]


@cache
def page() -> dict[str, str]:
    return sections(PAGE.read_text())


@cache
def evaluated(expression: str) -> str:
    """The JSON that an expression gives, in a scope that has what the examples use."""
    done = nix("nix-instantiate", "--eval", "--strict", "--json", "-E", SCOPE + expression)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def arguments(function: str) -> dict[str, bool]:
    """The arguments that the Nix function takes, and whether each has a default."""
    if function == "The library":
        expression = f"builtins.functionArgs (import {ROOT})"
    elif function == "fakeNss":  # the library has its result only
        expression = f"builtins.functionArgs (import {ROOT}/nix/fakeNss.nix {{ toolbox = null; }})"
    else:
        expression = f"argumentsOf lamina.{function}"
    found: dict[str, bool] = json.loads(evaluated(expression))
    return found


def inherited(section: str) -> set[str]:
    """The arguments of the function that a section refers to instead of repeating them."""
    return {row.name for function in _INHERITED.findall(section) for row in rows(page()[function])}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_argument_is_described_once(function: str) -> None:
    names = [row.name for row in rows(page()[function])]
    taken = arguments(function)
    elsewhere = inherited(page()[function])
    assert len(set(names)) == len(names)
    assert set(names).isdisjoint(elsewhere)
    # A function that hands on what another one takes may list those arguments too.
    assert set(taken) - elsewhere == set(names)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_cell_is_empty(function: str) -> None:
    for row in rows(page()[function]):
        assert all((row.type, row.default, row.meaning, row.example)), row
        assert row.meaning.endswith((".", ".)")), row


@pytest.mark.parametrize(("function", "file"), FUNCTIONS.items())
def test_defaults_are_those_of_the_file(function: str, file: str) -> None:
    defaults = dict(_PARAMETER.findall((ROOT / file).read_text()))
    taken = arguments(function)
    for row in rows(page()[function]):
        assert row.name in defaults, row
        assert (row.default == "required") == (not taken[row.name]), row
        if _LITERAL.fullmatch(defaults[row.name]):
            assert row.default == f"`{defaults[row.name]}`", row


@pytest.mark.parametrize("name", ["compressor", "inheritConfig"])
def test_defaults_of_the_library(name: str) -> None:
    """These two depend on the set: default.nix has Lamina's own."""
    [default] = re.findall(
        rf"public = .*?defaults = {{[^}}]*\b{name} = (\S+);", (ROOT / "default.nix").read_text(), re.DOTALL
    )
    described = {row.default for section in page().values() for row in rows_of(section) if row.name == name}
    assert described == {f"`{default}`"}


def rows_of(section: str) -> list[Row]:
    return rows(section) if all(len(cells) == 5 for cells in table(section)) else []


def call(row: Row, function: str) -> str:
    """The function with the row's example, and with the required arguments that the example leaves out."""
    example = row.example.strip("`")
    required = REQUIRED[function]
    if re.match(r"(sha256|outputHash)\w* =", example):
        required = re.sub(r'\bhash = "[^"]*";', "", required)
    given = f"({{ {required} }} // {{ {example} }})"
    if function == "The library":
        return f"(builtins.attrNames (import {ROOT} {given}))"
    return f"(lamina.{function}{'.override' if function == 'fakeNss' else ''} {given}).drvPath"


def test_examples_evaluate(tmp_path: Path) -> None:
    """All in one evaluation; files that examples name by a relative path are beside the expression."""
    (tmp_path / "layers.lock.json").write_text('{"version": 1, "layers": []}')
    calls = [call(row, function) for function in FUNCTIONS for row in rows(page()[function])]
    values = [cells[2].strip("`") for cells in table(page()["Values"])]
    calls += [f'(lamina.buildImage {{ name = "app"; {example} }}).drvPath' for example in values]
    calls += [f"({line.strip()}).drvPath" for line in page()["mergeImages"].splitlines() if line.startswith("    ")]
    expression = tmp_path / "examples.nix"
    expression.write_text(SCOPE + "[\n" + "\n".join(calls) + "\n]")
    done = nix("nix-instantiate", "--eval", "--strict", "--json", expression)
    assert done.returncode == 0, done.stderr[-4000:]
    assert len(json.loads(done.stdout)) == len(calls) > 80


def test_an_example_gives_its_own_argument() -> None:
    for function in FUNCTIONS:
        for row in rows(page()[function]):
            assert re.search(rf"\b{row.name}( =|\.)", row.example), row


def test_everything_public_is_on_the_page() -> None:
    """Each function has a section, everything else a row in the section of values."""
    public = set(json.loads(evaluated("builtins.attrNames lamina"))) - {"dockerTools", "examples", "pkgs"}
    values = {cells[0].strip("`") for cells in table(page()["Values"])}
    assert public == (set(FUNCTIONS) - {"The library"}) | values | {"mergeImages"}


def test_results_have_the_attributes() -> None:
    expression = """
      let
        built = lamina.buildImage { name = "app"; };
        layered = lamina.buildLayeredImage { name = "app"; };
        streamed = lamina.streamLayeredImage { name = "app"; };
        shell = lamina.streamNixShellImage { drv = app; };
      in map builtins.attrNames [ built layered streamed shell ]
    """
    built, *layered = map(set, json.loads(evaluated(expression)))
    of = {names: owner for names, owner, _ in table(page()["The results' attributes"])}
    described = {
        owner: {name for names, other in of.items() if other == owner for name in re.findall(r"`(\w+)`", names)}
        for owner in of.values()
    }
    assert built >= described["every image"] | described["`buildImage`"] | described["all but `mergeImages`"]
    for attributes in layered:
        assert attributes >= described["every image"] | described["all but `mergeImages`"]
    assert layered[1] >= described["layered images"]
