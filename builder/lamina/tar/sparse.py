"""Sparse members of tars: files with holes, whose stored bytes are not their content.

GNU tar writes them in four ways: in its own header (type `S`), and as PAX records of version 0.0, 0.1 or 1.0. Such a
member is never unpacked here. Its map is checked nevertheless, because some readers refuse a member with a wrong map.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from lamina.data.blob import Stream
from lamina.errors import BadInput
from lamina.limits import SPARSE_PARTS, TAR_EXTENSION
from lamina.tar.extensions import SPARSE_KEY
from lamina.tar.fields import parse_number
from lamina.tar.write import BLOCK

_DIGITS = re.compile(rb"[0-9]{1,18}")
_NUMBERS = re.compile(rb"[0-9]{1,18}(?:\n[0-9]{1,18})*+")
_OFFSET, _LENGTH = b"GNU.sparse.offset", b"GNU.sparse.numbytes"
_VERSION_1 = ({b"major", b"minor", b"name", b"realsize"},)
_VERSION_0 = ({b"size", b"numblocks", b"map", b"name"}, {b"size", b"numblocks", b"map"})


@attrs.define
class SparseMaps:
    """Checks the maps of the sparse members in a stream. `parts` counts those of all of them: copies compress well."""

    stream: Stream
    parts: int = 0

    def check_records(self, records: Sequence[tuple[bytes, bytes]], size: int, where: object) -> None:
        """Check the map of a PAX sparse member, whose `size` stored bytes come next. Raises BadInput."""
        pairs = [record for record in records if record[0] in (_OFFSET, _LENGTH)]
        fields = {key.removeprefix(SPARSE_KEY): value for key, value in records if key not in (_OFFSET, _LENGTH)}
        if fields.keys() in _VERSION_1 and (fields[b"major"], fields[b"minor"]) == (b"1", b"0") and not pairs:
            numbers, map_size = _map_in_data(self.stream, size, where)
            self._check_map(numbers, fields[b"realsize"], size - map_size, where)
        elif fields.keys() in _VERSION_0 and not pairs:
            numbers = [_number(text, where) for text in fields[b"map"].split(b",")]
            _check_count(numbers, fields, where)
            self._check_map(numbers, fields[b"size"], size, where)
        elif fields.keys() == {b"size", b"numblocks"} and pairs:
            if [key for key, _ in pairs] != [_OFFSET, _LENGTH] * (len(pairs) // 2):
                raise _bad(where)
            numbers = [_number(value, where) for _, value in pairs]
            _check_count(numbers, fields, where)
            self._check_map(numbers, fields[b"size"], size, where)
        else:
            raise _bad(where)

    def check_gnu(self, block: bytes, size: int, where: object) -> None:
        """Check the map in a header of type `S`, and read the blocks in which the map continues. Raises BadInput."""
        numbers: list[int] = []
        entries, more = block[386:482], block[482]
        while True:
            if more > 1:
                raise _bad(where)
            for start in range(0, len(entries) - 23, 24):
                if not entries[start]:  # the end for Go; GNU tar looks at the length, and Python at all entries
                    if any(entries[start:]):
                        raise _bad(where)
                    break
                if not entries[start + 12]:
                    raise _bad(where)
                numbers += (_field(entries[start : start + 12], where), _field(entries[start + 12 : start + 24], where))
            if not more:
                break
            following = self.stream.read(BLOCK)
            if len(following) < BLOCK:
                raise BadInput(where, "the tar archive is cut short", "copy or pull it again")
            entries, more = following[:504], following[504]
            if len(numbers) > TAR_EXTENSION // 24:
                raise _bad(where)
        self._check_map(numbers, b"%d" % _field(block[483:495], where), size, where)

    def _check_map(self, numbers: list[int], logical: bytes, stored: int, where: object) -> None:
        """Raises BadInput: parts overlap, are unsorted, exceed the file, are too many, or are not the stored bytes."""
        end, whole = 0, _number(logical, where)
        if len(numbers) % 2:
            raise _bad(where)
        for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
            if offset < end or offset + length > whole:
                raise _bad(where)
            end = offset + length
        if sum(numbers[1::2]) != stored:
            raise _bad(where)
        self.parts += len(numbers) // 2
        if self.parts > SPARSE_PARTS:
            raise BadInput(where, f"more than {SPARSE_PARTS} parts of sparse members", "make it again without --sparse")


def _map_in_data(stream: Stream, size: int, where: object) -> tuple[list[int], int]:
    """The numbers of the map, and the bytes that it takes.

    Version 1.0 writes the map before the data, as decimal numbers in lines, in whole blocks.
    """
    blocks: list[bytes] = []
    lines, needed = 0, 1
    while lines < needed:
        blocks.append(stream.read(BLOCK))
        if len(blocks[-1]) < BLOCK or len(blocks) * BLOCK > min(size, TAR_EXTENSION):
            raise _bad(where)
        lines += blocks[-1].count(b"\n")
        if needed == 1 and lines:
            needed += 2 * _number(b"".join(blocks).partition(b"\n")[0], where)
    lines_of_map = b"".join(blocks).split(b"\n", needed)[1:needed]
    if lines_of_map and not _NUMBERS.fullmatch(b"\n".join(lines_of_map)):
        raise _bad(where)
    return list(map(int, lines_of_map)), len(blocks) * BLOCK


def _check_count(numbers: list[int], fields: dict[bytes, bytes], where: object) -> None:
    if len(numbers) != 2 * _number(fields[b"numblocks"], where):
        raise _bad(where)


def _field(field: bytes, where: object) -> int:
    value = parse_number(field)
    if value is None or value < 0:
        raise _bad(where)
    return value


def _number(text: bytes, where: object) -> int:
    if not _DIGITS.fullmatch(text):
        raise _bad(where)
    return int(text)


def _bad(where: object) -> BadInput:
    what = "a sparse tar member in a form that GNU tar does not write"
    return BadInput(where, what, "make the archive again without --sparse")
