"""What tar headers say beyond names, kinds and sizes: owners' names, modes, extension headers."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from lamina.data.blob import Blob, FileRange
from lamina.tar.extensions import KINDS
from lamina.tar.fields import parse_number
from lamina.tar.read import Entry, entries
from lamina.tar.write import BLOCK


@attrs.frozen
class Head:
    """A member with its headers. `kind` is the type flag as stored, `ustar_size` the size in the last header block.

    `extensions` has the type flag of each extension header before the member. `keys` has the keys of PAX records in
    these headers.
    """

    entry: Entry
    kind: bytes
    mode: int
    uid: int
    gid: int
    user: bytes
    group: bytes
    ustar_size: int
    extensions: tuple[bytes, ...]
    keys: tuple[bytes, ...]

    @property
    def name(self) -> str:
        """The name as stored, without the slash at the end of a directory's name."""
        return self.entry.name.decode(errors="surrogateescape").rstrip("/") or "/"

    @property
    def link(self) -> str:
        return self.entry.link.decode(errors="surrogateescape")


def heads(archive: Blob, where: object) -> Iterator[Head]:
    """The members of a tar, in order. Raises BadInput as `entries`."""
    window = _Seekable(archive) if isinstance(archive, FileRange) else _Window(archive)
    end = 0
    for entry in entries(window.blob, where):
        yield _head(entry, window.between(end, entry.offset))
        end = entry.offset + entry.size + -entry.size % BLOCK
        window.floor = end


@attrs.define
class _Seekable:
    """A range of a file: bytes that were read before can be read again."""

    blob: FileRange
    floor: int = 0

    def between(self, start: int, end: int) -> bytes:
        return self.blob.source.read(self.blob.offset + start, end - start)


@attrs.define(eq=False)
class _Window(Blob):
    """A blob that is read once. The chunks with bytes from `floor` on are kept."""

    source: Blob
    floor: int = 0
    size: None = None
    _kept: list[tuple[int, bytes]] = attrs.field(factory=list)

    @property
    def blob(self) -> _Window:
        return self

    def pieces(self) -> Iterator[bytes]:
        position = 0
        for chunk in self.source.chunks():
            self._kept = [(start, data) for start, data in self._kept if start + len(data) > self.floor]
            self._kept.append((position, chunk))
            position += len(chunk)
            yield chunk

    def between(self, start: int, end: int) -> bytes:
        pieces = ((max(0, start - at), end - at, data) for at, data in self._kept if at < end)
        return b"".join(data[first:last] for first, last, data in pieces)


def _head(entry: Entry, raw: bytes) -> Head:
    """`raw` are the bytes between the data of the previous member and the data of this one."""
    kinds: list[bytes] = []
    keys: list[bytes] = []
    block = raw[:BLOCK]
    while block[156:157] in KINDS:
        size = parse_number(block[124:136]) or 0
        kinds.append(block[156:157])
        if block[156:157] in (b"x", b"g"):
            keys += _keys(raw[BLOCK : BLOCK + size])
        raw = raw[BLOCK + size + -size % BLOCK :]
        block = raw[:BLOCK]
    return Head(
        entry=entry,
        kind=block[156:157],
        mode=parse_number(block[100:108]) or 0,
        uid=parse_number(block[108:116]) or 0,
        gid=parse_number(block[116:124]) or 0,
        user=block[265:297].partition(b"\0")[0],
        group=block[297:329].partition(b"\0")[0],
        ustar_size=parse_number(raw[-BLOCK:][124:136]) or 0,
        extensions=tuple(kinds),
        keys=tuple(keys),
    )


def _keys(data: bytes) -> Iterator[bytes]:
    """The keys of PAX records, which `entries` has checked."""
    while data:
        digits = data.partition(b" ")[0]
        yield data[len(digits) + 1 : int(digits)].partition(b"=")[0]
        data = data[int(digits) :]
