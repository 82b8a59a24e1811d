"""Districts: imports between them run downward, none run in a circle, and every module says its purpose."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamina

ROOT = Path(lamina.__file__).parent

# From the ground up. A district imports from its own row's left neighbours and from the rows above it in this list.
DISTRICTS = (
    "oci", "data", "tar", "store", "planning", "image", "media", "rootless", "recipe", "compat", "report", "commands",
)  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(source: str) -> Iterator[str]:
    """The modules of this package that the source imports, at the top or inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "lamina")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module and node.module.partition(".")[0] == "lamina":
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from (name if name in MODULES else node.module for name in inner)


def district(module: str) -> str:
    """The district of a module; the empty text for modules at the root of the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in DISTRICTS else ""


def test_the_root_of_the_package_is_small() -> None:
    entries = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert entries - set(DISTRICTS) == {"__init__.py", "__main__.py", "errors.py", "limits.py", "py.typed"}


@pytest.mark.parametrize("module", [module for module in MODULES if district(module)])
def test_imports_between_districts_run_downward(module: str) -> None:
    own = DISTRICTS.index(district(module))
    above = {name for name in imports(MODULES[module].read_text()) if district(name) in DISTRICTS[own + 1 :]}
    assert not above, f"{module} imports from districts above its own: {sorted(above)}"


@pytest.mark.parametrize("module", ["lamina.errors", "lamina.limits"])
def test_the_ground_imports_no_district(module: str) -> None:
    assert not {name for name in imports(MODULES[module].read_text()) if district(name)}


def test_no_imports_run_in_a_circle() -> None:
    graph = {module: set(imports(path.read_text())) - {module} for module, path in MODULES.items()}
    graph["lamina"] = set()  # its imports happen when a public name is used
    list(graphlib.TopologicalSorter(graph).static_order())


def test_imports_inside_functions_are_seen() -> None:
    source = "def f():\n    from lamina.media import classic, read\n    import lamina.errors\n"
    assert list(imports(source)) == ["lamina.media.classic", "lamina.media.read", "lamina.errors"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_its_purpose(module: str) -> None:
    text = ast.get_docstring(ast.parse(MODULES[module].read_text()))
    assert text and any(mark in text for mark in ".?!"), "a sentence at least"


def test_no_two_modules_say_the_same() -> None:
    first = [(ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0] for path in MODULES.values()]
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_longer_than_350_lines(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 350


def test_every_module_has_a_line_in_house_md() -> None:
    """docs/design/house.md has a table for each district, with a line for each file and folder."""
    text = (ROOT.parents[1] / "docs/design/house.md").read_text()
    for name in DISTRICTS:
        found = re.search(rf"^\| `{name}` \| [^|]+ \|\n\| --- \| --- \|\n((?:\|.+\n?)+)", text, re.MULTILINE)
        assert found, name
        files = {path.name for path in (ROOT / name).glob("*.py")} - {"__init__.py"}
        folders = {f"{path.parent.name}/" for path in (ROOT / name).glob("*/__init__.py")}
        assert set(re.findall(r"`(\w+(?:/|\.py))`", found[1])) == files | folders, f"docs/design/house.md, {name}"
