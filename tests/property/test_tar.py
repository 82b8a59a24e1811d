"""What is encoded reads back: with Python's tarfile, and with our own index."""

from __future__ import annotations

import io
import itertools
import os
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from lamina.data.blob import Bytes
from lamina.errors import BadInput
from lamina.tar.read import entries
from lamina.tar.write import BLOCK, DIRECTORY, END, FILE, Member, check_name, header, padding, stored_size
from tests.property.strategies import files, members, names

archives = st.lists(members, max_size=6)


def encoded(wanted: list[Member]) -> bytes:
    return b"".join(header(member) + b"x" * member.size + padding(member.size) for member in wanted) + END


@given(archives)
def test_tarfile_reads_it_back(wanted: list[Member]) -> None:
    with tarfile.open(fileobj=io.BytesIO(encoded(wanted))) as archive:
        found = [(os.fsencode(info.name), info.type, info.size, os.fsencode(info.linkname)) for info in archive]
        numbers = [(info.mode, info.uid, info.gid, info.mtime) for info in archive]
    assert found == [(member.name, member.kind, member.size, member.link) for member in wanted]
    assert numbers == [(member.mode, member.uid, member.gid, member.mtime) for member in wanted]


@given(archives)
def test_our_index_reads_it_back(wanted: list[Member]) -> None:
    data = encoded(wanted)
    found = list(entries(Bytes(data), "it"))
    assert [(entry.kind, entry.size, entry.link) for entry in found] == [(m.kind, m.size, m.link) for m in wanted]
    assert [entry.name for entry in found] == [m.name + b"/" if m.kind == DIRECTORY else m.name for m in wanted]
    assert all(data[entry.offset : entry.offset + entry.size] == b"x" * entry.size for entry in found)


@given(archives, st.data())
def test_cut_anywhere_but_between_members_it_is_an_error(wanted: list[Member], data: st.DataObject) -> None:
    whole = encoded(wanted)
    ends = list(itertools.accumulate(map(stored_size, wanted), initial=0))
    ends.append(len(whole) - BLOCK)  # one block of zeros is an end, too
    cut = data.draw(st.integers(0, len(whole) - 1))
    try:
        found = list(entries(Bytes(whole[:cut]), "it"))
    except BadInput as error:
        assert "\n" not in str(error)
        assert cut not in ends
    else:
        assert cut in ends and len(found) == min(ends.index(cut), len(wanted))


@given(members)
def test_a_header_is_whole_blocks_and_one_where_that_is_enough(member: Member) -> None:
    data = header(member)
    assert len(data) % BLOCK == 0
    assert stored_size(member) == len(data) + -(-member.size // BLOCK) * BLOCK
    stored = member.name + b"/" * (member.kind == DIRECTORY)
    places = [place for place in range(1, len(stored) - 1) if stored[place : place + 1] == b"/"]
    fits = len(stored) <= 100 or any(place <= 155 and len(stored) - place - 1 <= 100 for place in places)
    assert (len(data) == BLOCK) == (fits and len(member.link) <= 100)


@given(st.integers(0, 2**80))
def test_any_size_reads_back_from_the_one_block(size: int) -> None:
    block = header(Member(b"file", size=size))
    assert len(block) == BLOCK
    assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == size


@given(st.binary(max_size=300) | names)
def test_a_name_is_taken_or_refused_and_never_changed(name: bytes) -> None:
    try:
        check_name(name)
    except BadInput:
        return
    assert name and not name.startswith(b"/") and b"\0" not in name
    assert not {b"", b".", b".."} & set(name.split(b"/"))
    found = list(entries(Bytes(header(Member(name)) + END), "it"))
    assert [(entry.name, entry.kind) for entry in found] == [(name, FILE)]


@given(st.binary(max_size=3000))
def test_whatever_the_bytes_the_index_ends_or_says_why(data: bytes) -> None:
    try:
        list(entries(Bytes(data), "it"))
    except BadInput as error:
        assert str(error).startswith("it: ") and "\n" not in str(error)


@given(files, st.integers(0, 511), st.integers(1, 255))
def test_one_wrong_byte_in_a_header_is_found(member: Member, place: int, flip: int) -> None:
    """Between the numbers of the check sum there are spaces that may be anything; else nothing may."""
    block = bytearray(header(member)[-BLOCK:])
    block[place] ^= flip
    try:
        found = list(entries(Bytes(bytes(block) + b"x" * member.size + padding(member.size) + END), "it"))
    except BadInput:
        return
    assert 148 <= place < 156
    assert len(found) == 1 and found[0].size == member.size
