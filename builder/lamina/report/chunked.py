"""Compares a zstd:chunked layer's table of contents and tar-split data with its tar.

podman and CRI-O create files from the table and the chunks that it refers to. Other programs create them from the tar.
If the two differ, the image has different files for different programs.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from lamina.data.blob import Blob
from lamina.data.budget import Budget
from lamina.data.crc64 import Crc64
from lamina.image.chunked import CHECKSUM, MAGIC, TABLE, TAR_SPLIT
from lamina.image.chunked_documents import Names, NotChunked, metadata, padding_size
from lamina.image.layer import Layer
from lamina.limits import COMPARED
from lamina.oci.strict_json import Json
from lamina.report.chunked_read import Line, Range, documents, lines, members, unpacked, wrong
from lamina.tar.parts import Headers, parts

if TYPE_CHECKING:
    from hashlib import _Hash

_FOOTER = 8 + 64
_TIMES = ("modtime", "accesstime", "changetime")
_CONTENT = {"digest", "offset", "endoffset", "chunksize", "chunkoffset", "chunkdigest", "chunktype"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def has_table(layer: Layer) -> bool:
    """Whether annotations say that the layer has a table of contents."""
    return layer.stored is not None and CHECKSUM in layer.stored.descriptor.annotations


def notes(layer: Layer) -> object:
    """The annotations about the table. Two manifests may have different ones for the same layer."""
    found = layer.stored.descriptor.annotations if layer.stored else {}
    return tuple(found.get(key) for key in (CHECKSUM, TABLE, TAR_SPLIT))


def check_table(layer: Layer, budget: Budget) -> None:
    """Raises BadInput: the first difference between the table of contents, the tar-split data and the tar.

    `budget` is for the tables of all layers of an archive, and not the one that reading its layers takes from.
    """
    table, split, numbers = documents(layer, budget)
    _check_footer(layer, numbers)
    split_lines = _Split(layer, lines(layer, split, budget))
    _Comparison(layer, budget, members(layer, table, budget), split_lines, numbers[0] - 8).run()


def _check_footer(layer: Layer, numbers: tuple[int, ...]) -> None:
    """Compare the footer with the annotations. podman ignores it, but other programs may use it to find the table."""
    assert layer.stored
    size = layer.stored.descriptor.size
    data = b"".join(Range(layer.stored.blob, max(0, size - _FOOTER), _FOOTER).chunks())
    if len(data) == _FOOTER and data.endswith(MAGIC) and struct.unpack("<7Q", data[8:-8]) != numbers:
        wrong(layer, "has another position in the layer's last bytes than in its annotations")


@attrs.define(eq=False)
class _Split:
    """Tar-split data, compared piece by piece."""

    layer: Layer
    lines: Iterator[Line]
    _held: bytearray = attrs.field(factory=bytearray)

    def expect(self, raw: bytes) -> None:
        """The next bytes of the tar that are not data of a file. Raises BadInput: tar-split has other bytes here."""
        while len(self._held) < len(raw):
            line = next(self.lines, None)
            if line is None or line.name is not None:
                wrong(self.layer, "has tar-split data that lacks a part of the tar")
            self._held += line.payload
        if not self._held.startswith(raw):
            wrong(self.layer, "has tar-split data with other headers than the tar")
        del self._held[: len(raw)]

    def expect_file(self, name: bytes, size: int, crc: bytes) -> None:
        """The place of a file's data. Raises BadInput: it is not here, or its name, size or checksum is wrong."""
        line = next(self.lines, None)
        if self._held or line is None or (line.name, line.size) != (name, size) or (size and line.payload != crc):
            wrong(self.layer, f"has tar-split data that differs from the tar at {name!r:.100}")

    def expect_end(self) -> None:
        """Raises BadInput: there is more than in the tar."""
        if self._held or any(line.payload or line.name is not None for line in self.lines):
            wrong(self.layer, "has tar-split data with more than the tar")


@attrs.define(eq=False)
class _Comparison:
    """One pass over the tar. `end` is where frames of data end in the layer."""

    layer: Layer
    budget: Budget
    table: Iterator[list[Json]]
    split: _Split
    end: int
    _names: Names = attrs.field(factory=Names)
    _padding: int = 0
    _frames: _Frames = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._frames = _Frames(self.layer, self.budget, self.end)

    def run(self) -> None:
        """Raises BadInput."""
        file: _File | None = None
        for part in parts(self._tar(), self.layer.where):
            if not isinstance(part, Headers):
                assert file
                file.add(part)
                continue
            if file:
                file.finish()
                self.split.expect_file(file.name, file.size, file.crc.digest())
                file = None
            self.split.expect(part.raw)
            if part.problem:
                wrong(self.layer, f"belongs to a tar that cannot be read: {part.problem}")
            if part.entry is not None:
                file = self._member(part)
        self.split.expect_end()
        if extra := next(self.table, None):
            wrong(self.layer, f"has an entry that is not in the tar: {extra[0].get('name')!r:.100}")

    def _tar(self) -> Iterator[bytes]:
        for chunk in self.layer.blob.chunks():
            self.budget.spend(COMPARED, len(chunk), self.layer.where)
            yield chunk

    def _member(self, headers: Headers) -> _File:
        entry = headers.entry
        assert entry
        try:
            expected = metadata(entry, headers.raw[self._padding :])
            self._names.add(entry.name)
        except NotChunked as error:
            wrong(self.layer, f"cannot describe {entry.name!r:.100}: {error}")
        found = next(self.table, None)
        if found is None:
            wrong(self.layer, f"lacks {entry.name!r:.100}")
        self._compare({key.lower(): value for key, value in expected.items()}, found[0])
        self._padding = padding_size(entry.size)
        return _File(self.layer, entry.name, entry.size, found, self._frames)

    def _compare(self, tar: Json, table: Json) -> None:
        """Compare everything except the content. Raises BadInput."""
        name = tar["name"]
        for key in sorted({*tar, *table} - _CONTENT):
            first, second = tar.get(key) or None, table.get(key) or None
            if key in _TIMES:
                first, second = _moment(first), _moment(second)
            if type(first) is not type(second) or first != second:
                problem = f"says of {name!r:.100} {key} {table.get(key)!r:.60}, the tar {tar.get(key)!r:.60}"
                wrong(self.layer, problem)


def _moment(value: object) -> object:
    """A time in nanoseconds; None for the start of 1970, as in podman; a text that is not a time unchanged."""
    if isinstance(value, str) and (match := _TIME.fullmatch(value)):
        try:
            whole = datetime.datetime.fromisoformat(match[1] + match[3]).timestamp()
        except ValueError:
            return value
        return int(whole) * 10**9 + int((match[2] or "").ljust(9, "0")) or None
    return value


@attrs.define(eq=False)
class _Frames:
    """The frames of chunks, in the order of the files. Each is read once. `end` is the position after the last one."""

    layer: Layer
    budget: Budget
    end: int
    _position: int = 0

    def digest(self, start: object, end: object, length: int) -> str | None:
        """The digest of the first `length` bytes in these frames; None if the next chunk cannot be here."""
        end = end or self.end
        if type(start) is not int or type(end) is not int or not self._position <= start < end <= self.end:
            return None
        assert self.layer.stored
        self._position = end
        stored = Range(self.layer.stored.blob, start, end - start)
        return _digest_of(unpacked(self.layer, stored, self.budget), length)


@attrs.define(eq=False)
class _File:
    """The content of a member: the data in the tar, its chunks, and the frames that the table refers to."""

    layer: Layer
    name: bytes
    size: int
    entries: list[Json]
    frames: _Frames
    crc: Crc64 = attrs.field(factory=Crc64)
    _whole: _Hash = attrs.field(factory=hashlib.sha256)
    _chunk: _Hash = attrs.field(factory=hashlib.sha256)
    _position: int = 0
    _index: int = 0
    _limits: list[int] = attrs.field(init=False)
    """Where the chunks end in the file."""

    def __attrs_post_init__(self) -> None:
        main, *others = self.entries
        if not self.size:
            if others or main.get("digest", _EMPTY) != _EMPTY:
                self._wrong("has content by the table of contents, and none in the tar")
            self._limits = []
            return
        starts = [entry.get("chunkoffset", 0) for entry in self.entries]
        sizes = [entry.get("chunksize", 0 if others else self.size) or 0 for entry in self.entries]
        if not all(type(number) is int for number in (*starts, *sizes)) or min(sizes) <= 0:
            self._wrong("has a chunk without a size")
        self._limits = list(itertools.accumulate(sizes))
        if self._limits[-1] != self.size or starts != [0, *self._limits[:-1]]:
            self._wrong("has chunks that are not the whole file")
        if any(entry.get("name") != main["name"] for entry in others):
            self._wrong("has a chunk with another name")

    def _wrong(self, problem: str) -> None:
        wrong(self.layer, f"is wrong about {self.name!r:.100}: it {problem}")

    def add(self, data: bytes | memoryview) -> None:
        """The next bytes of the member in the tar."""
        self.crc.update(data)
        self._whole.update(data)
        view = memoryview(data)
        while view:
            room = self._limits[self._index] - self._position
            self._chunk.update(view[:room])
            self._position += min(room, len(view))
            if len(view) >= room:
                self._end_chunk()
            view = view[room:]

    def _end_chunk(self) -> None:
        digest = f"sha256:{self._chunk.hexdigest()}"
        self._chunk = hashlib.sha256()
        entry = self.entries[self._index]
        if len(self.entries) > 1 and entry.get("chunkdigest") != digest:
            self._wrong("has another digest for a chunk than the tar")
        length = self._limits[self._index] - (self._limits[self._index - 1] if self._index else 0)
        is_hole = entry.get("chunktype", "") == "zeros"
        if digest != (_digest_of_zeros(length) if is_hole else self._stored(entry, length)):
            self._wrong("has other bytes in its frames than in the tar")
        self._index += 1

    def _stored(self, entry: Json, length: int) -> str:
        """The digest of the bytes at the place in the entry."""
        is_last = self._index + 1 == len(self.entries)
        end = self._end() if is_last else self.entries[self._index + 1].get("offset")
        found = self.frames.digest(entry.get("offset", 0), end, length)
        if found is None:
            self._wrong("has frames outside of the layer's data, or before those of the chunk before it")
        return found or ""

    def _end(self) -> int:
        """Where the frames of the last chunk end: the largest number, as podman writes it into the last entry."""
        ends = [entry.get("endoffset") or 0 for entry in self.entries]
        return max(ends) if all(type(end) is int for end in ends) else -1

    def finish(self) -> None:
        """Raises BadInput: the digest of the whole file is another."""
        if self.size and self.entries[0].get("digest") != f"sha256:{self._whole.hexdigest()}":
            self._wrong("has another digest than the tar")


_EMPTY = f"sha256:{hashlib.sha256().hexdigest()}"


def _digest_of(blob: Blob, length: int) -> str:
    """The digest of the first bytes."""
    state = hashlib.sha256()
    for chunk in blob.chunks():
        state.update(chunk[:length])
        length -= min(length, len(chunk))
        if not length:
            break
    return f"sha256:{state.hexdigest()}"


def _digest_of_zeros(length: int) -> str:
    state = hashlib.sha256()
    for start in range(0, length, 1 << 20):
        state.update(bytes(min(1 << 20, length - start)))
    return f"sha256:{state.hexdigest()}"
