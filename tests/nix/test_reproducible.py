"""The same bytes from a second build, and from another time zone, umask, locale, file system and store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builds import COMMAND, ROOT, nix, nix_build
from tests.support.built_examples import Built
from tests.support.examples import EXAMPLES

Build = Callable[[str], Built]


@pytest.mark.parametrize("attribute", [example.attribute for example in EXAMPLES])
def test_a_second_build_gives_the_same_bytes(attribute: str, build: Build, pulled: str) -> None:
    build(attribute)
    derivation = nix("nix-instantiate", ROOT, "-A", f"examples.{attribute}", "--arg", "pulled", pulled).stdout.strip()
    for options in ([], ["--check"]):
        done = nix("nix-store", "--realise", *options, derivation)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def recipe() -> Path:
    return nix_build("-A", "examples.scripted.recipe")


@pytest.fixture(scope="module")
def expected(build: Build) -> bytes:
    return build("scripted").archive.read_bytes()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
@pytest.mark.parametrize("umask", ["0022", "0077", "0000"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "tr_TR.UTF-8"])
def test_surroundings(zone: str, umask: str, locale: str, recipe: Path, expected: bytes, tmp_path: Path) -> None:
    command = f"umask {umask}; exec {COMMAND} build {recipe} -o out.tar"
    surroundings = {**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": "random"}
    subprocess.run(["sh", "-c", command], cwd=tmp_path, env=surroundings, check=True, timeout=60)
    assert (tmp_path / "out.tar").read_bytes() == expected


def with_store(store: Path, recipe: Path, out: Path) -> bytes:
    """Build the recipe where `store` stands in the place of /nix/store, seen by this command alone."""
    script = f"mount --bind {store} /nix/store && exec {COMMAND} build {recipe} -o {out}"
    subprocess.run(["unshare", "--mount", "sh", "-ec", script], check=True, timeout=60)
    return out.read_bytes()


def closure(path: Path) -> list[Path]:
    done = nix("nix-store", "--query", "--requisites", path)
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.split()]


def test_optimised_store(recipe: Path, expected: bytes, tmp_path: Path) -> None:
    """`nix-store --optimise` turns equal files into hard links, which no tar may show."""
    copied = nix("nix", "copy", "--no-check-sigs", "--to", f"local?root={tmp_path}", recipe)
    assert copied.returncode == 0, copied.stderr
    optimised = nix("nix-store", "--store", f"local?root={tmp_path}", "--optimise")
    assert optimised.returncode == 0, optimised.stderr
    store = tmp_path / "nix/store"
    links = [path for path in store.glob("*-*/**/*") if path.is_file() and path.lstat().st_nlink > 1]
    assert links, "nothing in this closure was worth a hard link"
    assert with_store(store, recipe, tmp_path / "out.tar") == expected


def test_another_file_system_and_order(recipe: Path, expected: bytes, tmp_path: Path) -> None:
    """The same files made last first, in memory, where a directory is listed in another order, with other modes."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        store = Path(name, "store")
        for path in reversed(closure(recipe)):
            copy_reversed(path, store / path.name)
        for path in store.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(0o744 if path.stat().st_mode & 0o100 else 0o640)
        assert with_store(store, recipe, tmp_path / "out.tar") == expected


def copy_reversed(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target, follow_symlinks=False)
        return
    target.mkdir(parents=True, exist_ok=True)
    for child in sorted(source.iterdir(), reverse=True):
        copy_reversed(child, target / child.name)


def test_a_recipe_keeps_its_image_alive(recipe: Path) -> None:
    """Nix knows everything that the recipe names, and nothing else, as what it refers to."""
    document = json.loads(recipe.read_bytes())
    named = {path["path"] for layer in document["layers"] for path in layer.get("paths", [])}
    made = {layer["path"] for layer in document["layers"] if layer["kind"] == "tar"}
    assert {str(path) for path in closure(recipe)} == named | made | {str(recipe)}
