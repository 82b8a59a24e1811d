"""Outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lamina.data import output
from lamina.data.output import reserve, whole_file, written_early
from lamina.errors import BadInput, LaminaError


@pytest.fixture(params=["with O_TMPFILE", "without"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without Linux' nameless files, which some file systems (NFS, FAT) do not have."""
    if request.param == "without":
        real = os.open

        def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real(path, flags, *rest, **more)

        monkeypatch.setattr(os, "open", refuse)


pytestmark = pytest.mark.usefixtures("either_way")


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with whole_file(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [BadInput("it", "bad"), KeyboardInterrupt(), ValueError("x")])
def test_nothing_remains_of_one_that_failed(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), whole_file(tmp_path / "out") as file:
        file.write(b"content")
        raise error
    assert os.listdir(tmp_path) == []


def test_one_that_failed_leaves_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with pytest.raises(BadInput), whole_file(path) as file:
        file.write(b"content")
        raise BadInput("it", "bad")
    assert (os.listdir(tmp_path), path.read_bytes()) == (["out"], b"before")


def test_it_takes_the_place_of_the_one_before_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"a longer one from before")
    with path.open("rb") as reader, whole_file(path) as file:
        file.write(b"content")
        assert reader.read() == b"a longer one from before"
    assert path.read_bytes() == b"content"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """`result`, as nix-build leaves it, leads into the store."""
    (tmp_path / "target").write_bytes(b"stays")
    (tmp_path / "out").symlink_to("target")
    with whole_file(tmp_path / "out") as file:
        file.write(b"content")
    assert (tmp_path / "target").read_bytes() == b"stays"
    assert not (tmp_path / "out").is_symlink()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_who_may_read_it_is_for_the_umask_to_say(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with whole_file(tmp_path / "out"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_any_name_that_a_file_can_have_will_do(name: str, tmp_path: Path) -> None:
    with whole_file(tmp_path / name) as file:
        file.write(b"content")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("place", ["gone/out", "file/out"])
def test_a_place_that_is_none(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(LaminaError, match=f"{tmp_path}/{place}: cannot be written: .*; nothing was left behind"),
        whole_file(tmp_path / place),
    ):
        pytest.fail("the block is not entered")


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_not_replaced(kind: str, tmp_path: Path) -> None:
    """As root, `-o /dev/null` would take the device away from everybody."""
    path = tmp_path / "out"
    if kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = path.stat()
    with pytest.raises(LaminaError, match=f"{path}: exists and is no file; give the name of a file"), whole_file(path):
        pytest.fail("the block is not entered")
    assert path.stat().st_ino == before.st_ino and os.listdir(tmp_path) == ["out"]


def test_many_at_once(tmp_path: Path) -> None:
    """All end well, a reader sees one of their files whole at any time, and no hidden name is left."""
    path = tmp_path / "out"
    path.write_bytes(bytes(100))
    begin = threading.Barrier(9)

    def write(number: int) -> None:
        begin.wait()
        for _ in range(200):
            with whole_file(path, durable=False) as file:
                file.write(bytes([number]) * 100)
            content = path.read_bytes()
            assert len(content) == 100 and len(set(content)) == 1

    with ThreadPoolExecutor(8) as threads:
        writers = [threads.submit(write, number) for number in range(8)]
        begin.wait()
        for writer in writers:
            writer.result()
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["another file", "the same file"])
def test_a_hidden_name_that_a_kill_has_left(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    hidden = tmp_path / output._hidden("out")
    if kind == "another file":
        hidden.write_bytes(b"left")
    else:
        hidden.hardlink_to(path)
    with whole_file(path) as file:
        file.write(b"content")
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("name", [".lamina-out", ".lamina-out.tar"])
def test_a_file_of_the_user_s_with_a_similar_name_stays(name: str, is_new: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"the user's")
    if not is_new:
        (tmp_path / "out").write_bytes(b"before")
    with whole_file(tmp_path / "out") as file:
        file.write(b"content")
    assert (tmp_path / name).read_bytes() == b"the user's"


@pytest.mark.parametrize("is_new", [True, False])
def test_what_is_not_ours_is_never_removed_or_moved(is_new: bool, tmp_path: Path) -> None:
    hidden, path = tmp_path / output._hidden("out"), tmp_path / "out"
    hidden.mkdir()
    if is_new:
        with whole_file(path) as file:
            file.write(b"content")
    else:
        path.write_bytes(b"before")
        with contextlib.suppress(LaminaError), whole_file(path) as file:  # only nameless files need the hidden name
            file.write(b"content")
        assert path.read_bytes() in (b"before", b"content")
    assert hidden.is_dir()


def test_a_directory_that_comes_in_between(tmp_path: Path) -> None:
    path = tmp_path / "out"
    refused = pytest.raises(LaminaError, match="cannot be written: Is a directory; nothing was left behind")
    with refused, whole_file(path) as file:
        file.write(b"content")
        path.mkdir()
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_that_sets_nothing_aside(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with whole_file(tmp_path / "out") as file:
        reserve(file, 5)
        file.write(b"bytes")
    assert (tmp_path / "out").read_bytes() == b"bytes"


def test_room_is_asked_for_before_anything_is_written(tmp_path: Path) -> None:
    """No disk has so much."""
    refused = pytest.raises(LaminaError, match=r"cannot be written: (No space left on device|File too large)")
    with refused, whole_file(tmp_path / "out") as file:
        reserve(file, 1 << 60)
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fails_while_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system reports it only once, and whoever flushes early gets the error."""
    failed = threading.Event()

    def fail(_: int) -> None:
        failed.set()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(output, "_EARLY", 0)
    refused = pytest.raises(LaminaError, match="cannot be written: Input/output error; nothing was left behind")
    with refused, whole_file(tmp_path / "out") as file, written_early(file, 1 << 30):
        assert failed.wait(10)
    assert os.listdir(tmp_path) == []
