"""Divides a tar into headers and data while it is read once. Together they are all bytes of the tar, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lamina.data.blob import Bytes, Stream
from lamina.errors import BadInput
from lamina.tar.read import Entry, entries_in


class Headers(NamedTuple):
    """The bytes between the data of one member and that of the next: padding, and all headers of `entry`.

    `entry` is None for bytes after the last member. `problem` says why these bytes could not be read as headers; then
    no entry follows.
    """

    raw: bytes
    entry: Entry | None
    problem: str = ""


Part = Headers | bytes | memoryview
"""Bytes are data of the member whose headers came last."""


def parts(chunks: Iterable[bytes], where: object) -> Iterator[Part]:
    """The parts of the tar. No more than one piece of `chunks` is kept.

    A tar that `entries` refuses is no error: its remaining bytes come without an entry. Raises only what `chunks`
    raises.
    """
    stream = _Recording(chunks)
    members = entries_in(stream, where)
    problem = ""
    while True:
        try:
            entry = next(members, None)
        except BadInput as error:
            if stream.is_broken:
                raise
            entry, problem = None, str(error)
        if entry is None:
            break
        yield Headers(stream.recorded(), entry)
        yield from stream.data(entry.offset + entry.size - stream.position)
    yield Headers(stream.recorded(), None, problem)
    for rest in stream.rest():
        yield Headers(bytes(rest), None, problem)


class _Recording(Stream):
    """Records the bytes that the reader of headers reads and skips, and not the data of members."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__(Bytes(b""))
        self._chunks = self._watched(chunks)
        self._record: list[bytes] = []
        self.is_broken = False

    def _watched(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from chunks
        except BadInput:
            self.is_broken = True
            raise

    def read(self, size: int) -> bytes:
        data = super().read(size)
        self._record.append(data)
        return data

    def skip(self, size: int) -> bool:
        return len(self.read(size)) == size

    def recorded(self) -> bytes:
        """What was read since the last call."""
        data = b"".join(self._record)
        self._record.clear()
        return data

    def data(self, size: int) -> Iterator[memoryview]:
        """The next bytes; fewer at the end of the stream."""
        for piece in self._take(size):
            self.position += len(piece)
            yield piece

    def rest(self) -> Iterator[memoryview]:
        """All remaining bytes."""
        return self.data(1 << 63)
