"""Headers that `tar.header` writes, read by GNU tar and by Python's tarfile."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from lamina.errors import BadInput
from lamina.tar.write import BLOCK, DIRECTORY, END, SYMLINK, Member, check_name, header, padding, stored_size

# From 986 on, the length of a PAX record gets a digit more, and that digit counts too.
LENGTHS = (1, 2, 99, 100, 101, 102, 154, 155, 156, 157, 199, 255, 256, 257, *range(985, 995), 3000, 4000)

RAW = (b"caf\xe9", b"\xff\xfe\xfd", "grüße".encode(), b"new\nline", b"tab\t", b" blank ", b"back\\slash", b"-dash")


def name_of(length: int) -> bytes:
    """A name with slashes as far apart as names may have them."""
    name = b"".join(bytes([97 + number % 26]) * 250 + b"/" for number in range(length // 251 + 1))[:length]
    return name[:-1] + b"z"


def archive_of(members: Sequence[Member]) -> bytes:
    pieces = (header(member) + bytes(member.size) + padding(member.size) for member in members)
    return b"".join(pieces) + END


def read_back(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def gnu_tar(*arguments: str, data: bytes) -> bytes:
    done = subprocess.run(
        ["tar", *arguments], input=data, capture_output=True, check=True, env=os.environ | {"TZ": "UTC"}
    )
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("length", LENGTHS)
def test_a_name_of_any_length_reads_back(length: int) -> None:
    name = name_of(length)
    data = archive_of([Member(name), Member(name, DIRECTORY), Member(b"link", SYMLINK, link=name)])
    assert [info.name.encode() for info in read_back(data)] == [name, name, b"link"]
    assert read_back(data)[2].linkname.encode() == name
    assert gnu_tar("-tf", "-", data=data).split(b"\n")[:2] == [name, name + b"/"]
    assert b"link -> " + name in gnu_tar("-tvf", "-", data=data)


def test_the_names_in_this_table_have_the_lengths_that_they_should() -> None:
    assert [len(name_of(length)) for length in LENGTHS] == list(LENGTHS)
    assert all(len(part) <= 251 for length in LENGTHS for part in name_of(length).split(b"/"))


@pytest.mark.parametrize("name", RAW)
def test_a_name_of_any_bytes_reads_back(name: bytes) -> None:
    long = b"d" * 200 + b"/" + name
    data = archive_of([Member(name), Member(long), Member(b"x", SYMLINK, link=name * 30)])
    infos = read_back(data)
    assert [os.fsencode(info.name) for info in infos] == [name, long, b"x"]
    assert os.fsencode(infos[2].linkname) == name * 30
    listed = gnu_tar("--quoting-style=literal", "-tf", "-", data=data)
    assert listed == name + b"\n" + long + b"\nx\n"


def test_gnu_tar_extracts_what_was_encoded(tmp_path: Path) -> None:
    content = b"some text\n"
    name = name_of(1000)
    members = [
        Member(b"d", DIRECTORY, mode=0o750, mtime=5),
        Member(b"d/program", size=len(content), mode=0o4755, mtime=1),
        Member(b"d/link", SYMLINK, link=b"../" + b"t" * 200),
        Member(name, size=len(content), mode=0o444),
    ]
    data = b"".join(
        header(member) + content[: member.size] + padding(member.size) if member.size else header(member)
        for member in members
    )
    gnu_tar("-xpf", "-", "-C", str(tmp_path), data=data + END)
    program = tmp_path / "d" / "program"
    assert program.read_bytes() == content
    assert (program.stat().st_mode & 0o7777, program.stat().st_mtime) == (0o4755, 1)
    assert (tmp_path / "d").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "d" / "link").readlink() == Path("../" + "t" * 200)
    assert (tmp_path / name.decode()).read_bytes() == content


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 9 << 30, 1 << 40])
def test_a_size_past_8_gib_is_in_the_one_header_block(size: int, tmp_path: Path) -> None:
    block = header(Member(b"huge", size=size))
    assert len(block) == BLOCK
    assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == size
    with (tmp_path / "sparse.tar").open("wb") as file:
        file.write(block)
        file.truncate(stored_size(Member(b"huge", size=size)) + len(END))
    listed = gnu_tar("-tvf", str(tmp_path / "sparse.tar"), data=b"")
    assert str(size).encode() in listed.split()


@pytest.mark.parametrize("number", [0, 2097151, 2097152, 4294967295])
def test_owners_past_the_octal_field_read_back(number: int) -> None:
    data = archive_of([Member(b"a", uid=number, gid=number)])
    info = read_back(data)[0]
    assert (info.uid, info.gid, info.uname, info.gname) == (number, number, "", "")
    assert f"{number}/{number}".encode() in gnu_tar("--numeric-owner", "-tvf", "-", data=data)


@pytest.mark.parametrize("mtime", [0, 1, 8**11 - 1, 8**11])
def test_times_read_back(mtime: int) -> None:
    assert read_back(archive_of([Member(b"a", mtime=mtime)]))[0].mtime == mtime


@pytest.mark.parametrize(
    ("member", "blocks"),
    [
        (Member(b"n" * 100), 1),
        (Member(b"n" * 101), 3),
        (Member(b"p" * 155 + b"/" + b"n" * 100), 1),
        (Member(b"p" * 156 + b"/" + b"n" * 99), 3),
        (Member(b"p" * 155 + b"/" + b"n" * 101), 3),
        (Member(b"n" * 99, DIRECTORY), 1),
        (Member(b"n" * 100, DIRECTORY), 3),
        (Member(b"p" * 155 + b"/" + b"n" * 99, DIRECTORY), 1),
        (Member(b"p" * 155 + b"/" + b"n" * 100, DIRECTORY), 3),
        (Member(b"a", SYMLINK, link=b"l" * 100), 1),
        (Member(b"a", SYMLINK, link=b"l" * 101), 3),
        (Member(b"n" * 200, SYMLINK, link=b"l" * 300), 4),
    ],
    ids=repr,
)
def test_a_pax_header_only_where_ustar_does_not_suffice(member: Member, blocks: int) -> None:
    assert len(header(member)) == blocks * BLOCK
    assert stored_size(member) == blocks * BLOCK


@pytest.mark.parametrize("name", [b"", b"/", b"/abs", b"a//b", b"a/", b".", b"./a", b"..", b"a/../b", b"a/..", b"n\0l"])
def test_a_name_that_is_not_relative_and_plain_is_refused(name: bytes) -> None:
    with pytest.raises(BadInput, match="no name for a file in an image; names are relative"):
        header(Member(name))


@pytest.mark.parametrize("name", [b"c" * 256, b"d/" + b"c" * 256 + b"/e", b"ab/" * 1366])
def test_a_name_that_no_linux_file_can_have_is_refused(name: bytes) -> None:
    with pytest.raises(BadInput, match="too long for an image; shorten it"):
        header(Member(name.rstrip(b"/")))


@pytest.mark.parametrize("name", [b"c" * 255, b"...", b".hidden", b"a/..b/c..", b"\xff" * 255])
def test_an_odd_but_lawful_name_is_taken(name: bytes) -> None:
    check_name(name)


def test_a_negative_number_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no negative numbers"):
        header(Member(b"a", uid=-1))


GOLDEN = [
    Member(b"nix", DIRECTORY, mode=0o755, mtime=1),
    Member(b"nix/file", size=1000, mode=0o444, uid=1000, gid=100, mtime=1),
    Member(b"nix/link", SYMLINK, mode=0o777, mtime=1, link=b"../else/where"),
    Member(b"nix/" + b"long/" * 40 + b"name", size=513, mode=0o555, mtime=1),
    Member(b"nix/caf\xe9", SYMLINK, mode=0o777, mtime=1, link=b"t" * 150),
    Member(b"nix/owner", uid=3000000, gid=3000000, mtime=1),
]


def test_the_bytes_of_every_kind_of_header_are_fixed() -> None:
    """A change here changes every layer that anybody has built: `tar.FORMAT` has to go up with it."""
    data = archive_of(GOLDEN)
    assert data == archive_of(GOLDEN)
    assert hashlib.sha256(data).hexdigest() == "b5b5138ce66e2c56835d2ea713ba45da2b2037e1c6634676df23a31b0ca0747c"


def test_one_header_byte_by_byte() -> None:
    block = header(Member(b"nix/store", DIRECTORY, mode=0o755, mtime=1))
    fields = {
        0: b"nix/store/\0",
        100: b"0000755\x000000000\x000000000\x0000000000000\x0000000000001\x00",
        156: b"5\0",
        257: b"ustar\x0000",
        265: bytes(64),
        329: b"0000000\x000000000\x00",
        345: bytes(167),
    }
    assert len(block) == BLOCK
    for offset, value in fields.items():
        assert block[offset : offset + len(value)] == value
