"""Parse the command line: the parser of all commands, and what the parsers of several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

from lamina import __version__
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
    """Help as wide as the terminal. argparse itself gets the width from shutil, which imports three decompressors."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=columns() - 2)

    def add_argument(self, action: argparse.Action) -> None:
        """argparse ignores the indentation of the commands' names, so it breaks the line after the longest name."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _set_color(self, color: bool) -> None:
        """Help has no colors. Python 3.14 would import dataclasses and inspect for them, at every start (11 ms)."""
        self._theme = _NoColors()
        self._decolor = str


def columns() -> int:
    """What shutil.get_terminal_size returns."""
    configured = os.environ.get("COLUMNS", "")
    if configured.isdecimal() and len(configured) < 10 and int(configured) > 0:
        return int(configured)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:  # standard output is not a terminal
        return 80


class Parser(argparse.ArgumentParser):
    """A parser without abbreviated options. Its errors show arguments shortened and printable.

    `words` are the arguments of the requested command.
    """

    words: Sequence[str] = ()

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Exit with the error. An unknown option comes before missing arguments, since it may explain them."""
        if "arguments are required" in message:
            unknown = [word for word in self.words if self._is_unknown_option(word)]
            message = _unknown_arguments(unknown, self) if unknown else message
        super().error(printable(shortened(message)))

    def _is_unknown_option(self, word: str) -> bool:
        return word.startswith("--") and word.partition("=")[0] not in (*self._option_string_actions, "--")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit after the text of `--help` or `--version` has been written. Raises OSError: it cannot be written."""
        sys.stdout.flush()
        super().exit(status, message)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help, or raise OSError. A message for full standard error is lost, as in all versions of Python."""
        if file is sys.stdout:
            file.write(message)
            return
        try:  # noqa: SIM105 (contextlib takes a millisecond of each start)
            sys.stderr.write(message)
        except OSError:
            pass


class Command:
    """A command by its name, with a summary and an example line.

    The module `lamina.commands.<name>` has `add_arguments(parser)` and `run(options)`, which returns the exit status.
    `program` is the summary and the example, with `{}` for its name, of a program that Nix makes for one image.
    """

    def __init__(self, name: str, summary: str, example: str, program: tuple[str, str] = ("", "{}")) -> None:
        self.name = name
        self.summary = summary
        self.example = example
        self.program = program

    def tasks(self) -> Sequence[tuple[str, str]]:
        """What users do with the command: a line of shell and what it does. Imports the module."""
        return getattr(self.module(), "TASKS", ())

    def module(self) -> Any:
        """Import the module of the command."""
        name = f"lamina.commands.{self.name.replace('-', '_')}"
        __import__(name)
        return sys.modules[name]


def parse(
    words: Sequence[str], commands: Sequence[Command], internal: Sequence[Command], epilog: str
) -> argparse.Namespace:
    """Parse the command line. `run` of the result is the function of the command.

    Only the requested command is imported, because the program starts once for each derivation. `--as PROGRAM` comes
    first if a program that Nix made for one image runs the command (`nix/lib/programs.nix`): its usage then has the
    program's name, and leaves out what the program sets itself.
    """
    words = list(words)
    program = ""
    if words[:1] == ["--as"] and len(words) > 2:
        program, words = words[1], words[2:]
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    parser = Parser(prog="lamina", description="Container images from Nix store paths.", epilog=epilog)
    parser.add_argument("--version", action="version", version=f"lamina {__version__}")
    added = parser.add_subparsers(metavar="COMMAND", required=True)
    known = {command.name: command for command in (*commands, *internal)}
    requested = known.get(words[0]) if words else None
    if requested:
        needed: Sequence[Command] = [requested]
    else:
        needed = [] if words == ["--version"] else commands  # help and errors list them
    for command in needed:
        _add_command(added, command, program, is_requested=command is requested)
    if requested:
        added.choices[requested.name].words = words[1:]
    else:
        _check_first_word(parser, words, [command.name for command in commands])
    options, unknown = parser.parse_known_args(words)
    if unknown:
        own: Parser = options.parser
        own.error(_unknown_arguments(unknown, own))
    return options


def every_parser(commands: Sequence[Command], epilog: str = "") -> dict[str, Parser]:
    """The parser of each command with all its arguments, by name, and under "" that of `lamina` itself."""
    parser = Parser(prog="lamina", description="Container images from Nix store paths.", epilog=epilog)
    parser.add_argument("--version", action="version", version=f"lamina {__version__}")
    added = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        _add_command(added, command, "", is_requested=True)
    return {"": parser, **added.choices}


def tasks_text(tasks: Sequence[tuple[str, str]]) -> str:
    """A line for each task, with a comment that describes it."""
    width = max((len(line) for line, _ in tasks), default=0)
    return "".join(f"\n  {line:<{width}}  # {text}" for line, text in tasks)


def _add_command(added: Any, command: Command, program: str, *, is_requested: bool) -> None:
    summary, example = command.summary, command.example
    if program:
        summary, example = command.program[0], command.program[1].format(program)
    own = added.add_parser(
        command.name,
        help=command.summary,
        description=f"{summary[:1].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
        **({"prog": program} if program else {}),
    )
    if is_requested:
        module = command.module()
        module.add_arguments(own)
        own.set_defaults(run=module.run, parser=own)
        if "--quiet" not in own._option_string_actions:
            own.add_argument("--quiet", action="store_true", help="show no progress")
        if not program:
            own.epilog = f"{own.epilog}{tasks_text(command.tasks())}"
    if program:
        # A program's image is the only one in its recipe. `build`, which has no --tag, writes it with another --name.
        selection = {"name", "tag"} if "--tag" in own._option_string_actions else set()
        for action in own._actions:
            if action.dest in {"recipe", "image", "output", *selection}:
                action.help = argparse.SUPPRESS


def _check_first_word(parser: Parser, words: Sequence[str], commands: Sequence[str]) -> None:
    """Exit with a hint if the first word is not an option of the parser. (The caller has excluded commands.)"""
    if not words:
        parser.error("give a command; `lamina help` lists them")
    first = words[0]
    if first.startswith("-"):
        if first not in parser._option_string_actions:
            parser.error(f"unknown option {first}{did_you_mean(first, parser._option_string_actions)}")
    else:
        hint = did_you_mean(first, commands) or f"; the commands are: {', '.join(commands)}"
        parser.error(f"unknown command {first}{hint}")


def _unknown_arguments(words: Sequence[str], parser: Parser) -> str:
    first = words[0]
    if first.startswith("-"):
        return f"unknown option {first}{did_you_mean(first.partition('=')[0], parser._option_string_actions)}"
    return f"unexpected argument {first}"


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """The most similar name as the end of a message; empty if none is similar."""
    from difflib import get_close_matches  # only for errors

    names = list(names)
    near = get_close_matches(word, names, 1, 0.6)
    if not near and len(word) == 2:
        near = [name for name in names if name.startswith(f"-{word}")]  # -v is the start of --version
    if not near:
        near = [name for name in names if len(word) > 2 and name.startswith(word)]
    return f"; did you mean {near[0]}?" if near else ""


def path(text: str) -> Path:
    """A path. Raises ArgumentTypeError: no such file exists, and it is a place of an image as Skopeo spells it."""
    from pathlib import Path  # 3 ms, which `--version` has no use for

    if ":" in text and not os.path.lexists(text):
        from lamina.oci.reference import FILE_TRANSPORTS, STORE_TRANSPORTS  # only for errors

        transport, _, rest = text.partition(":")
        if transport in FILE_TRANSPORTS:
            raise argparse.ArgumentTypeError(f"{text} is Skopeo's spelling; give the path alone: {rest}")
        if "://" in text or transport in STORE_TRANSPORTS:
            raise argparse.ArgumentTypeError(
                f"{text} is not a file; copy it to one first, for example with skopeo copy"
            )
    return Path(text)


def owner(text: str) -> int:
    """The number of a user or a group."""
    number = int(text)
    if 0 <= number < 1 << 32:
        return number
    raise argparse.ArgumentTypeError(f"{number} is not from 0 to {(1 << 32) - 1}")


def seconds(text: str) -> int:
    """A time in seconds since 1970, as the header of a tar can contain it."""
    number = int(text)
    if 0 <= number < 1 << 63:
        return number
    raise argparse.ArgumentTypeError(f"{text} is not from 0 (1970) to {(1 << 63) - 1}")


def add_image(parser: argparse.ArgumentParser) -> None:
    """Add IMAGE, which `open_images` reads."""
    text = "a recipe, an archive, an OCI layout or Skopeo's dir:; - for standard input"
    parser.add_argument("image", type=path, metavar="IMAGE", help=text)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add RECIPE, which `open_recipe` reads."""
    text = "the JSON file that the attribute `recipe` of an image builds; - for standard input"
    parser.add_argument("recipe", type=path, metavar="RECIPE", help=text)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add `--name` and `--tag`, which select one image of a file with several."""
    parser.add_argument("--name", metavar="NAME", help="select one of several images by its name")
    parser.add_argument("--tag", metavar="TAG", help="select one of several images by its tag")


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="hash every layer again, even if its digest is remembered")


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add `--format`, the form that is written."""
    parser.add_argument(
        *("--format", "--layout"),
        choices=("universal", "docker-1.9", "classic", "oci-archive", "oci-layout"),
        default="universal",
        help="form of the output; an oci-layout is a directory; default: universal",
    )


def add_compressor(parser: argparse.ArgumentParser) -> None:
    """Add `--compressor`, for an archive that is compressed as a whole."""
    from lamina.data.compressors import COMPRESSORS

    parser.add_argument(
        "--compressor",
        choices=tuple(COMPRESSORS),
        default="none",
        help="how the whole archive is compressed; default: none",
    )


def add_layer_encoding(
    parser: argparse.ArgumentParser,
    text: str = "how layers are compressed, unless they are already; default: what the recipe says, or gz",
) -> None:
    """Add `--layer-compressor` and `--layer-level`, for OCI formats."""
    from lamina.data.compressors import LAYER_COMPRESSORS

    levels = "gz: 1 to 9, default 6; zstd and zstd:chunked: 1 to 3, default 2"
    parser.add_argument("--layer-compressor", choices=LAYER_COMPRESSORS, help=text)
    parser.add_argument("--layer-level", type=int, metavar="N", help=levels)


def add_annotations(
    parser: argparse.ArgumentParser,
    text: str = "annotation of the manifest; descriptor:KEY=VALUE for the descriptor in the index",
) -> None:
    """Add `--annotation`, for OCI formats."""
    parser.add_argument("--annotation", type=_key_and_value, action="append", metavar="KEY=VALUE", help=text)


def _key_and_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r:.80} has no value; write KEY=VALUE")
    return key, value


def add_platform(parser: argparse.ArgumentParser) -> None:
    """Add `--platform`, which selects one platform of an image for several."""
    parser.add_argument("--platform", metavar="OS/ARCH", help="select one of several platforms, such as linux/arm64")


def json_text(value: object, indent: int | None = 2, sort_keys: bool = False) -> str:
    """JSON for `--json`."""
    import json

    return json.dumps(value, indent=indent, sort_keys=sort_keys)


def sourcing(shell: str, script: str) -> list[str]:
    """The command line with which a shell runs the commands in the file `script`."""
    return [shell, "-euc", 'source "$1"', "script", os.path.abspath(script)]
