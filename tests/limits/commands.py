"""Command lines for every command that reads an image, made from the program's own list of commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from lamina.commands.main import COMMANDS, INTERNAL_COMMANDS
from lamina.commands.parser import Command
from tests.support.recipes import recipe, write_recipe

Line = Callable[[Path, Path], list[object]]
"""The words of a command line, for an image and a directory for what is written."""

VARIANTS: dict[str, list[list[str]]] = {
    "verify": [[], ["--for", "all"]],
    "inspect": [[], ["--json", "--layers", "--tree", "--files", "*"]],
    "convert": [[], ["--format", "oci-archive", "--layer-compressor", "zstd:chunked", "--again"]],
    "export": [["--name", "x/y"]],
    "serve": [["--json", "--listen", "127.0.0.1:0"]],
}
"""Options with which a command does other work; each is measured."""

NOT_MEASURED = {
    "prefetch": "it reads a registry, whose answers have limits of their own",
    "attach": "it reads a registry, and a document with a limit",
    "recipe": "it reads the attributes of a derivation, and of a base only what `build` reads, too",
    "completion": "it reads nothing",
    "man": "it reads nothing",
    "pack": "it reads directories",
    "fake-root": "it reads a directory",
    "run-as-root": "it runs a script on the base, which `export` reads in the same way",
}

_CLIENT = """#!/bin/sh
cat >/dev/null
test "$1" != load || echo "Loaded image: x/y:1"
"""

_SKOPEO = """#!/bin/sh
case "$*" in
  *--version*) echo "skopeo version 1.18.0" ;;
  *inspect*) echo 'time="" level=fatal msg="reading manifest: manifest unknown"' >&2; exit 1 ;;
esac
"""
"""Talks to a registry that has nothing and takes everything."""

_POLICY = """
[budget]
size = "1 MB"
layers = 2
update = 0
[forbidden]
paths = ["perl-*"]
files = ["/root/*"]
compilers = true
dev-outputs = true
secrets = true
setuid = true
except = ["/bin/su"]
[required]
certificates = true
tmp = true
numeric-user = true
files = ["/bin/sh"]
[licenses]
allowed = ["MIT"]
unknown = false
"""
"""With every kind of rule."""


def clients(directory: Path) -> Path:
    """A directory with clients of daemons that hold nothing and take everything, for commands that send an image."""
    directory.mkdir(exist_ok=True)
    for name in ("docker", "podman", "ctr", "skopeo"):
        (directory / name).write_text(_SKOPEO if name == "skopeo" else _CLIENT)
        (directory / name).chmod(0o755)
    return directory


def command_lines() -> dict[str, Line]:
    """By a name that a test shows."""
    found: dict[str, Line] = {}
    for command in (*COMMANDS, *INTERNAL_COMMANDS):
        if command.name not in NOT_MEASURED:
            for options in VARIANTS.get(command.name, [[]]):
                found[" ".join([command.name, *options])] = _line(command, options)
    return found


def _line(command: Command, options: list[str]) -> Line:
    parser = argparse.ArgumentParser()
    command.module().add_arguments(parser)

    def words(image: Path, directory: Path) -> list[object]:
        result: list[object] = [command.name, *options]
        for action in parser._actions:
            if action.required and not (action.option_strings and action.option_strings[0] in options):
                result += [*action.option_strings[:1], *_value(action, image, directory)]
        return [*result, *_further(command, directory)]

    return words


def _further(command: Command, directory: Path) -> list[object]:
    """Options without which the command would do less."""
    if command.name != "check":
        return []
    policy = directory / "policy.toml"
    policy.write_text(_POLICY)
    return ["--policy", policy]


def _value(action: argparse.Action, image: Path, directory: Path) -> list[object]:
    """What is given for an argument, by its name in the help."""
    name = str(action.metavar or action.dest).upper()
    if "RECIPE" in name:
        return [_recipe_on(image)]
    if any(word in name for word in ("IMAGE", "ARCHIVE", "OLD", "NEW")):
        return [image] * (2 if action.nargs == "+" else 1)
    if name == "PATH":
        return [f"{'0' * 32}-x"]
    if action.choices:
        return [next(iter(action.choices))]
    if any(word in name for word in ("DEST", "REGISTRY", "REPOSITORY", "TARGET", "REFERENCE", "://")):
        return ["docker://127.0.0.1:1/x/y:1"]
    return [directory / "made"]


def _recipe_on(image: Path) -> Path:
    """A recipe for an image on this base."""
    return write_recipe(recipe(base={"path": str(image), "name": "x/y", "tag": None}), image.parent)
