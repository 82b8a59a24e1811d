"""Layers as zstd:chunked: podman and CRI-O fetch only those parts of such a layer that they do not have.

The layer is zstd data: a frame for each 64 KiB of a file, and frames for the headers between files. Skippable frames
follow, which other readers ignore. The table of contents says where the chunks of each file are, tar-split data has the
headers, and a footer says where both are. Annotations of the layer's descriptor say this, too. Without annotations, the
layer is plain zstd for every reader.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from lamina.data.blob import Blob
from lamina.data.block_compression import compressed, in_threads, zstd_frame
from lamina.data.crc64 import Crc64
from lamina.image.chunked_documents import Names, NotChunked, file_line, metadata, padding_size, segment
from lamina.limits import CHUNKED_TABLE
from lamina.oci.digest import sha256
from lamina.oci.strict_json import Json
from lamina.tar.parts import Headers, parts
from lamina.tar.read import Entry

CHECKSUM = "io.github.containers.zstd-chunked.manifest-checksum"
TABLE = "io.github.containers.zstd-chunked.manifest-position"
TAR_SPLIT = "io.github.containers.zstd-chunked.tarsplit-position"

CHUNK = 64 << 10
"""Bytes of a file in one frame. Chunks begin at multiples of it: a renamed store path has the length that it had."""

SKIPPABLE = bytes.fromhex("502a4d18")
MAGIC = b"GNUlInUx"
START = '{"version":1,"entries":['
"""How the table of contents begins, as podman writes it."""

CRFS = 1
"""The only type of the table of contents."""

_BATCH = 1 << 20
"""Bytes that a thread compresses at a time."""

_HEADERS = 1 << 20
"""Bytes of headers in one frame, at most."""

_DOCUMENT_PIECE = 4 << 20
"""Bytes of a document that are compressed at a time."""

Annotations = Mapping[str, str]


def chunked(
    chunks: Iterable[bytes],
    level: int,
    threads: int,
    done: Callable[[Annotations], None] = lambda _: None,
    see: Callable[[Entry], None] = lambda _: None,
) -> Iterator[bytes]:
    """The tar in `chunks` as a zstd:chunked layer. At the end, `done` is called with its annotations.

    If a reader of the table of contents would understand the tar differently than others, the layer gets no table and
    no annotations. The same holds for a table that is too large for readers. `see` is called with each member. Raises
    only what `chunks` and `see` raise.
    """
    writer = _Writer(level, see)
    work = functools.partial(_frames, level)
    for result in in_threads(work, writer.batches(chunks), threads):
        yield writer.placed(result)
    if writer.problem:
        done({})
        return
    annotations, end = writer.documents()
    yield end
    done(annotations)


@attrs.frozen(eq=False)
class ChunkedBlob(Blob):
    """A tar as a zstd:chunked layer, made whenever it is read. `size` is that of the compressed bytes."""

    plain: Blob
    level: int
    size: int | None = None

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput: the plain bytes cannot be read."""
        return chunked(self.plain.chunks(), self.level, len(os.sched_getaffinity(0)))


class _Piece(NamedTuple):
    """Bytes of one frame; `is_data` if they are a chunk of a file."""

    data: bytes
    is_data: bool


class _Frame(NamedTuple):
    """A compressed piece, and the digest of a chunk."""

    data: bytes
    digest: str


def _frames(level: int, batch: list[_Piece]) -> list[_Frame]:
    return [_Frame(zstd_frame(level, piece.data), sha256(piece.data) if piece.is_data else "") for piece in batch]


@attrs.define
class _File:
    """A member whose chunks are being compressed: what the table says about it, and how many chunks are missing.

    `chunks` has the offset in the layer and the digest of each chunk; `end` is the offset after the last one. `digest`
    is that of the whole file if it has several chunks.
    """

    fields: Json
    missing: int
    digest: str = ""
    chunks: list[tuple[int, str]] = attrs.field(factory=list)
    end: int = 0

    def entries(self) -> Iterator[Json]:
        """The entries of the table for this member."""
        if not self.chunks:
            yield self.fields
            return
        place = {"offset": self.chunks[0][0], "endOffset": self.end}
        if len(self.chunks) == 1:
            yield {**self.fields, "digest": self.chunks[0][1], **place}
            return
        size, name = self.fields["size"], self.fields["name"]
        ends = [*(offset for offset, _ in self.chunks[1:]), self.end]
        for index, ((offset, digest), end) in enumerate(zip(self.chunks, ends, strict=True)):
            start = index * CHUNK
            main = {**self.fields, "digest": self.digest} if not index else {"type": "chunk", "name": name}
            at = {"chunkOffset": start} if index else {}
            cut = {"chunkSize": min(CHUNK, size - start), **at, "chunkDigest": digest}
            yield {**main, "offset": offset, "endOffset": end if index else self.end, **cut}


@attrs.define(eq=False)
class _Document:
    """Text that is compressed while it is written: for half a million files it would be 400 MB."""

    level: int
    size: int = 0
    _text: list[bytes] = attrs.field(factory=list)
    _length: int = 0
    _packed: list[bytes] = attrs.field(factory=list)

    def add(self, text: str) -> None:
        data = text.encode()
        self._text.append(data)
        self.size += len(data)
        self._length += len(data)
        if self._length >= _DOCUMENT_PIECE:
            self._pack()

    def _pack(self) -> None:
        self._packed += compressed([b"".join(self._text)], "zstd", self.level, 1)
        self._text.clear()
        self._length = 0

    def finished(self) -> bytes:
        """The compressed text."""
        self._pack()
        return b"".join(self._packed)


@attrs.define(eq=False)
class _Writer:
    """Cuts the tar into pieces, and puts their frames into the layer in the same order."""

    level: int
    see: Callable[[Entry], None]
    problem: str = ""
    """Why the layer gets no table of contents."""
    _position: int = 0
    _unplaced: deque[_File | None] = attrs.field(factory=deque)
    """For each piece that has no place yet: the file of which it is a chunk, or None for headers."""
    _members: deque[_File] = attrs.field(factory=deque)
    """The members that are not yet in the table."""
    _names: Names = attrs.field(factory=Names)
    _table: _Document = attrs.field(init=False)
    _split: _Document = attrs.field(init=False)
    _lines: int = 0
    _headers: bytearray = attrs.field(factory=bytearray)
    _chunk: bytearray = attrs.field(factory=bytearray)
    _file: _File | None = None
    _state: Any = None
    _crc: Crc64 = attrs.field(factory=Crc64)
    _padding: int = 0
    _zeros: int = 0

    def __attrs_post_init__(self) -> None:
        self._table, self._split = _Document(self.level), _Document(self.level)

    def batches(self, chunks: Iterable[bytes]) -> Iterator[list[_Piece]]:
        """The pieces of the tar, some of them at a time. Raises what `chunks` raises."""
        batch: list[_Piece] = []
        size = 0
        for piece in self._pieces(chunks):
            batch.append(piece)
            size += len(piece.data)
            if size >= _BATCH:
                yield batch
                batch, size = [], 0
        yield batch

    def _pieces(self, chunks: Iterable[bytes]) -> Iterator[_Piece]:
        for part in parts(chunks, "the layer"):
            if isinstance(part, Headers):
                if self._chunk:
                    yield self._cut()
                self._end_file()
                self._headers += part.raw
                while len(self._headers) >= _HEADERS:
                    yield self._cut_headers(_HEADERS)
                self._begin(part)
                continue
            if self._headers:
                yield self._cut_headers(len(self._headers))
            view = memoryview(part)
            while view:
                room = CHUNK - len(self._chunk)
                self._chunk += view[:room]
                view = view[room:]
                if len(self._chunk) == CHUNK:
                    yield self._cut()
        if self._headers:
            yield self._cut_headers(len(self._headers))
        self._end_tar()

    def _cut_headers(self, size: int) -> _Piece:
        data = bytes(self._headers[:size])
        del self._headers[:size]
        self._unplaced.append(None)
        return _Piece(data, False)

    def _cut(self) -> _Piece:
        """The bytes that were collected, as a chunk of the current file."""
        data = bytes(self._chunk)
        self._chunk.clear()
        self._unplaced.append(self._file)
        if self._file:
            self._crc.update(data)
            if self._state:
                self._state.update(data)
        return _Piece(data, self._file is not None)

    def _begin(self, headers: Headers) -> None:
        """A member, or the end of the tar, begins."""
        self._file = None
        if self.problem:
            return
        if headers.entry is None:
            is_end = headers.raw == bytes(len(headers.raw))
            self.problem = headers.problem or ("" if is_end else "bytes after the last member")
            self._zeros += len(headers.raw)
            return
        self.see(headers.entry)
        try:
            fields = metadata(headers.entry, headers.raw[self._padding :])
            self._names.add(headers.entry.name)
        except NotChunked as error:
            self.problem = str(error)
            return
        size = headers.entry.size
        self._line(segment(headers.raw, self._lines))
        self._file = _File(fields, -(-size // CHUNK))
        self._members.append(self._file)
        self._crc, self._padding = Crc64(), padding_size(size)
        self._state = hashlib.sha256() if size > CHUNK else None

    def _end_file(self) -> None:
        if file := self._file:
            size = file.fields.get("size", 0)
            self._line(file_line(file.fields["name"], size, self._crc.digest() if size else None, self._lines))
            file.digest = f"sha256:{self._state.hexdigest()}" if self._state else ""

    def _end_tar(self) -> None:
        for start in range(0, 0 if self.problem else self._zeros, _HEADERS):
            self._line(segment(bytes(min(_HEADERS, self._zeros - start)), self._lines))

    def _line(self, text: str) -> None:
        self._split.add(text)
        self._lines += 1

    def placed(self, frames: list[_Frame]) -> bytes:
        """The frames, one after the other. Records where the chunks are, and adds complete members to the table."""
        for frame in frames:
            file = self._unplaced.popleft()
            if file:
                file.chunks.append((self._position, frame.digest))
                file.missing -= 1
                file.end = self._position + len(frame.data)
            self._position += len(frame.data)
        while self._members and not self._members[0].missing and self._members[0] is not self._file:
            for entry in self._members.popleft().entries():
                before = "," if self._table.size else START
                self._table.add(before + json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
        return b"".join(frame.data for frame in frames)

    def documents(self) -> tuple[Annotations, bytes]:
        """The annotations, and the frames after the data; both empty if the table is too large for readers."""
        split = self._split.finished()
        start = "" if self._table.size else START
        self._table.add(f'{start}],"tarSplitDigest":"{sha256(split)}"}}')
        table = self._table.finished()
        if self._table.size > CHUNKED_TABLE:
            return {}, b""
        at = self._position + 8
        after = at + len(table) + 8
        numbers = (at, len(table), self._table.size, CRFS, after, len(split), self._split.size)
        footer = struct.pack("<7Q", *numbers) + MAGIC
        annotations = {
            CHECKSUM: sha256(table),
            TABLE: ":".join(map(str, numbers[:4])),
            TAR_SPLIT: ":".join(map(str, numbers[4:])),
        }
        return annotations, b"".join(map(_skippable, (table, split, footer)))


def _skippable(data: bytes) -> bytes:
    return SKIPPABLE + len(data).to_bytes(4, "little") + data
