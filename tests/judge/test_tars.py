"""Whatever the bytes of a tar, our reader refuses them or sees what Go, GNU tar and Python's tarfile see."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.tar.write import END
from tests.fuzz.seeds import LAYER, WHITEOUTS, long_names
from tests.fuzz.targets import with_check_sums
from tests.judge.readers import by_go, by_us, disagreement
from tests.judge.tars import block, doubtful_tar, padded, record, sparse_tar
from tests.support.needs import need

SEEDS = [LAYER, WHITEOUTS, long_names()]


@pytest.fixture(scope="module", autouse=True)
def _the_judge() -> None:
    need("go", "golang-go")


def agree(data: bytes) -> None:
    difference = disagreement(data)
    assert not difference, difference


@pytest.mark.parametrize("make", [doubtful_tar, sparse_tar])
def test_tars_at_the_edges_of_the_format(make: Callable[[Random], bytes]) -> None:
    @settings(max_examples=1000)
    @given(st.integers(0, 1 << 60))
    def try_it(number: int) -> None:
        agree(make(Random(number)))

    try_it()


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_tars_with_changed_bytes(seed: bytes, changes: list[tuple[float, int]]) -> None:
    data = bytearray(seed)
    for share, value in changes:
        data[int(share * (len(data) - 1))] = value
    agree(with_check_sums(bytes(data)))


def test_what_the_generators_make_is_read_often_enough() -> None:
    """Or the tests above would show only that we refuse."""
    for make in (doubtful_tar, sparse_tar):
        answers = [disagreement(make(Random(number))) for number in range(600)]
        assert answers.count("") > 40, make.__name__


def written_by_gnu_tar(directory: Path, *options: str) -> bytes:
    """A tree with long names and links of every kind."""
    tree = directory / "tree"
    deep = tree / ("p" * 90) / ("q" * 90)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"y" * 1500)
    os.link(deep / "file", deep / "hard")
    os.link(deep / "file", tree / "hard with a long link")
    (deep / "soft").symlink_to("t" * 150)
    (tree / "short").symlink_to("file")
    (tree / "ä").write_bytes(b"")
    os.mkfifo(tree / "fifo")
    with (tree / "holes").open("wb") as file:
        file.truncate(1 << 20)
    command = ["tar", *options, "--sort=name", "-C", str(tree), "-cf", "-", "."]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--format=gnu",),
        ("--format=oldgnu",),
        ("--format=posix",),
        ("--format=posix", "--mtime=@0.5", "--owner=a:70000", "--group=b:3000000", "--numeric-owner"),
        ("--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"),
        ("--format=gnu", "--mtime=1960-01-01", "--sparse"),
        *(("--format=posix", "--sparse", f"--sparse-version={version}") for version in ("0.0", "0.1", "1.0")),
    ],
    ids=" ".join,
)
def test_what_gnu_tar_writes_is_read_by_all(options: tuple[str, ...], tmp_path: Path) -> None:
    data = written_by_gnu_tar(tmp_path, *options)
    assert len(by_us(data)) == len(by_go(data)) == 11
    agree(data)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_python_writes_is_read_by_all(form: int) -> None:
    """Bazel's rules, and nixpkgs' streamLayeredImage, write with Python's tarfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, kind in (
            ("d", tarfile.DIRTYPE),
            ("f", tarfile.REGTYPE),
            ("s", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
        ):
            info = tarfile.TarInfo(name if form == tarfile.USTAR_FORMAT else name * 150 + "ü")
            info.type, info.linkname, info.uname, info.mtime = kind, "f", "root", 1
            if form == tarfile.PAX_FORMAT:
                info.mtime = 1.5
                info.pax_headers = {"SCHILY.xattr.user.a": "b", "comment": "c"}
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) and form != tarfile.USTAR_FORMAT:
                info.linkname = "f" * 150 + "ü"
            archive.addfile(info)
    assert len(by_us(buffer.getvalue())) == 4
    agree(buffer.getvalue())


def test_a_global_comment_of_git_s_is_read_by_all() -> None:
    comment = record(b"comment", b"0" * 40)
    agree(block(b"pax_global_header", b"g", len(comment)) + padded(comment) + LAYER)
    assert by_us(block(b"pax_global_header", b"g", len(comment)) + padded(comment) + LAYER) == by_us(LAYER)


def sparse_with(at: int, byte: bytes) -> bytes:
    """GNU tar's sparse member without any data, and a byte in its map."""
    header = bytearray(block(b"s", b"S", 0, magic=b"ustar  \0"))
    header[483:495] = b"00000000000\0"
    header[at : at + 1] = byte
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


PLAIN = block(b"manifest.json", b"0", 2) + padded(b"[]")
PATH = block(b"x", b"x", 14) + padded(record(b"path", b"decoy"))
COMMENT = record(b"comment", b"x")
HIDDEN = {
    "an empty path": block(b"x", b"x", 8) + padded(record(b"path", b"")) + PLAIN,
    "an empty long name": block(b"././@LongLink", b"L", 1, magic=b"ustar  \0") + padded(b"\0") + PLAIN,
    "two PAX headers": PATH + block(b"x", b"x", len(COMMENT)) + padded(COMMENT) + PLAIN,
    "a global header between": PATH + block(b"x", b"g", len(COMMENT)) + padded(COMMENT) + PLAIN,
    "a global header behind a long name": (
        block(b"././@LongLink", b"L", 6, magic=b"ustar  \0") + padded(b"decoy\0")
        + block(b"x", b"g", len(COMMENT)) + padded(COMMENT) + PLAIN
    ),
    "a sparse name without a version": (
        block(b"x", b"x", 25) + padded(record(b"GNU.sparse.name", b"decoy")) + PLAIN
    ),
    "star's prefix": (
        block(b"manifest.json", b"0", prefix=b"./" * 65 + b"." + b"00000000001 " * 2, tail=bytes(8) + b"tar\0")
    ),
    "a prefix in GNU's format": block(b"manifest.json", b"0", magic=b"ustar  \0", prefix=b"decoy"),
    "a prefix in the oldest format": block(b"manifest.json", b"0", magic=bytes(8), prefix=b"decoy"),
    "a part behind the end of a sparse map": sparse_with(386 + 30, b"1") + PLAIN,
    "a length without an offset in a sparse map": sparse_with(386 + 12, b"1") + PLAIN,
    "an offset without a length in a sparse map": sparse_with(386, b"0") + PLAIN,
    "a sparse map that goes on in another way": sparse_with(482, b"2") + bytes(512) + PLAIN,
    "a character set that is none": block(b"x", b"x", 16) + padded(record(b"hdrcharset", b"\xff")) + PLAIN,
    "a prefix without a name": block(b"", b"\0", prefix=b"d") + PLAIN,
    "a NUL in a long name": (
        block(b"././@LongLink", b"L", 16, magic=b"ustar  \0") + padded(b"manifest.json\0x\0") + PLAIN
    ),
    "records in the padding": (
        block(b"x", b"x", 10) + (b"10 a=bcde\n" + record(b"path", b"decoy")).ljust(512, b"\0") + PLAIN
    ),
    "a key behind two spaces": block(b"x", b"x", 15) + padded(b"15  path=decoy\n") + PLAIN,
    "Solaris' extended header": block(b"x", b"X", 14) + padded(record(b"path", b"decoy")) + PLAIN,
    "GNU's old long name": block(b"x", b"N", 14) + padded(record(b"path", b"decoy")) + PLAIN,
    "more members behind a block of zeros": PLAIN + bytes(512) + PLAIN,
    "a NUL before a size": block(b"a", b"0", b"\00000000001\0\0") + PLAIN,
    "a check sum in base 256": PLAIN[:148] + b"\x80\0\0\0" + int(PLAIN[148:154], 8).to_bytes(4, "big") + PLAIN[156:],
}  # fmt: skip


@pytest.mark.parametrize("what", HIDDEN)
def test_what_hides_a_member_from_a_reader_is_refused(what: str) -> None:
    assert disagreement(HIDDEN[what] + END) is None, "it must be refused"
