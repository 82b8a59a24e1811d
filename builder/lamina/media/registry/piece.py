"""Pieces of blobs that the kernel sends to any number of clients: parts of files in the store, and files in memory.

Headers and small files are put together in memory, so that a piece is large and Python's work for each is small.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator
from typing import Any, Protocol

import attrs

from lamina.data.span import Piece, Span, section


class Hash(Protocol):
    """A hash of `hashlib`."""

    def update(self, data: Any, /) -> None: ...

    def hexdigest(self) -> str: ...


_PIECE = 1 << 20
"""Bytes of a piece at most."""

_SENT_FROM_ITS_FILE = 1 << 20
"""Bytes from which on a file of the store is a piece of its own."""

_WORTH_A_FILE = 64 << 10
"""Bytes from which on a piece in memory is a file. The kernel copies smaller ones for each client."""


@attrs.frozen
class HeldSpan:
    """A span whose file stays open as long as the span is kept. `memory` is the bytes of memory that the file takes."""

    file: io.FileIO
    offset: int
    size: int
    memory: int = 0

    def __len__(self) -> int:
        return self.size

    @classmethod
    def of(cls, span: Span) -> HeldSpan:
        return cls(io.FileIO(os.dup(span.descriptor)), span.offset, span.size)

    def cut(self, first: int, last: int) -> HeldSpan:
        """The bytes from `first` up to `last`."""
        return attrs.evolve(self, offset=self.offset + first, size=last - first)


HeldPiece = bytes | HeldSpan


def memory_of(piece: HeldPiece) -> int:
    """Bytes of memory that a piece takes as long as it is kept."""
    return len(piece) if isinstance(piece, bytes) else piece.memory


class PieceMaker:
    """Makes pieces that can be kept of data as they are read."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = filter(len, pieces)
        self._rest: Piece | None = None

    def next(self, limit: int, state: Hash | None) -> HeldPiece | None:
        """The next piece, of at most `limit` bytes, which `state` is updated with; None at the end. Raises BadInput."""
        first = self._read()
        if first is None:
            return None
        size = min(limit, _PIECE)
        if _is_large(first):
            span = self._first_of(first, size)
            assert isinstance(span, Span)
            if state:
                for chunk in span.chunks():
                    state.update(chunk)
            return HeldSpan.of(span)
        file = _file_in_memory(size) if limit >= _WORTH_A_FILE else None
        if file is None:
            return bytes(self._gathered(first, memoryview(bytearray(size)), state))
        filled = self._gathered(first, memoryview(mmap.mmap(file.fileno(), size)), state)
        return HeldSpan(file, 0, len(filled), len(filled))

    def _gathered(self, piece: Piece | None, buffer: memoryview, state: Hash | None) -> memoryview:
        """Fill the buffer with this piece and those after it, up to a large span; returns what is filled."""
        done = 0
        while piece is not None and done < len(buffer):
            if _is_large(piece):
                self._rest = piece
                break
            part = self._first_of(piece, len(buffer) - done)
            target = buffer[done : done + len(part)]
            if isinstance(part, Span):
                part.read_into(target)
            else:
                target[:] = part
            done += len(part)
            piece = self._read() if done < len(buffer) else None
        filled = buffer[:done]
        if state:
            state.update(filled)
        return filled

    def _read(self) -> Piece | None:
        rest, self._rest = self._rest, None
        return rest or next(self._pieces, None)

    def _first_of(self, piece: Piece, size: int) -> Piece:
        """The piece up to `size` bytes; what is left of it is read next."""
        if len(piece) <= size:
            return piece
        self._rest = section(piece, size, len(piece))
        return section(piece, 0, size)


def _is_large(piece: Piece) -> bool:
    return isinstance(piece, Span) and piece.size >= _SENT_FROM_ITS_FILE


def _file_in_memory(size: int) -> io.FileIO | None:
    """A new file of zeros; None if there is none: on macOS, in some sandboxes, and with too many open files."""
    try:
        file = io.FileIO(os.memfd_create("piece", os.MFD_CLOEXEC), "r+")
    except (AttributeError, OSError):
        return None
    file.truncate(size)
    return file
