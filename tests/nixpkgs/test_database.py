"""Images whose store has a database, so that the Nix in them knows what is there."""

from __future__ import annotations

import subprocess

import pytest

from tests.nixpkgs.conftest import Examples
from tests.nixpkgs.inspection import attribute, evaluated
from tests.support.builds import environment


def requisites(path: str) -> set[str]:
    """What the host's Nix says that a store path needs."""
    done = subprocess.run(
        ["nix-store", "-qR", path], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("example", ["nix", "nixLayered", "nix-layered"])
def test_nix_knows_what_the_image_holds(examples: Examples, example: str) -> None:
    nix = evaluated("pkgs.nix.outPath")
    assert set(examples.run(example, "nix-store", "-qR", nix).split()) == requisites(nix)


@pytest.mark.parametrize("example", ["nix", "nix-layered"])
def test_references_of_a_program(examples: Examples, example: str) -> None:
    """By a link in the root, which leads into the store."""
    assert any(
        "-libc6-" in path for path in examples.run(example, "nix-store", "-q", "--references", "/bin/bash").split()
    )


def test_a_tag_that_is_a_hash(examples: Examples) -> None:
    expected = f"{attribute('nixLayered.imageName')}:{attribute('nixLayered.imageTag')}"
    assert examples.name("nixLayered") == expected
    assert expected in examples.docker.names()


@pytest.mark.parametrize("example", ["nix", "nixLayered"])
def test_links_between_programs_stay_links(examples: Examples, example: str) -> None:
    daemon = f"{evaluated('pkgs.nix.outPath')}/bin/nix-daemon"
    assert examples.run(example, "readlink", daemon) == "nix\n"


def test_a_store_path_that_is_a_file(examples: Examples) -> None:
    examples.run("filesInStore", "nix-store", "--verify", "--check-contents")
    assert examples.run("filesInStore") == "some data\n"
