"""The bytes of a tree's tar, read while somebody asks for them. Sizes are known before any file is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.span import CHUNK, Piece, Span, changed
from lamina.store.tree import Item, unreadable
from lamina.tar.write import BLOCK, END, FILE, header, padding, stored_size

_SMALL = 64 << 10
"""Files of at most so many bytes are read whole, and given with their headers and with others."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.define(eq=False)
class TreeBlob(Blob):
    """A tar of the items that `find` finds, made while it is read.

    The items are looked for when somebody asks for the size, which needs no file's data, and kept until they have
    been read once; so an image whose digests are known is told of without a look at the store.
    """

    find: Callable[[], Sequence[Item]]
    _kept: Sequence[Item] | None = None

    @classmethod
    def of(cls, items: Sequence[Item]) -> TreeBlob:
        return cls(lambda: items)

    @property
    def size(self) -> int:
        """Raises BadInput: a path is not there, or holds what no layer can."""
        self._kept = self.find() if self._kept is None else self._kept
        return sum(stored_size(item.member) for item in self._kept) + len(END)

    def pieces(self) -> Iterator[Piece]:
        """The data of large files as spans. Raises BadInput when a file cannot be read or is not as long as it was."""
        items, self._kept = self._kept or self.find(), None
        batch: list[bytes] = []
        held = 0
        for item in items:
            member = item.member
            batch.append(header(member))
            held += BLOCK
            if member.kind == FILE:  # an empty one is read, too: it may have grown
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
    """A small file's data."""
    descriptor = _open(source)
    try:
        data = os.read(descriptor, size + 1)  # one byte more than there should be: it may have grown
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
    """A large file's data, as one span."""
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
