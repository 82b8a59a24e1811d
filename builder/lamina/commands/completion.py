"""`lamina completion`: completions for bash, zsh and fish, made from the parsers of the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

SHELLS = ("bash", "zsh", "fish")
TASKS = (
    ("lamina completion zsh > ~/.zfunc/_lamina", "for zsh, with ~/.zfunc in fpath"),
    ("lamina completion fish > ~/.config/fish/completions/lamina.fish", "for fish"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.main import COMMANDS
    from lamina.commands.parser import every_parser

    parsers = every_parser(COMMANDS)
    summaries = {command.name: command.summary for command in COMMANDS}
    print("\n".join({"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell](parsers, summaries)))
    return 0


Parsers = Mapping[str, argparse.ArgumentParser]


def _bash(parsers: Parsers, summaries: Mapping[str, str]) -> Iterator[str]:
    yield "# bash completion for lamina"
    yield "_lamina() {"
    yield '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=""'
    yield '  case "$COMP_CWORD:${COMP_WORDS[1]}" in'
    yield f"    1:*) words='help --help --version {' '.join(summaries)}' ;;"
    yield f"    *:help) words='examples {' '.join(summaries)}' ;;"
    for name in summaries:
        parser = parsers[name]
        yield f"    *:{name})"
        yield '      case "$before" in'
        for option, action in _with_values(parser):
            if action.choices:
                yield f"        {option}) words='{_choices(action)}' ;;"
            else:
                yield f'        {option}) COMPREPLY=($(compgen -f -- "$word")); return ;;'
        yield f"        *) words='{' '.join([*_options(parser), *_positional_choices(parser)])}' ;;"
        yield "      esac ;;"
    yield "  esac"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield '  [[ $COMP_CWORD -gt 1 && $word != -* && $before != -* ]] && COMPREPLY+=($(compgen -f -- "$word"))'
    yield "  return 0"
    yield "}"
    yield "complete -o filenames -F _lamina lamina"


def _zsh(parsers: Parsers, summaries: Mapping[str, str]) -> Iterator[str]:
    yield "#compdef lamina"
    yield "_lamina() {"
    yield "  local -a commands"
    yield "  commands=("
    for name, summary in {**summaries, "help": "show the options of a command"}.items():
        yield f"    {_quoted(f'{name}:{summary}')}"
    yield "  )"
    yield "  if (( CURRENT == 2 )); then"
    yield "    _describe command commands"
    yield "    return"
    yield "  fi"
    yield "  case ${words[2]} in"
    for name in summaries:
        specs = [*_zsh_options(parsers[name]), "'*:file:_files'"]
        if choices := _positional_choices(parsers[name]):
            specs[-1] = _quoted(f"1:value:({' '.join(choices)})")
        yield f"    {name}) shift words; (( CURRENT-- )); _arguments {' '.join(specs)} ;;"
    yield "    help) _describe command commands ;;"
    yield "  esac"
    yield "}"
    yield '[[ ${funcstack[1]} == _lamina ]] && _lamina "$@" || compdef _lamina lamina'


def _zsh_options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in _visible(parser):
        text = _help(action).replace("[", "(").replace("]", ")").replace(":", " ")
        value = ""
        if action.nargs != 0:
            choices = _choices(action).replace(":", r"\:")  # a colon would end the list
            value = f"':value:({choices})'" if action.choices else "':value:_files'"
        for option in action.option_strings:
            yield _quoted(f"{option}[{text}]") + value


def _fish(parsers: Parsers, summaries: Mapping[str, str]) -> Iterator[str]:
    yield "# fish completion for lamina"
    for name, summary in {**summaries, "help": "show the options of a command"}.items():
        yield f"complete -c lamina -n __fish_use_subcommand -f -a {name} -d {_quoted(summary)}"
    yield f"complete -c lamina -n '__fish_seen_subcommand_from help' -f -a {_quoted(' '.join(summaries))}"
    yield "complete -c lamina -n __fish_use_subcommand -l version -d 'show the version'"
    for name in summaries:
        condition = f"complete -c lamina -n '__fish_seen_subcommand_from {name}'"
        for action in _visible(parsers[name]):
            words = [f"-l {option[2:]}" for option in action.option_strings if option.startswith("--")]
            words += [f"-s {option[1:]}" for option in action.option_strings if not option.startswith("--")]
            if action.nargs != 0:
                words.append(f"-x -a {_quoted(_choices(action))}" if action.choices else "-r")
            yield f"{condition} {' '.join(words)} -d {_quoted(_help(action))}"
        if choices := _positional_choices(parsers[name]):
            yield f"{condition} -f -a {_quoted(' '.join(choices))}"


def _visible(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options that help shows."""
    return [action for action in parser._actions if action.option_strings and action.help != argparse.SUPPRESS]


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in _visible(parser) for option in action.option_strings]


def _with_values(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.Action]]:
    """Each option that takes a value."""
    return [(option, action) for action in _visible(parser) if action.nargs != 0 for option in action.option_strings]


def _positional_choices(parser: argparse.ArgumentParser) -> list[str]:
    found = (action.choices for action in parser._actions if not action.option_strings and action.choices)
    return [str(choice) for choices in found for choice in choices]


def _choices(action: argparse.Action) -> str:
    return " ".join(str(choice) for choice in action.choices or ())


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _quoted(text: str) -> str:
    """A word in quotes, for any of these shells."""
    return "'" + text.replace("\\", "").replace("'", "'\\''") + "'"
