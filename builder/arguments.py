"""What the parsers of all commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from builder.errors import printable, shortened

TYPE_CHECKING = False  # typing's own would import typing, a third of the time that `lamina --version` takes
if TYPE_CHECKING:
    from typing import NoReturn, TypeAlias


class Parser(argparse.ArgumentParser):
    """Repeats what it was given only as far as it can be printed."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(shortened(message)))


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What `add_subparsers` returns: argparse has no other name for it."""


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", epilog=f"example: {example}"
    )
    parser.set_defaults(run=run)
    return parser


def owner(text: str) -> int:
    number = int(text)
    if 0 <= number < 1 << 32:
        return number
    raise argparse.ArgumentTypeError(f"{number} is not from 0 to {(1 << 32) - 1}")
