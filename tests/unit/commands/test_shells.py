"""Completions in real shells, manual pages in real formatters, examples, and `--quiet`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lamina.commands.main import COMMANDS
from lamina.commands.parser import every_parser
from tests.support.fixtures import Command
from tests.support.needs import need

ASKED = {
    "lamina dif": "diff",
    "lamina diff --layer-c": "--layer-compressor",
    "lamina push --layer-compressor zstd:": "zstd:chunked",
    "lamina load --to po": "podman",
    "lamina help ve": "verify",
    "lamina completion zs": "zsh",
}
"""Command lines, and the one word that completes each."""


def output(*words: str | Path, text: str | None = None) -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shells")


def script(shell: str, lamina: Command, directory: Path) -> Path:
    file = directory / {"bash": "lamina.bash", "zsh": "_lamina", "fish": "lamina.fish"}[shell]
    file.write_bytes(lamina("completion", shell).stdout)
    return file


@pytest.mark.parametrize(("line", "word"), ASKED.items())
def test_bash(line: str, word: str, lamina: Command, directory: Path) -> None:
    words = line.split()
    asked = f"source {script('bash', lamina, directory)}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _lamina"
    assert output("bash", "-c", f'{asked}; printf "%s\\n" "${{COMPREPLY[@]}}"').split() == [word]


@pytest.mark.parametrize(("line", "word"), ASKED.items())
def test_fish(line: str, word: str, lamina: Command, directory: Path) -> None:
    need("fish", "fish")
    file = script("fish", lamina, directory)
    found = output("fish", "--no-config", "-c", f"source {file}; complete -C '{line}'")
    assert [item.partition("\t")[0] for item in found.splitlines()] == [word]


@pytest.mark.parametrize(("line", "word"), ASKED.items())
def test_zsh(line: str, word: str, lamina: Command, directory: Path) -> None:
    """In a terminal of zsh's own (zsh/zpty), where Tab is pressed, since its completion runs nowhere else."""
    need("zsh", "zsh")
    file = script("zsh", lamina, directory)
    asked = f"""
zmodload zsh/zpty
zpty shell zsh -f -i
send() {{ zpty -w shell "$1" }}
send 'PS1=; fpath=({file.parent} $fpath); autoload -U compinit; compinit -u -d {directory}/zcompdump'
send 'lamina() {{ print -r -- "<""<$*>>" }}; print rea''dy'
zpty -m -r shell text '*ready*'
zpty -w -n shell $'{line}\\t\\n'
zpty -m -r shell text '*<<*>>*'
print -r -- ${{${{text##*<<}}%%>>*}}
zpty -d shell
"""
    assert output("zsh", "-f", "-c", asked).split()[-1] == word


@pytest.mark.parametrize("name", ["", *(command.name for command in COMMANDS)])
def test_manual_pages(name: str, lamina: Command, tmp_path: Path) -> None:
    need("mandoc", "mandoc")
    page = lamina("man", *([name] if name else [])).stdout.decode()
    file = tmp_path / "page.1"
    file.write_text(page)
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", file], capture_output=True, text=True, check=False)
    # A date would make another package every day.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
    shown = re.sub(".\b", "", output("mandoc", "-T", "ascii", file))  # bold letters are typed twice
    parser = every_parser(COMMANDS)[name]
    options = [option for action in parser._actions for option in action.option_strings]
    assert all(option in shown for option in options if name)


def test_all_manual_pages_at_once(lamina: Command, tmp_path: Path) -> None:
    assert lamina("man", "--all", tmp_path / "man1").returncode == 0
    names = {file.name for file in (tmp_path / "man1").iterdir()}
    assert names == {"lamina.1", *(f"lamina-{command.name}.1" for command in COMMANDS)}
    done = lamina("man", "insepct")
    assert (done.returncode, done.stderr) == (2, b"lamina: man: unknown command 'insepct'; did you mean inspect?\n")


def test_examples(lamina: Command) -> None:
    """Each is a command line that the parser of its command takes."""
    shown = {lamina(*words).stdout for words in (["help", "examples"], ["help", "EXAMPLES"])}
    assert len(shown) == 1
    text = shown.pop().decode()
    assert all(f"  lamina {command.name} " in text for command in COMMANDS)
    for command in COMMANDS:
        parser = every_parser(COMMANDS)[command.name]
        known = {option for action in parser._actions for option in action.option_strings}
        for line, _ in command.tasks():
            words = line.partition("|")[0].partition(f"lamina {command.name}")[2].split()
            assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_can_be_quiet(command: object, lamina: Command) -> None:
    assert b"--quiet" in lamina(command.name, "--help").stdout  # type: ignore[attr-defined]
