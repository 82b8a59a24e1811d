"""Data on its way: bytes in memory, or a span of an open file, which the kernel can move into a pipe by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

import attrs

from lamina.errors import BadInput

CHUNK = 1 << 20
"""Bytes read at once: large enough that Python's share of the time is small, small enough to stay in cache."""


@attrs.frozen
class Span:
    """`size` bytes from `offset` on of a file that is open until the next piece is asked for.

    All of them were there when the span was given. `name` is what errors call the file.
    """

    descriptor: int
    offset: int
    size: int
    name: str

    def __len__(self) -> int:
        return self.size

    def chunks(self) -> Iterator[bytes]:
        """The bytes, at most CHUNK at once. Raises BadInput: they cannot be read, or are not there any more."""
        position, end = self.offset, self.offset + self.size
        while position < end:
            chunk = self._read(position, min(CHUNK, end - position))
            if not chunk:
                raise changed(self.name)
            yield chunk
            position += len(chunk)

    def _read(self, position: int, size: int) -> bytes:
        try:
            return os.pread(self.descriptor, size, position)
        except OSError as error:
            raise BadInput(self.name, error.strerror or str(error), "check the disk") from None


Piece = bytes | Span


def changed(name: str) -> BadInput:
    """A file that is not what it was when its size was asked for."""
    return BadInput(name, "changed its size while it was read", "run again when nothing writes there")


def as_chunks(pieces: Iterator[Piece]) -> Iterator[bytes]:
    """The same data, all of it read."""
    for piece in pieces:
        if isinstance(piece, Span):
            yield from piece.chunks()
        else:
            yield piece


def put(piece: Piece, file: IO[bytes]) -> None:
    """Write the piece to a file or a pipe. Raises OSError; BadInput as `Span.chunks` does."""
    if isinstance(piece, bytes):
        file.write(piece)
        return
    file.flush()
    moved = _spliced(piece, file)
    for chunk in attrs.evolve(piece, offset=piece.offset + moved, size=piece.size - moved).chunks():
        file.write(chunk)


def _spliced(span: Span, file: IO[bytes]) -> int:
    """How many bytes went into a pipe without being copied: 1.2 GB take 0.6 s that way, and 0.9 s through this process.

    Not all, where the file has become shorter or the system moves none: no pipe, no Linux, some file systems.
    """
    done = 0
    try:
        while done < span.size:
            moved = os.splice(span.descriptor, file.fileno(), span.size - done, offset_src=span.offset + done)
            if not moved:
                break
            done += moved
    except BrokenPipeError:
        raise
    except (OSError, AttributeError):
        pass
    return done
