"""What reports say about images that Nix built agrees with Nix."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lamina.recipe.open import open_image
from lamina.report.contents import Contents, contents_of
from lamina.report.graph import chain, distances
from lamina.report.references import searched
from tests.support.builds import nix, nix_builds
from tests.support.needs import need
from tests.support.selection import thorough

EXAMPLE = "examples.web"


@pytest.fixture(scope="module")
def built() -> tuple[Path, Path]:
    recipe, archive = nix_builds("-A", f"{EXAMPLE}.recipe", "-A", EXAMPLE)
    return recipe, archive


@pytest.fixture(scope="module")
def of_recipe(built: tuple[Path, Path]) -> Contents:
    return contents_of(open_image(built[0]), files=True)


def references(path: str) -> tuple[str, ...]:
    return tuple(sorted(nix("nix-store", "-q", "--references", path).stdout.split()))


def test_references_of_a_recipe_are_those_of_nix(of_recipe: Contents) -> None:
    assert len(of_recipe.paths) > 3
    assert {path: known.references for path, known in of_recipe.paths.items()} == {
        path: references(path) for path in of_recipe.paths
    }


def test_an_archive_tells_the_same_as_its_recipe(built: tuple[Path, Path], of_recipe: Contents) -> None:
    of_archive = searched(contents_of(open_image(built[1]), files=True))
    assert {path: known.references for path, known in of_archive.paths.items()} == {
        path: known.references for path, known in of_recipe.paths.items()
    }
    assert [layer.paths for layer in of_archive.layers] == [layer.paths for layer in of_recipe.layers]
    assert [layer.files for layer in of_archive.layers] == [layer.files for layer in of_recipe.layers]


def test_a_database_in_the_image_is_used() -> None:
    [archive] = nix_builds(
        "-E",
        'let l = import ./. { }; in l.buildImage { name = "db"; copyToRoot = l.pkgs.busybox; includeNixDB = true; }',
    )
    found = contents_of(open_image(archive))
    assert found.paths
    assert found.has_references
    assert {path: known.references for path, known in found.paths.items()} == {
        path: references(path) for path in found.paths
    }


def depends(start: str, target: str) -> int | None:
    """How many store paths are on the shortest way of references, as `nix why-depends` prints it; None without one."""
    done = nix("nix", "--extra-experimental-features", "nix-command", "why-depends", start, target)
    assert done.returncode == 0, done.stderr
    return sum("/nix/store/" in line for line in done.stdout.splitlines()) or None


def check_pairs(contents: Contents, count: int) -> None:
    choice = random.Random(19)
    paths = sorted(contents.paths)
    found = 0
    for _ in range(count):
        start, target = choice.sample(paths, 2)
        steps = distances(contents.paths, target)
        way = chain(contents.paths, start, steps) if start in steps else None
        assert (way and len(way)) == depends(start, target), (start, target)
        found += way is not None
    assert found, "of these pairs, some have a chain"


def test_why_agrees_with_nix(of_recipe: Contents) -> None:
    check_pairs(of_recipe, 10)


@thorough
def test_why_agrees_with_nix_on_fifty_pairs_of_a_large_closure() -> None:
    from bench import closures

    need("apt-get", "apt")
    closures.download(["large"])
    check_pairs(contents_of(open_image(closures.recipe("large", "1", "bench"))), 50)
