"""An output is what the user named: a link stays a link, and what is no file is written to or refused."""

from __future__ import annotations

import os
import pty
import shlex
import socket
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.planning.lock import read_lock
from tests.support.archives import docker_save, sample
from tests.support.fixtures import Command
from tests.support.needs import need_root
from tests.support.recipes import recipe, save, store_layer, write_recipe
from tests.support.trees import Store, make_tree


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Path:
    return write_recipe(recipe(store_layer(store.add("one", {"f": b"x" * 100_000}))), tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return save(docker_save([sample()]), tmp_path / "archive.tar")


Writing = Callable[..., list[object]]
"""A command that writes to an output."""


def build(image: Path, archive: Path, output: object) -> list[object]:
    return ["build", image, "-o", output]


def build_gz(image: Path, archive: Path, output: object) -> list[object]:
    return ["build", image, "-o", output, "--compressor", "gz"]


def merge(image: Path, archive: Path, output: object) -> list[object]:
    return ["merge", image, archive, "-o", output]


def export(image: Path, archive: Path, output: object) -> list[object]:
    return ["export", archive, "-o", output]


def lock(image: Path, archive: Path, output: object) -> list[object]:
    return ["plan", image, "--lock", output]


def pack(image: Path, archive: Path, output: object) -> list[object]:
    return ["pack", make_tree(image.parent / "packed", {"f": b"x"}), "-o", output]


WRITING = (build, build_gz, merge, export, lock, pack)


@pytest.fixture(params=WRITING, ids=lambda writing: writing.__name__)
def writing(request: pytest.FixtureRequest, image: Path, archive: Path) -> Callable[[object], list[object]]:
    command: Writing = request.param
    return lambda output: command(image, archive, output)


@pytest.fixture(params=(build, build_gz, lock), ids=lambda writing: writing.__name__)
def each_way(request: pytest.FixtureRequest, image: Path, archive: Path) -> Callable[[object], list[object]]:
    """One command for each way to write: a file that can seek, a compressed one, a small one."""
    command: Writing = request.param
    return lambda output: command(image, archive, output)


Words = Callable[[object], list[object]]


def test_a_link_is_followed(writing: Words, lamina: Command, tmp_path: Path) -> None:
    target = make_tree(tmp_path / "elsewhere", {}) / "target"
    target.write_bytes(b"before")
    (tmp_path / "middle").symlink_to("elsewhere/target")
    (tmp_path / "link").symlink_to(tmp_path / "middle")
    done = lamina(*writing("link"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "link").is_symlink() and (tmp_path / "middle").is_symlink()
    assert target.read_bytes() != b"before" and not target.is_symlink()
    assert os.listdir(target.parent) == ["target"]


def test_a_link_to_a_name_that_is_free(writing: Words, lamina: Command, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    assert lamina(*writing("link")).returncode == 0
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").is_file()


def test_a_link_in_the_path(lamina: Command, image: Path, tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    assert lamina("build", image, "-o", "link/../out.tar").returncode == 0
    assert (tmp_path / "real/out.tar").is_file()


def a_directory(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))


def a_disk(path: Path) -> None:
    need_root()
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 250))


def a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_into_the_store(path: Path) -> None:
    path.symlink_to("/nix/store/00000000000000000000000000000000-image.tar")


def a_file_below_a_file(path: Path) -> None:
    path.with_name("file").write_bytes(b"")
    path.symlink_to("file/below")


REFUSED = (a_directory, a_socket, a_disk, a_circle, a_link_into_the_store, a_file_below_a_file)


@pytest.mark.parametrize("through", ["itself", "a link"])
@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_what_can_be_no_output_is_refused(
    kind: Callable[[Path], None], through: str, each_way: Words, lamina: Command, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out"
    kind(path)
    if through == "a link":
        (tmp_path / "link").symlink_to("out")
        path = tmp_path / "link"
    words = each_way(path.name)
    before = {name: os.lstat(tmp_path / name) for name in sorted(os.listdir(tmp_path))}
    done = lamina(*words)
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (1, 1, b""), done.stderr
    assert done.stderr.startswith(b"lamina: " + path.name.encode())
    after = {name: os.lstat(tmp_path / name) for name in sorted(os.listdir(tmp_path))}
    assert [(name, found.st_ino, found.st_mode) for name, found in before.items()] == [
        (name, found.st_ino, found.st_mode) for name, found in after.items()
    ]


@pytest.mark.parametrize("name", ["new/", "./", ".", "..", "", "/"])
def test_the_name_of_a_directory(name: str, lamina: Command, image: Path, tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    done = lamina("build", image, "-o", name)
    assert done.returncode == 1 and b"is the name of a directory; give the name of a file" in done.stderr
    assert sorted(os.listdir(tmp_path)) == before


def shell(line: str, writing: Words, output: str, directory: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the command where `LAMINA` stands in a line for bash."""
    command = shlex.join([sys.executable, "-m", "lamina", *map(str, writing(output))])
    line = line.replace("LAMINA", command)
    return subprocess.run(["bash", "-c", line], cwd=directory, capture_output=True, timeout=60)


LINES: dict[str, tuple[str, str]] = {
    "standard output": ("/dev/stdout", "LAMINA > got"),
    "standard output, appended to": ("/dev/stdout", "printf before > got; LAMINA >> got"),
    "standard output, piped": ("/dev/stdout", "LAMINA | cat > got"),
    "a descriptor": ("/dev/fd/5", "LAMINA 5> got > /dev/null"),
    "a descriptor of the process": ("/proc/self/fd/5", "LAMINA 5> got > /dev/null"),
    "a link to standard output": ("link", "ln -s /dev/stdout link; LAMINA > got"),
    "a process substitution": ("/dev/fd/5", "LAMINA 5> >(cat > got) > /dev/null; exec 5>&-; sleep 0.5"),
    "a named pipe": ("pipe", "mkfifo pipe; cat pipe > got & LAMINA > /dev/null; wait"),
    "a link to a named pipe": ("link", "mkfifo pipe; ln -s pipe link; cat pipe > got & LAMINA > /dev/null; wait"),
}


@pytest.mark.parametrize("output, line", LINES.values(), ids=LINES)
def test_pipes_and_descriptors_are_written_to(output: str, line: str, each_way: Words, tmp_path: Path) -> None:
    plain = shell("LAMINA", each_way, "plain", tmp_path)
    assert plain.returncode == 0, plain.stderr
    special = {path: os.lstat(path) for path in ("/dev/stdout", "/dev/null")}
    done = shell(line, each_way, output, tmp_path)
    assert done.returncode == 0, done.stderr
    got = (tmp_path / "got").read_bytes().removeprefix(b"before" if "printf" in line else b"")
    assert got == (tmp_path / "plain").read_bytes()
    assert {path: os.lstat(path).st_ino for path in special} == {path: at.st_ino for path, at in special.items()}
    assert not (tmp_path / "pipe").exists() or stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_devices_are_written_to(writing: Words, lamina: Command) -> None:
    before = os.lstat("/dev/null")
    assert lamina(*writing("/dev/null")).returncode == 0
    after = os.lstat("/dev/null")
    assert (before.st_ino, before.st_rdev, before.st_mode) == (after.st_ino, after.st_rdev, after.st_mode)


@pytest.mark.parametrize("output", ["/dev/full", "/dev/fd/77", "/dev/fd/0", "/dev/fd/x", "/proc/1/fd/1"])
def test_what_cannot_be_written_to(output: str, lamina: Command, image: Path) -> None:
    done = lamina("build", image, "-o", output)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1), done.stderr


@pytest.mark.parametrize("command", [build, build_gz, merge, export], ids=lambda command: command.__name__)
@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/tty", "{}"])
def test_an_archive_for_a_terminal_is_refused(
    output: str, command: Writing, image: Path, archive: Path, tmp_path: Path
) -> None:
    master, terminal = pty.openpty()
    words = command(image, archive, output.format(os.ttyname(terminal)))
    arguments = [sys.executable, "-m", "lamina", *map(str, words)]
    process = subprocess.run(
        ["setsid", "--ctty", "--wait", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.set_blocking(master, False)
    try:
        printed = os.read(master, 1000)
    except BlockingIOError:
        printed = b""
    assert (process.returncode, printed) == (2, b""), process.stderr
    assert b"is a terminal" in process.stderr
    os.close(master)
    os.close(terminal)


def test_a_closed_standard_output(lamina: Command, image: Path, tmp_path: Path) -> None:
    done = shell("LAMINA >&-", lambda output: ["build", image, "-o", output], "-", tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1), done.stderr


def test_an_input_may_be_the_output(lamina: Command, image: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("archive.tar")
    assert lamina("merge", archive, image, "-o", "link").returncode == 0
    with tarfile.open(archive) as merged:
        assert "index.json" in merged.getnames()


def test_a_lock_through_a_link_can_be_read(lamina: Command, image: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("lock.json")
    assert lamina("plan", image, "--lock", "link").returncode == 0
    assert read_lock(tmp_path / "lock.json").layers
