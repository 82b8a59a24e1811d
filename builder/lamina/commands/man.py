"""`lamina man`: manual pages, made from the parsers of the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from lamina.errors import BadUsage

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from lamina.commands.parser import Command

TASKS = (
    ("lamina man | man -l -", "the page of lamina itself"),
    ("lamina man --all ~/.local/share/man/man1", "all pages as files"),
)

_STATUS = (("0", "success"), ("1", "bad input"), ("2", "bad usage"))
_FILES = (
    ("XDG_CACHE_HOME", "remembered digests of layers are in the directory lamina there; default: ~/.cache"),
    ("NO_COLOR", "if it is not empty, output has no colors"),
    ("COLUMNS", "columns of the terminal"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="the command; default: lamina itself")
    parser.add_argument("--all", metavar="DIRECTORY", help="write all pages into this directory instead")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.main import COMMANDS
    from lamina.commands.parser import did_you_mean

    names = [command.name for command in COMMANDS]
    if options.all is not None:
        return _write_all(options.all, COMMANDS)
    if options.command and options.command not in names:
        hint = did_you_mean(options.command, names).removeprefix("; ") or f"the commands are: {', '.join(names)}"
        raise BadUsage("man", f"unknown command {options.command!r:.60}", hint)
    print("\n".join(page(options.command or "", COMMANDS)))
    return 0


def _write_all(directory: str, commands: Sequence[Command]) -> int:
    from pathlib import Path

    from lamina.data.output import whole_file

    Path(directory).mkdir(parents=True, exist_ok=True)
    for name in ("", *(command.name for command in commands)):
        file = f"lamina-{name}.1" if name else "lamina.1"
        with whole_file(Path(directory, file)) as out:
            out.write("\n".join([*page(name, commands), ""]).encode())
    return 0


def page(name: str, commands: Sequence[Command]) -> Iterator[str]:
    """The page of a command, or of `lamina` itself, as roff with the macros of man(7)."""
    from lamina import __version__
    from lamina.commands.parser import every_parser

    parsers = every_parser(commands)
    title = f"lamina-{name}" if name else "lamina"
    summaries = {command.name: command.summary for command in commands}
    yield f'.TH {title.upper()} 1 "" "lamina {__version__}" "Lamina"'
    yield ".SH NAME"
    yield f"{_text(title)} \\- {_text(summaries.get(name, 'container images from Nix store paths'))}"
    yield ".SH SYNOPSIS"
    yield from _synopsis(parsers[name])
    if name:
        yield from _arguments(parsers[name])
        [command] = [command for command in commands if command.name == name]
        yield from _tasks([(command.example, command.summary), *command.tasks()])
    else:
        yield from _commands(summaries)
    yield ".SH EXIT STATUS"
    status = (*_STATUS, ("3", "with --exit-code: the images differ")) if name == "diff" else _STATUS
    yield from _listed(status)
    yield ".SH ENVIRONMENT"
    yield from _listed(_FILES)
    yield ".SH SEE ALSO"
    others = [f"lamina-{other}" for other in summaries if other != name] if not name else ["lamina"]
    yield ",\n".join(f".BR {_text(other)} (1)" for other in others).replace(",\n", " ,\n")


def _synopsis(parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = parser.format_usage().removeprefix("usage: ").split()
    words = parser.prog.split()
    yield f".B {_text(' '.join(words))}"
    yield _text(" ".join(usage[len(words) :]))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    yield _text(parser.description or "")
    yield ".SH ARGUMENTS AND OPTIONS"
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        yield ".TP"
        yield f".B {_text(_spelling(action))}"
        yield _text((action.help or "").replace("%%", "%"))


def _spelling(action: argparse.Action) -> str:
    """The argument as it is written on a command line."""
    value = str(action.metavar or (action.dest.upper() if not action.choices else "|".join(map(str, action.choices))))
    if not action.option_strings:
        return value
    suffix = "" if action.nargs == 0 else f" {value}"
    return ", ".join(f"{option}{suffix}" for option in action.option_strings)


def _commands(summaries: Mapping[str, str]) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    yield "Lamina builds, examines, compares and loads container images that are made from Nix store paths."
    yield "Most commands take a recipe, an archive of any tool, or an OCI layout."
    yield ".SH COMMANDS"
    yield from _listed([(f"lamina-{name}(1)", summary) for name, summary in summaries.items()])


def _tasks(tasks: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield ".SH EXAMPLES"
    yield from _listed(tasks)


def _listed(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield ".TP"
        yield f".B {_text(term)}"
        yield _text(text)


def _text(text: str) -> str:
    """Text that roff prints as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
