"""Reading tars that others wrote, and refusing those that are damaged or that readers would read differently."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.data.blob import Blob, Bytes, FileRange, Source
from lamina.errors import BadInput
from lamina.tar.read import Entry, entries
from lamina.tar.write import BLOCK, DIRECTORY, END, FILE, HARD_LINK, SYMLINK, Member, header, padding
from tests.support.archives import Piece, layer_of, tar_of

LONG = "/".join(["directory" * 10] * 4)
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def index(data: bytes) -> list[Entry]:
    return list(entries(Bytes(data), "it.tar"))


def seal(block: bytearray) -> bytes:
    """The header block with the check sum that belongs to it."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def changed(member: Member, offset: int, value: bytes) -> bytes:
    block = bytearray(header(member))
    block[offset : offset + len(value)] = value
    return seal(block)


def retyped(member: Member, kind: bytes, size: int = 0) -> bytes:
    block = bytearray(changed(member, 156, kind))
    block[124:136] = b"%011o\0" % size
    return seal(block)


def with_pax(records: bytes, member: Member, kind: bytes = b"x") -> bytes:
    extension = header(Member(b"PaxHeader", kind, len(records))) + records + padding(len(records))
    return extension + header(member) + bytes(member.size) + padding(member.size)


def made_by_tarfile(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, kind, size, link in [
            ("d", tarfile.DIRTYPE, 0, ""),
            ("d/file", tarfile.REGTYPE, 700, ""),
            ("d/hard", tarfile.LNKTYPE, 0, "d/file"),
            ("d/soft", tarfile.SYMTYPE, 0, "file"),
            ("d/" + "n" * 90, tarfile.REGTYPE, 512, ""),
            ("old", tarfile.AREGTYPE, 3, ""),
            ("fifo", tarfile.FIFOTYPE, 0, ""),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, size, link
            archive.addfile(info, io.BytesIO(b"x" * size))
        if form != tarfile.USTAR_FORMAT:
            info = tarfile.TarInfo(LONG + "/nä" + "m" * 120)
            info.type, info.linkname = tarfile.SYMTYPE, LONG
            archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_that_python_writes(form: str) -> None:
    data = made_by_tarfile(FORMATS[form])
    found = index(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    assert [entry.name.decode().rstrip("/") for entry in found] == [info.name for info in members]
    assert [entry.size for entry in found] == [info.size for info in members]
    assert [entry.link.decode() for entry in found] == [info.linkname for info in members]
    files = [(entry.offset, entry.size) for entry in found if entry.kind == FILE]
    assert files == [(info.offset_data, info.size) for info in members if info.isreg()]
    assert [entry.kind for entry in found[:6]] == [DIRECTORY, FILE, HARD_LINK, SYMLINK, FILE, FILE]


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_every_format_that_gnu_tar_writes(form: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    inner = 3 if form in ("v7", "ustar") else 80  # their field for a link's target has 100 bytes
    deep = tree / ("p" * 80) / ("q" * inner)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"y" * 1500)
    os.link(deep / "file", deep / "hard")
    (deep / "soft").symlink_to("file")
    command = ["tar", f"--format={form}", "--sort=name", "-C", str(tree), "-cf", "-", "p" * 80]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    top = str(deep.relative_to(tree)).encode()
    found = {entry.name: entry for entry in index(data)}
    assert list(found) == [b"p" * 80 + b"/", top + b"/", top + b"/file", top + b"/hard", top + b"/soft"]
    file = found[top + b"/file"]
    assert data[file.offset : file.offset + file.size] == b"y" * 1500
    assert (found[top + b"/hard"].kind, found[top + b"/hard"].link) == (HARD_LINK, top + b"/file")
    assert (found[top + b"/soft"].kind, found[top + b"/soft"].link) == (SYMLINK, b"file")


SPARSE_FORMS = [
    ("--format=oldgnu",),
    ("--format=gnu",),
    ("--format=posix", "--sparse-version=0.0"),
    ("--format=posix", "--sparse-version=0.1"),
    ("--format=posix", "--sparse-version=1.0"),
]


@pytest.mark.parametrize("options", SPARSE_FORMS, ids=" ".join)
@pytest.mark.parametrize("islands", [1, 4, 5, 60], ids="{} islands".format)
def test_what_comes_after_a_sparse_member_is_found(options: tuple[str, ...], islands: int, tmp_path: Path) -> None:
    """Islands of data past the fourth need blocks of their own in the old form."""
    with (tmp_path / "a-sparse").open("wb") as file:
        for number in range(islands):
            file.seek(number << 20)
            file.write(b"island")
        file.truncate(islands << 20)
    (tmp_path / "b-after").write_bytes(b"after")
    command = ["tar", *options, "--sparse", "-C", str(tmp_path), "-cf", "-", "a-sparse", "b-after"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(data) < 1 << 20, "the file system made no holes, so there is nothing to see"
    last = index(data)[-1]
    assert (last.name, data[last.offset : last.offset + last.size]) == (b"b-after", b"after")


@pytest.mark.parametrize("options", SPARSE_FORMS, ids=" ".join)
def test_the_parts_of_all_sparse_members_are_counted(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            for number in range(30):
                file.seek(number << 20)
                file.write(b"island")
    data = subprocess.run(
        ["tar", *options, "--sparse", "-C", str(tmp_path), "-cf", "-", "a", "b"], check=True, capture_output=True
    ).stdout
    assert [entry.name for entry in index(data)] == [b"a", b"b"]
    monkeypatch.setattr("lamina.tar.sparse.SPARSE_PARTS", 50)
    with pytest.raises(BadInput, match="more than 50 parts of sparse members"):
        index(data)


SMALL = tar_of([Piece("d", directory=True), Piece("d/empty"), Piece("d/file", b"x" * 600), Piece("s", link="d")])


WHOLE_MEMBERS = {0: 0, BLOCK: 1, 2 * BLOCK: 2, 5 * BLOCK: 3, 6 * BLOCK: 4, 7 * BLOCK: 4}
"""How many members SMALL has where it can be cut so that readers do not notice."""


def test_cut_at_any_byte_but_between_members_it_is_an_error() -> None:
    for cut in range(len(SMALL)):
        if cut in WHOLE_MEMBERS:
            assert index(SMALL[:cut]) == index(SMALL)[: WHOLE_MEMBERS[cut]]
            continue
        with pytest.raises(BadInput, match=r"cut short|no tar archive"):
            index(SMALL[:cut])
    assert len(index(SMALL)) == 4


@pytest.mark.parametrize("cut", [cut for cut in WHOLE_MEMBERS if cut])
def test_gnu_tar_and_tarfile_do_not_notice_either(cut: int) -> None:
    listed = subprocess.run(["tar", "-tf", "-"], input=SMALL[:cut], capture_output=True, check=True).stdout
    assert len(listed.splitlines()) == WHOLE_MEMBERS[cut]
    with tarfile.open(fileobj=io.BytesIO(SMALL[:cut])) as archive:
        assert len(archive.getmembers()) == WHOLE_MEMBERS[cut]


def test_cut_at_any_byte_of_a_file_it_is_an_error(tmp_path: Path) -> None:
    """A range of a file is skipped through without being read, which must not hide the end."""
    path = tmp_path / "cut.tar"
    for cut in set(range(0, len(SMALL), 64)) - set(WHOLE_MEMBERS):
        path.write_bytes(SMALL[:cut])
        source = Source.open(path)
        with pytest.raises(BadInput, match=r"cut short|no tar archive"):
            list(entries(FileRange(source, 0, source.size), path))


@pytest.mark.parametrize("cut", [BLOCK + 1, 3 * BLOCK, len(SMALL) - 1])
def test_an_archive_that_began_well_is_called_cut_short(cut: int) -> None:
    with pytest.raises(BadInput, match=r"it\.tar: the tar archive is cut short; copy or pull it again"):
        index(SMALL[:cut])


@pytest.mark.parametrize("more", [SMALL, b"junk", bytes(100)], ids=["another tar", "junk", "part of a block"])
def test_behind_a_lone_block_of_zeros_there_is_nothing(more: bytes) -> None:
    with pytest.raises(BadInput, match="cut short"):
        index(SMALL[: -len(END)] + bytes(BLOCK) + more)


def test_what_follows_the_end_is_padding() -> None:
    assert index(SMALL + bytes(9000)) == index(SMALL)


@pytest.mark.parametrize("offset", [0, 104, 130, 148, 156, 345, 511])
def test_a_damaged_header_is_found(offset: int) -> None:
    second = BLOCK + offset
    damaged = SMALL[:second] + bytes([SMALL[second] ^ 1]) + SMALL[second + 1 :]
    with pytest.raises(BadInput, match=r"it\.tar: a damaged tar header at byte 512; "):
        index(damaged)


def test_a_check_sum_of_signed_bytes_is_taken() -> None:
    """Tars of old Unix systems have it."""
    block = bytearray(header(Member(b"caf\xe9")))
    block[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % signed
    assert [entry.name for entry in index(bytes(block) + END)] == [b"caf\xe9"]


@pytest.mark.parametrize("data", [b"x", b"hello, I am no tar. " * 100, b"{}" * 256, bytes(range(256)) * 8])
def test_what_is_no_tar_is_called_so(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"it\.tar: no tar archive; give "):
        index(data)


def test_the_size_of_a_pax_header_counts() -> None:
    member = changed(Member(b"file", size=600), 124, b"00000000000\0")
    records = b"12 size=600\n"
    extension = header(Member(b"PaxHeader", b"x", len(records))) + records + padding(len(records))
    data = extension + member + bytes(600) + padding(600) + header(Member(b"after")) + END
    assert [(entry.name, entry.size) for entry in index(data)] == [(b"file", 600), (b"after", 0)]


def refused(data: bytes, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        index(data + END)


def test_two_sizes_for_one_member_are_refused() -> None:
    refused(with_pax(b"12 size=100\n", Member(b"file", size=600)), "two sizes for one tar member")


@pytest.mark.parametrize("size", [b"-1", b"1.5", b"0x9", b"", "²".encode()])
def test_a_pax_size_that_is_no_number_is_refused(size: bytes) -> None:
    record = b"%d size=%b\n" % (len(size) + 9, size) if len(size) > 0 else b"8 size=\n"
    refused(with_pax(record, Member(b"file")), "a PAX header with the size")


@pytest.mark.parametrize(
    "records", [b"x", b"99 path=a\n", b"9 path=ab\n", b"11 path\n", b"0 \n", b"9\n", bytes(9), b" path=a\n"]
)
def test_damaged_pax_records_are_refused(records: bytes) -> None:
    refused(with_pax(records, Member(b"file")), "damaged PAX header")


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_an_extension_without_bounds_is_refused(kind: bytes) -> None:
    refused(header(Member(b"e", kind, (1 << 20) + 1)) + bytes((1 << 20) + 1), "tar header of 1048577 bytes")
    refused(header(Member(b"e", kind, 1 << 60)), "tar header of 1152921504606846976 bytes")


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_an_extension_that_is_cut_off_is_an_error(kind: bytes) -> None:
    for data in (b"", b"a" * 100):
        with pytest.raises(BadInput, match="cut short"):
            index(header(Member(b"e", kind, 512)) + data)


@pytest.mark.parametrize("record", [b"11 path=ab\n", b"15 linkpath=ab\n", b"9 size=0\n"])
def test_a_global_header_that_renames_members_is_refused(record: bytes) -> None:
    """GNU tar and Python's tarfile heed it, Go's archive/tar does not."""
    refused(with_pax(record, Member(b"file"), b"g"), "global header")


def test_a_global_header_with_a_comment_is_passed_over() -> None:
    data = with_pax(b"15 comment=git\n", Member(b"file"), b"g")
    assert [entry.name for entry in index(data + END)] == [b"file"]


@pytest.mark.parametrize("kind", [b"2", b"3", b"4", b"6"])
def test_a_member_without_data_that_has_a_size_is_refused(kind: bytes) -> None:
    """GNU tar passes over that many bytes, Go's archive/tar and Python's tarfile do not."""
    refused(changed(Member(b"odd", kind), 124, b"00000001000\0") + bytes(512), "a size where no data can be")


def test_a_file_called_like_a_directory_is_refused() -> None:
    """Only tars from before POSIX, whose files have no type, mark a directory so; and a directory has no data."""
    directory = Member(b"d", DIRECTORY)
    for size in (0, 512):
        refused(retyped(directory, b"0", size) + bytes(size), "ends with a slash, but|where no data can be")
    refused(retyped(directory, b"\0", size=512) + bytes(512), "a size where no data can be")
    assert [entry.kind for entry in index(retyped(directory, b"\0") + END)] == [DIRECTORY]


@pytest.mark.parametrize(("stored", "name"), [(b"d", b"d/"), (b"d/", b"d")])
def test_a_directory_by_one_of_two_names_is_refused(stored: bytes, name: bytes) -> None:
    """Go's archive/tar looks at the last of the names, Python's tarfile at the first."""
    member = bytearray(changed(Member(b"file"), 0, stored.ljust(100, b"\0")))
    member[156] = 0
    refused(with_pax(b"%d path=%b\n" % (len(name) + 9, name), Member(b"x"))[:1024] + seal(member), "one of its names")


@pytest.mark.parametrize("kind", [b"1", b"5"])
def test_the_size_of_a_hard_link_or_a_directory_is_passed_over(kind: bytes) -> None:
    """Old tars have one, and all readers agree that no data follows."""
    block = retyped(Member(b"odd", link=b"x"), kind, size=512)
    data = block + header(Member(b"after")) + END
    assert [(entry.name, entry.size) for entry in index(data)] == [(b"odd", 0), (b"after", 0)]
    printed = subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True).stdout
    assert printed.split() in ([b"odd", b"after"], [b"odd/", b"after"])


def test_a_number_that_is_none_is_refused() -> None:
    refused(changed(Member(b"a"), 124, b"0000000008x\0"), "tar header contains the number")


@pytest.mark.parametrize("make", [Bytes, lambda data: Chopped(data)], ids=["whole", "byte by byte"])
def test_the_pieces_that_bytes_come_in_change_nothing(make: Callable[[bytes], Blob]) -> None:
    assert list(entries(make(SMALL), "it.tar")) == index(SMALL)


class Chopped(Bytes):
    """Bytes that come one by one, as from a slow decoder."""

    def pieces(self):  # type: ignore[no-untyped-def]
        return (self.data[position : position + 1] for position in range(len(self.data)))


def test_a_member_past_the_end_of_the_data_is_cut_short() -> None:
    for size in (1, 512, 1 << 40, 1 << 62):
        block = changed(Member(b"a"), 124, b"\x80" + size.to_bytes(11, "big"))
        with pytest.raises(BadInput, match="cut short"):
            index(block)


def test_an_empty_archive_has_no_members() -> None:
    assert index(END) == []
    assert index(layer_of({})) == []
