"""Scripts that run as root in an image, or that have it as their root."""

from __future__ import annotations

import tarfile

from tests.nixpkgs.conftest import Examples
from tests.support.builds import ROOT, nix_build

HELLO = "Hello, world!"


def test_both_kinds_of_scripts(examples: Examples) -> None:
    printed = examples.run("runAsRootExtraCommands", "cat", "by-root", "by-builder")
    assert printed == "it's $ROOT's \"word\"\nit's the $BUILDER's \"word\"\n"


def test_root_sees_the_layers_in_their_order(examples: Examples) -> None:
    assert examples.run("layersUnpackOrder", "cat", "/layer-order") == "abc"


def test_root_on_a_base(examples: Examples) -> None:
    assert examples.run("runAsRootParentImage", "ls", "/example-file") == "/example-file\n"


def test_root_on_a_base_with_a_layer_twice(examples: Examples) -> None:
    [name] = examples.docker.load(nix_build(ROOT / "tests/nixpkgs/repeated-layer.nix"))
    assert examples.run_name(name, "cat", "/by-root") == "found\n"


def test_an_exported_root(examples: Examples) -> None:
    with tarfile.open(examples.built["exportBash"]) as archive:
        names = archive.getnames()
    assert "./bin/bash" in names
    assert len(names) == len(set(names))


def test_a_script_with_the_image_as_its_root(examples: Examples) -> None:
    assert HELLO in examples.run("imageViaFakeChroot")


def test_etc_out_of_the_store(examples: Examples) -> None:
    assert "localhost" in examples.run("etc")


def test_owners_that_a_script_gives(examples: Examples) -> None:
    assert examples.run("etc", "stat", "-c", "%u:%g", "/etc/passwd") == "12345:12345\n"
