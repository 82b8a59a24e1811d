"""Unit tests and property tests with newer versions of Python, and a few builds with the Nix of Debian forky."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.builds import ROOT, environment, expression
from tests.support.built_examples import Built
from tests.support.consumers import roots
from tests.support.consumers.base import SYSTEM_PATH, Prefix, call, check, version_in
from tests.support.needs import absent, need_root
from tests.support.walls import WALLS, attack, check_log

PARTS = {
    "documents": (
        *("tests/unit/oci", "tests/unit/data/test_block_compression.py", "tests/unit/data/test_compression.py"),
        *("tests/unit/recipe/test_nix_database.py", "tests/unit/report/test_page.py"),
        *("tests/unit/test_golden.py", "tests/unit/test_imports.py", "tests/unit/test_errors.py"),
    ),
    "media": ("tests/unit/media",),
    "property": ("tests/property",),
    "rootless": ("tests/unit/rootless",),
    "commands": ("tests/unit/commands",),
}
"""What has differed between versions of Python, libmagic and Nix, or may: times, JSON, imports, tables, bytes of
layers, HTTP, processes, signals, and errors of the interpreter itself."""

TIMEOUT = 1800
STORE = ROOT / ".state/forky-store"
"""The store of forky's Nix, which is kept: the packages of the host are unpacked into it once."""

PYTHONS = {"3.13": "trixie-python", "3.14": "forky"}


# In a place of its own, so that the module is not looked for where the command is run.
COMMAND = """\
#!/bin/sh
exec python3 -P -m lamina "$@"
"""


@pytest.fixture
def python(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Prefix]:
    """The words that run a Python of that version, with the packages that the tests need, and `lamina` on PATH."""
    need_root()
    root = ROOT / ".state" / PYTHONS[request.param]
    if not roots.complete(root):
        absent(f"no root with Python {request.param} here: bash dev/setup.sh test-all")
    command = tmp_path / "bin/lamina"
    command.parent.mkdir()
    command.write_text(COMMAND)
    command.chmod(0o755)
    with roots.entered(root) as prefix:
        settings = {
            "PYTHONPATH": f"{ROOT}/builder:{ROOT}",
            "PYTHONPYCACHEPREFIX": str(tmp_path / "pycache"),
            "LAMINA_COMMAND": str(command),
            "PATH": f"{command.parent}:{SYSTEM_PATH}",
            "CI": "false",  # the root lacks programs that some tests need
        }
        yield (*prefix, "env", "-C", str(ROOT), *(f"{name}={value}" for name, value in settings.items()), "python3")


@pytest.mark.usefixtures("newest")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("python", PYTHONS, indirect=True)
def test_python(python: Prefix, part: str, request: pytest.FixtureRequest) -> None:
    version = request.node.callspec.params["python"]
    assert check([*python, "--version"]).startswith(f"Python {version}.")
    options = ("-q", "-p", "no:cacheprovider", "-n", str(os.cpu_count()), "-m", "not thorough")
    words = [*python, "-m", "pytest", *options, *PARTS[part]]
    done = call(words, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "Exception ignored" not in done.stderr


def nix_build(forky: Prefix, home: Path) -> list[str]:
    """In a store of its own: the database of a store may change for good when a newer Nix opens it."""
    settings = {"NIX_CONF_DIR": f"{ROOT}/.state/nix", "XDG_CACHE_HOME": str(home), "HOME": str(home)}
    nix = [*forky, "env", "-C", str(ROOT), *(f"{name}={value}" for name, value in settings.items())]
    assert version_in(check([*nix, "nix", "--version"])) > "2.3"
    return [*nix, "nix-build", "--store", str(STORE), "--no-out-link"]


@pytest.mark.parametrize("wall", WALLS)
def test_the_wall_of_scripts_with_a_newer_nix(wall: str, forky: Prefix, tmp_path: Path) -> None:
    words = [*nix_build(forky, tmp_path), *expression(attack(wall))]
    done = call(words, timeout=TIMEOUT, env=environment())
    assert done.returncode != 0
    check_log(wall, done.stderr)


@pytest.mark.parametrize("example", ["hello", "redis", "runAsRoot"])
def test_nix(example: str, forky: Prefix, tmp_path: Path, build: Callable[[str], Built]) -> None:
    words = [*nix_build(forky, tmp_path), "-A", f"examples.{example}"]
    path = check(words, timeout=TIMEOUT, env=environment()).strip()
    assert path.startswith("/nix/store/")
    assert Path(f"{STORE}{path}").read_bytes() == build(example).archive.read_bytes()
