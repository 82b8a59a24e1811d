"""Changes are found by content. The numbers that a file system gives to files do not matter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lamina.data.blob import Bytes
from lamina.image.layer import Layer
from lamina.image.rootfs import root_of
from lamina.rootless.changes import changes
from lamina.rootless.records import Records
from lamina.rootless.unpack import unpack
from tests.support.archives import Piece, folder, tar_of

BASE = [
    *(folder("e"), folder("e/in"), Piece("e/in/a", b"1"), Piece("e/in/b", b"2"), Piece("e/z", b"3")),
    *(Piece("same", b"4"), Piece("other", b"5"), Piece("kept", b"6"), folder("empty"), Piece("was", b"7")),
]


def make_again(directory: Path, aside: Path, *, same_number: bool) -> None:
    """Delete a directory and make it again, with the number that it had, or with another one.

    File systems do the former as they please, so it is emptied instead: nobody can see that from outside.
    """
    number = directory.stat().st_ino
    if same_number:
        for path in directory.iterdir():
            path.unlink()
    else:
        directory.rename(aside)
        directory.mkdir()
        shutil.rmtree(aside)
    assert (directory.stat().st_ino == number) == same_number


@pytest.mark.parametrize("same_number", [True, False])
def test_files_that_were_made_again_are_compared_by_content(same_number: bool, tmp_path: Path) -> None:
    """Directories with and without what they had, files, and a directory in the place of one."""
    base = root_of([Layer.of(Bytes(tar_of(BASE)), "the base")])
    top = tmp_path / "root"
    unpacked = unpack(base, top, Records())
    for name in ("e/in", "empty"):
        make_again(top / name, tmp_path / "aside", same_number=same_number)
    for name in ("e/z", "same", "other", "was"):
        (top / name).unlink()
    (top / "was").mkdir()
    for name, data in {"e/in/a": b"1", "e/in/b": b"x", "e/in/new": b"", "same": b"4", "other": b"x"}.items():
        (top / name).write_bytes(data)
    names = [item.member.name.decode() for item in changes(unpacked, base)]
    assert names == ["e", "e/.wh.z", "e/in", "e/in/b", "e/in/new", "other", "was"]
