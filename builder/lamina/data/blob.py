"""Blobs: bytes with a size, produced when somebody reads them.

A base layer is a range of the archive it lies in, a JSON document is bytes in memory, a layer of store paths is
made while it is read (`tree_blob.py`). Nothing here is unpacked to disk.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import attrs

from lamina.data.span import Piece, Span, as_chunks
from lamina.errors import BadInput


class Blob(Protocol):
    """Bytes that can be read as often as one likes, the same each time."""

    __slots__ = ()

    @property
    def size(self) -> int | None:
        """Bytes, or None when only reading to the end tells (compressed data)."""

    def pieces(self) -> Iterator[Piece]:
        """The bytes, in pieces of any length, read or not. Raises BadInput when they cannot be had."""

    def chunks(self) -> Iterator[bytes]:
        """The same, all of it read. Raises BadInput."""
        return as_chunks(self.pieces())


@attrs.frozen
class Bytes(Blob):
    """A blob in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def pieces(self) -> Iterator[bytes]:
        yield self.data


@attrs.frozen(eq=False)
class Source:
    """An open file that blobs are ranges of; open until the last blob is forgotten.

    `name` is what errors call it: for a compressed archive the descriptor belongs to a nameless temporary file.
    """

    file: io.FileIO
    name: str

    @classmethod
    def open(cls, path: Path) -> Source:
        """Raises BadInput: no such file, or it may not be read."""
        remedy = "give a file that can be read"
        try:
            # A pipe without a writer would be waited for; a directory is refused by FileIO.
            file = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise BadInput(path, getattr(error, "strerror", None) or str(error), remedy) from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadInput(path, "not a file", remedy)
        return cls(file, str(path))

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`, whatever others read meanwhile."""
        try:
            return os.pread(self.file.fileno(), size, offset)
        except OSError as error:
            raise BadInput(self.name, error.strerror or str(error), "give a file that can be read") from None


@attrs.frozen(eq=False)
class FileRange(Blob):
    """`size` bytes of a file from `offset` on."""

    source: Source
    offset: int
    size: int

    def pieces(self) -> Iterator[Span]:
        """One span. Raises BadInput: the file is shorter."""
        if (early := self.offset + self.size - self.source.size) > 0:
            raise BadInput(self.source.name, f"ends {early} bytes early", "it is cut short: copy or pull it again")
        yield Span(self.source.file.fileno(), self.offset, self.size, self.source.name)


def read_all(blob: Blob, limit: int, where: object) -> bytes:
    """A small blob's bytes, in memory. Raises BadInput when there are more than `limit`."""
    pieces: list[bytes] = []
    total = 0
    for chunk in blob.chunks():
        total += len(chunk)
        if total > limit:
            raise BadInput(where, f"larger than {limit} bytes", "the file is damaged or hostile")
        pieces.append(chunk)
    return b"".join(pieces)


class Stream:
    """A blob read front to back in pieces of the reader's choice; `skip` costs nothing where it can."""

    def __init__(self, blob: Blob) -> None:
        self._range = blob if isinstance(blob, FileRange) else None
        self._chunks = iter(()) if self._range else blob.chunks()
        self._rest = memoryview(b"")
        self.position = 0

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        if self._range:
            left = max(0, self._range.size - self.position)
            data = self._range.source.read(self._range.offset + self.position, min(size, left))
        else:
            data = b"".join(self._take(size))
        self.position += len(data)
        return data

    def skip(self, size: int) -> bool:
        """Go `size` bytes on; False when there are not that many."""
        if self._range:
            self.position += size
            return self.position <= self._range.size
        taken = sum(len(piece) for piece in self._take(size))
        self.position += taken
        return taken == size

    def _take(self, size: int) -> Iterator[memoryview]:
        while size > 0:
            if not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._rest = memoryview(chunk)
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield piece
