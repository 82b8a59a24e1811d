"""The house stands on its floors: a module imports only from below, and says first what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import builder

ROOT = Path(builder.__file__).parent

# Ground floor first. A new module goes on the lowest floor that stands above all that it imports.
FLOORS = (
    {"builder", "builder.limits", "builder.stamp", "builder.rootless", "builder.rootless.records"},
    {"builder.errors"},
    {"builder.progress", "builder.arguments", "builder.pieces"},
    {"builder.digest", "builder.reference", "builder.parallel", "builder.tar"},
    {"builder.spec", "builder.output", "builder.rootless.machine"},
    {"builder.blob", "builder.prefetch", "builder.rootless.kernel"},
    {"builder.compression", "builder.tar_index", "builder.closure", "builder.rootless.thread"},
    {"builder.tree", "builder.layer", "builder.config", "builder.rootless.files", "builder.rootless.owners"},
    {"builder.tree_blob", "builder.rootless.supervise", "builder.checks.heads"},
    {"builder.image", "builder.recipe", "builder.cache", "builder.planners", "builder.nix_db"},
    {"builder.plan", "builder.learn", "builder.media.members", "builder.media.choice", "builder.media.legacy"},
    {"builder.rootfs", "builder.rootless.namespace", "builder.checks.survey"},
    {"builder.export", "builder.onto", "builder.rootless.unpack", "builder.checks.facts"},
    {"builder.rootless.changes", "builder.checks.check"},
    {"builder.rootless.script"},
    {"builder.pipeline", "builder.media.tarball", "builder.media.docker_archive"},
    {"builder.media.oci_layout", "builder.media.universal"},
    {"builder.media.classic", "builder.media.clients"},
    {"builder.media", "builder.media.daemon"},
    {f"builder.checks.{name}" for name in ("outer", "docker", "oci", "replays", "layers")},
    {"builder.checks.v1"},
    {"builder.checks"},
    {"builder.derivation", "builder.build"},
    {"builder.merge", "builder.report", "builder.verify"},
    {"builder.cli_inside"},
    {"builder.cli"},
    {"builder.__main__"},
)
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(source: str) -> Iterator[str]:
    """What of this package a module imports, wherever in its text it does so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "builder")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out from the top"
            if node.module and node.module.partition(".")[0] == "builder":
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from (name if name in MODULES else node.module for name in inner)


def test_every_module_has_a_place() -> None:
    assert set(MODULES) == set(FLOOR)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downward(module: str) -> None:
    above = {name for name in imports(MODULES[module].read_text()) if FLOOR[name] >= FLOOR[module]}
    assert not above, f"{module} is on floor {FLOOR[module]} and imports from its own or above: {sorted(above)}"


def test_imports_inside_functions_are_seen() -> None:
    source = "def f():\n    from builder.media import classic, read_image\n    import builder.cli\n"
    assert list(imports(source)) == ["builder.media.classic", "builder.media", "builder.cli"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    text = ast.get_docstring(ast.parse(MODULES[module].read_text()))
    assert text and any(mark in text for mark in ".?!"), "a sentence at least"


def test_no_two_modules_say_the_same() -> None:
    first = [(ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0] for path in MODULES.values()]
    assert len(set(first)) == len(first)
