"""The tar of a file tree, made while it is read. Its size is known before any file is read."""

from __future__ import annotations

import bisect
import itertools
import os
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence

import attrs

from lamina.data.blob import Blob, Measured, Section
from lamina.data.span import CHUNK, Piece, Span, changed, cut, section
from lamina.errors import BadInput
from lamina.store.tree import Item, unreadable
from lamina.tar.write import BLOCK, END, FILE, header, padding, stored_size

_SMALL = 64 << 10
"""Files up to this size are read whole, and returned together with their headers and with other files."""

_ZEROS = bytes(BLOCK)

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


Find = Callable[[], Sequence[Item]]
"""Looks for the items of a layer, or of a section of one. Raises BadInput: something cannot be read."""


@attrs.define(eq=False)
class TreeBlob(Blob):
    """A tar of the items that `find` returns, made while it is read.

    `find` is called for the size (no file is read for that), and the items are kept until they have been read once.
    For a layer whose digest and size are known, nothing in the store is looked at. `divide` returns a function for each
    section of the layer; together they return the same items. Sections have about the same size.
    """

    find: Find
    divide: Callable[[], Sequence[Find]] | None = None
    _kept: Sequence[Item] | None = None

    @classmethod
    def of(cls, items: Sequence[Item]) -> TreeBlob:
        return cls(lambda: items)

    @property
    def size(self) -> int:
        """Raises BadInput: a path does not exist, or contains something that no layer can."""
        self._kept = items = self._kept or self.find()
        return sum(stored_size(item.member) for item in items) + len(END)

    def pieces(self) -> Iterator[Piece]:
        """The tar, with large files as spans. Raises BadInput: a file cannot be read, or has changed its size."""
        items, self._kept = self._kept or self.find(), None
        yield from _pieces(items)

    def part(self, start: int, size: int) -> Iterator[Piece]:
        """Raises BadInput as `pieces`. Files before the part are not read, because the sizes of all are known."""
        items = self.find()
        starts = [0, *itertools.accumulate(stored_size(item.member) for item in items)]
        first = bisect.bisect_right(starts, start) - 1
        return cut(_pieces(items[first:]), start - starts[first], size)

    def sections(self) -> Sequence[Section]:
        """Empty without `divide`, because each process would have to look for all items then. Raises BadInput."""
        if self.divide is None:
            return ()
        finds = self.divide()
        return [*map(TreeSection, finds[:-1]), TreeSection(finds[-1], is_last=True)]


@attrs.define(eq=False)
class TreeSection(Section):
    """Some members of a tar that follow each other; the last section has the end of the tar, too.

    The items are kept from when they are measured until the last of their bytes are read.
    """

    find: Find
    is_last: bool = False
    _kept: tuple[Sequence[Item], array[int]] | None = None

    def measure(self) -> Measured:
        _, starts = self._kept = self._found()
        return self._measured(starts)

    def fill(self, start: int, buffer: memoryview, measured: Measured) -> None:
        """As in `Section`. Files outside of the range are not read."""
        is_known = self._kept is not None
        items, starts = self._kept = self._kept or self._found()
        if not is_known and self._measured(starts) != measured:
            name = os.fsdecode(next((item.source for item in items if item.source), b"a layer"))
            what = "this, or a file after it, has changed while the layer was read"
            raise BadInput(name, what, "run again when nothing writes there")
        end = start + len(buffer)
        first, last = bisect.bisect_right(starts, start) - 1, bisect.bisect_left(starts, end)
        for number in range(first, min(last, len(items))):
            item, place = items[number], starts[number]
            if start <= place and starts[number + 1] <= end and not item.part:
                _place(item, buffer, place - start)
            else:
                _place_partly(_pieces([item], b""), buffer, place - start)
        if last > len(items):
            _place_partly(iter([self._end]), buffer, starts[-1] - start)
        if end == measured.size:
            self._kept = None

    def _found(self) -> tuple[Sequence[Item], array[int]]:
        """The items, and where each of them starts; last, where the last one ends."""
        items = self.find()
        return items, array("Q", itertools.accumulate((stored_size(item.member) for item in items), initial=0))

    def _measured(self, starts: array[int]) -> Measured:
        return Measured(starts[-1] + len(self._end), zlib.crc32(starts.tobytes()), len(starts) - 1)

    @property
    def _end(self) -> bytes:
        return END if self.is_last else b""


def _place(item: Item, buffer: memoryview, start: int) -> None:
    """Put a member into the buffer, its data without a copy. Raises BadInput as `_content` does."""
    member = item.member
    block = header(member)
    data = start + len(block)
    buffer[start:data] = block
    if member.kind == FILE:
        end = data + member.size
        _read_into(item.source, buffer[data : end + 1], member.size)
        if rest := -member.size % BLOCK:
            buffer[end : end + rest] = _ZEROS[:rest]


def _place_partly(pieces: Iterator[Piece], buffer: memoryview, position: int) -> None:
    """Put the pieces, which start at that position, into the buffer as far as they are inside."""
    for piece in pieces:
        first, last = max(0, -position), min(len(piece), len(buffer) - position)
        if first < last:
            target = buffer[position + first : position + last]
            inside = section(piece, first, last)
            if isinstance(inside, Span):
                inside.read_into(target)
            else:
                target[:] = inside
        position += len(piece)


def _read_into(source: bytes, buffer: memoryview, size: int) -> None:
    """Read a file of `size` bytes. The buffer has one byte more, to notice that the file has grown, or no byte more."""
    descriptor = _open(source)
    try:
        done = os.readv(descriptor, [buffer])
        while done < size and (more := os.readv(descriptor, [buffer[done:]])):
            done += more
        if done != size or (len(buffer) == size and os.read(descriptor, 1)):
            raise changed(os.fsdecode(source))
    except OSError as error:
        raise unreadable(source, error, "check the disk") from None
    finally:
        os.close(descriptor)


def _pieces(items: Sequence[Item], end: bytes = END) -> Iterator[Piece]:
    """The tar of the items, and its end."""
    batch: list[bytes] = []
    held = 0
    for item in items:
        member = item.member
        batch.append(header(member))
        held += BLOCK
        if member.kind == FILE:  # an empty file is read too, because it may have grown
            if member.size <= _SMALL and not item.part:
                batch.append(_content(item.source, member.size))
                held += member.size
            else:
                yield b"".join(batch)
                yield from item.part.pieces() if item.part else _span(item.source, member.size)
                batch, held = [], 0
            batch.append(padding(member.size))
        if held > CHUNK:
            yield b"".join(batch)
            batch, held = [], 0
    yield b"".join((*batch, end))


def _content(source: bytes, size: int) -> bytes:
    """The data of a small file. Raises BadInput: it cannot be read, or has changed its size."""
    descriptor = _open(source)
    try:
        data = os.read(descriptor, size + 1)  # one byte more than expected, because the file may have grown
        while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
            data += more
    except OSError as error:
        raise unreadable(source, error, "check the disk") from None
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise changed(os.fsdecode(source))
    return data


def _span(source: bytes, size: int) -> Iterator[Span]:
    """The data of a large file, as one span. Raises BadInput: it cannot be read, or has changed its size."""
    descriptor = _open(source)
    try:
        yield Span(descriptor, 0, size, os.fsdecode(source))
        if os.fstat(descriptor).st_size != size:
            raise changed(os.fsdecode(source))
    finally:
        os.close(descriptor)


def _open(source: bytes) -> int:
    try:
        return os.open(source, _READ)
    except OSError as error:
        raise unreadable(source, error, "the file vanished or may not be read") from None
