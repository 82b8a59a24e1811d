"""What the parsers of all commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from lamina.data.compressors import COMPRESSORS
from lamina.errors import printable, shortened

TYPE_CHECKING = False  # typing's own would import typing, a third of the time that `lamina --version` takes
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn


class _NoColors:
    """A theme of argparse in which every color is the empty string."""

    def __getattr__(self, name: str) -> str:
        return ""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse asks for that through shutil, which brings three decompressors with it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _set_color(self, color: bool) -> None:
        """Help has no colors. Python 3.14 would import dataclasses and inspect for them, at every start (11 ms)."""
        self._theme = _NoColors()
        self._decolor = str


def _columns() -> int:
    """What shutil.get_terminal_size tells."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:  # standard output is no terminal
        return 80


class Parser(argparse.ArgumentParser):
    """Repeats what it was given only as far as it can be printed."""

    def __init__(self, **how: Any) -> None:
        super().__init__(formatter_class=Formatter, **how)

    def error(self, message: str) -> NoReturn:
        super().error(printable(shortened(message)))


class Command:
    """A command by its name, with a summary and an example line.

    The module `lamina.commands.<name>` has `add_arguments(parser)` and `run(options)`, which returns the exit status.
    """

    def __init__(self, name: str, summary: str, example: str) -> None:
        self.name = name
        self.summary = summary
        self.example = example

    def module(self) -> Any:
        """Import the module of the command."""
        name = f"lamina.commands.{self.name.replace('-', '_')}"
        __import__(name)
        return sys.modules[name]


def add_commands(
    parser: Parser, commands: Sequence[Command], internal: Sequence[Command], words: Sequence[str]
) -> None:
    """Add the command that the words start with, or, if there is none, all of `commands` as a list.

    Only the requested command is imported: the builder starts once for each derivation.
    """
    added = parser.add_subparsers(metavar="COMMAND", required=True)
    requested = [command for command in (*commands, *internal) if command.name in words[:1]]
    for command in requested or commands:
        description = f"{command.summary[0].upper()}{command.summary[1:]}."
        own = added.add_parser(
            command.name, help=command.summary, description=description, epilog=f"example: {command.example}"
        )
        if requested:
            module = command.module()
            module.add_arguments(own)
            own.set_defaults(run=module.run)


def path(text: str) -> Path:
    from pathlib import Path  # 3 ms, which `--version` has no use for

    return Path(text)


def owner(text: str) -> int:
    number = int(text)
    if 0 <= number < 1 << 32:
        return number
    raise argparse.ArgumentTypeError(f"{number} is not from 0 to {(1 << 32) - 1}")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add `--name` and `--tag`, which select one image of a file with several."""
    parser.add_argument("--name", metavar="NAME", help="select an image of IMAGE by its name")
    parser.add_argument("--tag", metavar="TAG", help="select an image of IMAGE by its tag")


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="hash every layer again, even if its digest is remembered")


def add_compressor(parser: argparse.ArgumentParser) -> None:
    """Add `--compressor`, for an archive that is compressed as a whole."""
    parser.add_argument("--compressor", choices=tuple(COMPRESSORS), default="none", help="default: none")


def json_text(value: object, indent: int | None = 2, sort_keys: bool = False) -> str:
    """JSON for `--json`."""
    import json

    return json.dumps(value, indent=indent, sort_keys=sort_keys)


def sourcing(shell: str, script: str) -> list[str]:
    """The words that make a shell run the commands in the file `script`."""
    return [shell, "-euc", 'source "$1"', "script", os.path.abspath(script)]
