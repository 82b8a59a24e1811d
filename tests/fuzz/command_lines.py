"""Command lines of every command: words of the real parsers and odd ones, run by `main` in this process.

Whatever the words: the exit status is 0, 1 or 2, what is wrong is said in lines that begin with the program's name, and
there is no traceback. Files are only written in a directory that is gone afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from lamina.commands.main import COMMANDS, INTERNAL_COMMANDS, main
from lamina.commands.parser import Command, Parser
from lamina.image import workers
from tests.support.archives import docker_save, oci_archive, sample
from tests.support.recipes import recipe, root_layer, save, write_recipe
from tests.support.trees import make_tree

RUN_SCRIPTS = ("run-as-root", "fake-root")
"""They start what the words say, as root: nothing for words made at random."""

TRIED: tuple[Command, ...] = tuple(each for each in (*COMMANDS, *INTERNAL_COMMANDS) if each.name not in RUN_SCRIPTS)

FILES = (
    *("recipe.json", "docker.tar", "oci.tar", "tree", "folder", "empty", "text", "fifo", "loop", "gone", "gone/deeper"),
    *("tree/etc/motd", "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/proc", "-"),
)
"""Paths. A word with a slash in it that is none of them is changed, so that nothing outside is written."""

ODD = (
    *(
        "",
        " ",
        "--",
        "-",
        "-1",
        "0",
        "00",
        "1e9",
        "9" * 30,
        "0x10",
        "nan",
        "\0",
        "a\0b",
        "\udcff",
        "\u202e",
        "\x1b[31m",
    ),
    *("x" * 5000, "é", "*", "~", "a:b", "a@b", "redis:7", ":", "@", "=", ",", "all", "mesos,,podman", "linux", "amd64"),
    *(
        "linux/s390x",
        "windows/amd64",
        "plan9",
        "sha256:",
        "sha512:" + "a" * 128,
        "127.0.0.1:0",
        ":99999",
        "none",
        "gzip",
    ),
)


BEGINS = ("lamina: ", "-> ")
"""How a line of standard error begins; the second are what `prefetch` finds out, as nix-prefetch-docker prints it."""


@functools.cache
def vocabulary(name: str) -> tuple[str, ...]:
    """The options of a command and their choices, as its own parser has them."""
    parser = Parser(prog=name)
    next(each for each in TRIED if each.name == name).module().add_arguments(parser)
    choices = [str(choice) for action in parser._actions for choice in action.choices or ()]
    return tuple(dict.fromkeys([*parser._option_string_actions, *choices]))


def command_line(data: bytes) -> None:
    """The words are the lines of the data."""
    words = [safe(os.fsdecode(line)) for line in data.split(b"\n")][:12]
    if words[0] in RUN_SCRIPTS:
        return
    with workplace():
        check(words, *run(words))


def safe(word: str) -> str:
    if word in FILES or word in ("linux/s390x", "windows/amd64"):
        return word
    return word.replace("/", "_").replace("..", "__")


def check(words: list[str], status: int, printed: str, errors: str) -> None:
    assert status in (0, 1, 2), (words, status)
    assert "Traceback" not in errors and "Exception ignored" not in errors, errors
    assert all(line.isprintable() for line in errors.splitlines()), errors
    lines = errors.splitlines()
    if status == 1 and words[:1] != ["diff"]:
        assert lines and all(line.startswith(BEGINS) for line in lines), (words, errors)
    if status == 2:
        assert lines and lines[-1].startswith("lamina") and len(lines[-1]) < 20_000, (words, errors)
    assert status or not lines or lines[0].startswith("lamina"), (words, errors)


def run(words: list[str]) -> tuple[int, str, str]:
    """The exit status, and what went to standard output and standard error."""
    with captured() as (out, err):
        try:
            status = main(words)
        except SystemExit as end:  # --help and --version, and usage errors of argparse
            status = end.code if isinstance(end.code, int) else 3
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        sys.stderr.flush()
        return status, text_of(out), text_of(err)


def text_of(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 20, 0).decode(errors="replace")


@contextlib.contextmanager
def captured() -> Iterator[tuple[int, int]]:
    """Standard input is an archive; what is written to the other two goes to files in memory."""
    given = os.memfd_create("in")
    os.write(given, Path("docker.tar").read_bytes())
    os.lseek(given, 0, os.SEEK_SET)
    out, err = os.memfd_create("out"), os.memfd_create("err")
    kept = [os.dup(number) for number in (0, 1, 2)]
    streams = sys.stdout, sys.stderr
    for number, target in enumerate((given, out, err)):
        os.dup2(target, number)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = streams
        for number, target in enumerate(kept):
            os.dup2(target, number)
        for descriptor in (*kept, given, out, err):
            os.close(descriptor)


@contextlib.contextmanager
def workplace() -> Iterator[None]:
    """A directory with files of every kind, without programs on the PATH and without a network."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as name, alone(name):
        directory = Path(name)
        os.chdir(directory)
        try:
            tree = make_tree(directory / "tree", {"etc/motd": b"hello\n"})
            write_recipe(recipe(root_layer(tree)), directory)
            save(docker_save([sample()]), directory / "docker.tar")
            save(oci_archive([sample()]), directory / "oci.tar")
            (directory / "folder").mkdir()
            (directory / "empty").touch()
            (directory / "text").write_text("no image\n")
            (directory / "loop").symlink_to("loop")
            os.mkfifo(directory / "fifo")
            reader = os.open(directory / "fifo", os.O_RDWR | os.O_NONBLOCK)  # or who writes to it would wait
            try:
                yield
            finally:
                os.close(reader)
        finally:
            os.chdir(here)


@contextlib.contextmanager
def alone(home: str) -> Iterator[None]:
    settings = {"HOME": home, "TMPDIR": home, "PATH": "", "COLUMNS": "80"}
    refused = OSError(errno.EADDRINUSE, "no network here")
    unknown = socket.gaierror(socket.EAI_NONAME, "no network here")
    with (
        mock.patch.dict(os.environ, settings, clear=True),
        mock.patch.object(socket.socket, "bind", side_effect=refused, create=True),
        mock.patch.object(socket.socket, "connect", side_effect=refused, create=True),
        mock.patch.object(socket, "getaddrinfo", side_effect=unknown),
        mock.patch.object(workers, "_WORTH_FORKING", 1 << 60),
    ):
        yield


def seeds() -> list[bytes]:
    """Each command with each of its options, and with files of each kind."""
    lines = [
        [each.name, *words] for each in TRIED for words in (["--help"], ["recipe.json"], ["docker.tar", "-o", "-"])
    ]
    return ["\n".join(line).encode() for line in lines]
