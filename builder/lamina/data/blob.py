"""Blobs: bytes with a size, produced when somebody reads them.

A base layer is a range of the archive that contains it, a JSON document is bytes in memory, and a layer of store paths
is made while it is read (`tree_blob.py`). Nothing is unpacked to disk.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import attrs

from lamina.data.span import Piece, Span, as_chunks, cut
from lamina.errors import BadInput


class Blob(Protocol):
    """Bytes that can be read any number of times, with the same result each time."""

    __slots__ = ()

    @property
    def size(self) -> int | None:
        """The number of bytes; None if it is known only after reading all of them (compressed data)."""

    @property
    def place(self) -> Place | None:
        """Where the stored bytes are in a file: blobs of one place have the same bytes. None if that is not known."""
        return None

    def pieces(self) -> Iterator[Piece]:
        """The bytes, in pieces of any length: in memory, or spans of files. Raises BadInput: they cannot be read."""

    def chunks(self) -> Iterator[bytes]:
        """The same bytes, all in memory, one piece at a time. Raises BadInput: they cannot be read."""
        return as_chunks(self.pieces())

    def part(self, start: int, size: int) -> Iterator[Piece]:
        """`size` bytes from `start` on; fewer if the blob ends before. Raises BadInput: they cannot be read."""
        return cut(self.pieces(), start, size)

    def sections(self) -> Sequence[Section]:
        """The sections that this blob consists of, in order, for several processes. Empty if it cannot be divided."""
        return ()


class Section(Protocol):
    """A section of a blob. One process determines its size, and then any process can read any range of it."""

    __slots__ = ()

    def measure(self) -> Measured:
        """Determine the size. This process keeps what it read for it, such as a list of files.

        Raises BadInput as `Blob.pieces`.
        """

    def fill(self, start: int, buffer: memoryview, measured: Measured) -> None:
        """Fill the buffer with the bytes from `start` on. Raises BadInput: the section is no longer as `measured`."""


class Measured(NamedTuple):
    """The size of a section in bytes. `check` is a checksum of the sizes of its files.

    `items` is the number of files that another process has to look for before it can read a part of the section.
    """

    size: int
    check: int = 0
    items: int = 0


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
    """An open file with blobs in it. It stays open until the last of these blobs is deleted.

    Errors call it `name`: for a compressed archive, the descriptor is that of a temporary file without a name.
    """

    file: io.FileIO
    name: str

    @classmethod
    def open(cls, path: Path) -> Source:
        """Open a regular file. Raises BadInput: it does not exist, or cannot be read."""
        remedy = "give a file that can be read"
        try:
            # Without O_NONBLOCK, opening a pipe would wait for a writer. FileIO refuses a directory.
            file = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise BadInput(path, getattr(error, "strerror", None) or str(error), remedy) from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadInput(path, "not a file", remedy)
        return cls(file, str(path))

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode number: equal whenever this file is opened, by whatever name."""
        info = os.fstat(self.file.fileno())
        return info.st_dev, info.st_ino

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`. Several readers do not disturb each other."""
        try:
            return os.pread(self.file.fileno(), size, offset)
        except OSError as error:
            raise BadInput(self.name, error.strerror or str(error), "give a file that can be read") from None


Place = tuple[Source, int, int]
"""A part of an open file: the file, the start of the part, and its size."""


@attrs.frozen(eq=False)
class FileRange(Blob):
    """`size` bytes of a file, starting at `offset`."""

    source: Source
    offset: int
    size: int

    @property
    def place(self) -> Place:
        return self.source, self.offset, self.size

    def pieces(self) -> Iterator[Span]:
        """One span. Raises BadInput: the file is shorter."""
        if (missing := self.offset + self.size - self.source.size) > 0:
            raise BadInput(self.source.name, f"ends {missing} bytes early", "it is cut short: copy or pull it again")
        yield Span(self.source.file.fileno(), self.offset, self.size, self.source.name)

    def sections(self) -> Sequence[Section]:
        return (self,)

    def measure(self) -> Measured:
        return Measured(self.size)

    def fill(self, start: int, buffer: memoryview, measured: Measured) -> None:
        """Raises BadInput: the file is shorter, or cannot be read."""
        [span] = self.pieces()
        attrs.evolve(span, offset=span.offset + start, size=len(buffer)).read_into(buffer)


@attrs.frozen(eq=False)
class FileAt(Blob):
    """All bytes of a file, open only while they are read, because a process may not open as many files at once."""

    path: Path
    size: int

    def pieces(self) -> Iterator[Span]:
        """One span. Raises BadInput: the file cannot be read, or is shorter."""
        source = Source.open(self.path)
        yield from FileRange(source, 0, self.size).pieces()


def read_all(blob: Blob, limit: int, where: object) -> bytes:
    """The bytes of a small blob. Raises BadInput: there are more than `limit`."""
    pieces: list[bytes] = []
    total = 0
    for chunk in blob.chunks():
        total += len(chunk)
        if total > limit:
            raise BadInput(where, f"larger than {limit} bytes", "the file is damaged or hostile")
        pieces.append(chunk)
    return b"".join(pieces)


class Stream:
    """Reads a blob from front to back. Skipping a part of a file does not read it."""

    def __init__(self, blob: Blob) -> None:
        self._range = blob if isinstance(blob, FileRange) else None
        self._chunks = iter(()) if self._range else blob.chunks()
        self._rest = memoryview(b"")
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        if self._range:
            left = max(0, self._range.size - self.position)
            data = self._range.source.read(self._range.offset + self.position, min(size, left))
        else:
            data = b"".join(self._take(size))
        self.position += len(data)
        return data

    def skip(self, size: int) -> bool:
        """Move forward by `size` bytes; False if fewer are left."""
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
