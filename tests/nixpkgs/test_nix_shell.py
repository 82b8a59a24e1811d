"""The images in which one stands where nix-shell would stand."""

from __future__ import annotations

from tests.nixpkgs.conftest import Examples

HELLO = "Hello, world!"
# A terminal makes the shell one that people type into.
TERMINAL = ["--tty"]


def test_the_derivation_is_built(examples: Examples) -> None:
    printed = examples.run("nix-shell-basic", "bash", "-c", 'buildDerivation && "$out/bin/hello"')
    assert HELLO in printed.splitlines()


def test_the_hook_runs(examples: Examples) -> None:
    assert examples.run("nix-shell-hook", options=TERMINAL).split("\r\n") == ["the hook ran before anything else", ""]


def test_inputs_are_on_the_path(examples: Examples) -> None:
    assert HELLO in examples.run("nix-shell-inputs", options=TERMINAL)


def test_what_is_passed_as_a_file(examples: Examples) -> None:
    assert "too long for a variable" in examples.run("nix-shell-pass-as-file", options=TERMINAL)


def test_run_is_for_programs(examples: Examples) -> None:
    assert examples.run("nix-shell-run") == "for programs\n"
    assert examples.run("nix-shell-run", options=TERMINAL) == "for programs\r\n"


def test_command_is_for_people(examples: Examples) -> None:
    assert "for people" in examples.run("nix-shell-command", options=TERMINAL)


def test_home_may_be_written_to(examples: Examples) -> None:
    assert examples.run("nix-shell-writable-home") == "nixbld writes to /build\n"


def test_home_need_not_be_there(examples: Examples) -> None:
    assert examples.run("nix-shell-nonexistent-home") == "nixbld has no home\n"


def test_the_derivation_is_built_by_a_command(examples: Examples) -> None:
    assert HELLO in examples.run("nix-shell-build-derivation").splitlines()
