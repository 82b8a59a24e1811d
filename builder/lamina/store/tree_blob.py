"""The tar of a file tree, made while it is read. Its size is known before any file is read."""

from __future__ import annotations

import bisect
import itertools
import os
from collections.abc import Callable, Iterator, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.span import CHUNK, Piece, Span, changed, cut
from lamina.store.tree import Item, unreadable
from lamina.tar.write import BLOCK, END, FILE, header, padding, stored_size

_SMALL = 64 << 10
"""Files up to this size are read whole, and returned together with their headers and with other files."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.define(eq=False)
class TreeBlob(Blob):
    """A tar of the items that `find` returns, made while it is read.

    `find` is called for the size (no file is read for that), and the items are kept until they have been read once.
    So nothing in the store is looked at for a layer whose digest and size are known.
    """

    find: Callable[[], Sequence[Item]]
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


def _pieces(items: Sequence[Item]) -> Iterator[Piece]:
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
    yield b"".join((*batch, END))


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
