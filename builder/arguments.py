"""What the parsers of all commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from builder.errors import printable, shortened

TYPE_CHECKING = False  # typing's own would import typing, a third of the time that `lamina --version` takes
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn


class Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse asks for that through shutil, which brings three decompressors with it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


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
    """A command by its name: `what` it does, an example, what `takes` adds to its parser, and what it runs."""

    def __init__(
        self,
        name: str,
        what: str,
        example: str,
        takes: Callable[[argparse.ArgumentParser], object],
        run: Callable[[argparse.Namespace], int],
    ) -> None:
        self.name = name
        self.what = what
        self.example = example
        self.takes = takes
        self.run = run


def add_commands(parser: Parser, commands: Sequence[Command], words: Sequence[str]) -> None:
    """The commands that the words can mean: that which they start with, or all, for a list of them.

    A parser of each, with all that it takes, would cost more time than a recipe does.
    """
    added = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in [one for one in commands if one.name in words[:1]] or commands:
        description = f"{command.what[0].upper()}{command.what[1:]}."
        own = added.add_parser(
            command.name, help=command.what, description=description, epilog=f"example: {command.example}"
        )
        if command.name in words:
            command.takes(own)
            own.set_defaults(run=command.run)


def path(text: str) -> Path:
    from pathlib import Path  # 3 ms, which `--version` has no use for

    return Path(text)


def owner(text: str) -> int:
    number = int(text)
    if 0 <= number < 1 << 32:
        return number
    raise argparse.ArgumentTypeError(f"{number} is not from 0 to {(1 << 32) - 1}")
