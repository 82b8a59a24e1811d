"""Reading foreign tar: what an archive holds and where, without unpacking any of it.

Reads ustar, PAX and GNU headers as Go's archive/tar, GNU tar and Python's tarfile write them. Where readers in
use disagree about the same bytes, the archive is refused: see `docs/hostile-input.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from builder.blob import Blob, Stream
from builder.errors import BadInput
from builder.tar import BLOCK, DIRECTORY, FILE, HARD_LINK, SYMLINK

_MAX_EXTENSION = 1 << 20
"""Bytes of one PAX or GNU long-name header; the longest path that Linux takes is 4096."""

_REGULAR = (b"0", b"\0", b"7")
_EMPTY = (SYMLINK, b"3", b"4", b"6")
"""Links, devices and pipes: GNU tar passes over as many bytes as their size says, Go and Python over none."""


@attrs.frozen
class Entry:
    """A member found in an archive: `offset` is where its data starts, from the archive's first byte.

    `name` is as stored, `link` too; old spellings of a regular file and of a directory are FILE and DIRECTORY.
    """

    name: bytes
    kind: bytes
    size: int
    offset: int
    link: bytes


@attrs.define
class _Extensions:
    """What headers before a member say of it."""

    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None


def entries(archive: Blob, where: object, *, need_end: bool) -> Iterator[Entry]:
    """The members of a tar, in order.

    With `need_end` the two closing blocks must be there: without them nobody can tell a whole archive from one
    cut short between members. Raises BadInput naming `where`.
    """
    stream = Stream(archive)
    extensions = _Extensions()
    while block := _next_block(stream, where, need_end):
        kind = block[156:157]
        size = _number(block[124:136], where)
        if kind in (b"x", b"g", b"L", b"K"):
            _extend(extensions, kind, _payload(stream, size, where), where)
            continue
        entry = _entry(block, kind, size, stream, extensions, where)
        extensions = _Extensions()
        yield entry
        end = entry.offset + entry.size
        if not stream.skip(end + -end % BLOCK - stream.position):
            raise _cut_short(where)


def _cut_short(where: object) -> BadInput:
    return BadInput(where, "the tar archive is cut short", "copy or pull it again")


def _no_tar(where: object) -> BadInput:
    remedy = "give an image archive as docker save, podman save or skopeo write it"
    return BadInput(where, "no tar archive", remedy)


def _next_block(stream: Stream, where: object, need_end: bool) -> bytes:
    """The next header block; nothing at the end of the archive."""
    start = stream.position
    block = stream.read(BLOCK)
    if len(block) < BLOCK:
        if block or need_end:
            raise _cut_short(where) if start else _no_tar(where)
        return b""
    if any(block):
        _check_sum(block, start, where)
        return block
    if need_end and stream.read(BLOCK) != bytes(BLOCK):
        raise _cut_short(where)
    return b""


def _check_sum(block: bytes, start: int, where: object) -> None:
    stored = _value(block[148:156])
    blank = block[:148] + b" " * 8 + block[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in blank) if stored != sum(blank) else stored
    if stored is None or stored not in (sum(blank), signed):
        if start:
            raise BadInput(where, f"a damaged tar header at byte {start}", "copy or pull it again")
        raise _no_tar(where)


def _number(field: bytes, where: object) -> int:
    value = _value(field)
    if value is None:
        raise BadInput(where, f"a tar header holds the number {field!r}", "the archive is damaged")
    return value


def _value(field: bytes) -> int | None:
    """An octal number, or GNU's base-256; None for anything else."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.strip(b"\0 ")
    return None if text.strip(b"01234567") else int(text or b"0", 8)


def _payload(stream: Stream, size: int, where: object) -> bytes:
    if size > _MAX_EXTENSION:
        raise BadInput(where, f"a tar header of {size} bytes", "the archive is damaged or hostile")
    data = stream.read(size)
    if len(data) < size or not stream.skip(-size % BLOCK):
        raise _cut_short(where)
    return data


def _extend(extensions: _Extensions, kind: bytes, data: bytes, where: object) -> None:
    if kind == b"L":
        extensions.name = data.rstrip(b"\0")
    elif kind == b"K":
        extensions.link = data.rstrip(b"\0")
    else:
        for key, value in _records(data, where):
            if kind == b"g" and key in (b"path", b"linkpath", b"size"):
                what = f"a global header with a {key.decode()}"
                raise BadInput(where, what, "readers would differ: make the archive again")
            if key == b"path":
                extensions.name = value
            elif key == b"linkpath":
                extensions.link = value
            elif key == b"size":
                if not value.isdigit():
                    raise BadInput(where, f"a tar header holds the size {value[:40]!r}", "the archive is damaged")
                extensions.size = int(value[:20])


def _records(data: bytes, where: object) -> Iterator[tuple[bytes, bytes]]:
    """The `LENGTH KEY=VALUE\\n` records of a PAX header."""
    while data:
        digits, space, _ = data[:21].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        key, equals, value = data[len(digits) + 1 : length - 1].partition(b"=")
        if not space or not equals or length > len(data) or data[length - 1 : length] != b"\n":
            raise BadInput(where, "a damaged PAX header", "copy or pull the archive again")
        yield key, value
        data = data[length:]


def _entry(block: bytes, kind: bytes, size: int, stream: Stream, extensions: _Extensions, where: object) -> Entry:
    name = block[:100].rstrip(b"\0").partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    if extensions.name is not None:
        name = extensions.name
    if extensions.size is not None:
        if size not in (0, extensions.size):
            raise BadInput(where, "two sizes for one tar member", "the archive is damaged or hostile")
        size = extensions.size
    if size and (kind in _EMPTY or (kind in _REGULAR and name.endswith(b"/"))):
        what = f"the tar member {name!r:.100} has a size where no data can be"
        raise BadInput(where, what, "readers would differ: make the archive again")
    if kind in _REGULAR:
        kind = DIRECTORY if name.endswith(b"/") else FILE
    if kind in (HARD_LINK, DIRECTORY):
        size = 0
    if kind == b"S":
        _skip_sparse_map(block, stream, where)
    link = block[157:257].partition(b"\0")[0] if extensions.link is None else extensions.link
    return Entry(name, kind, size, stream.position, link)


def _skip_sparse_map(block: bytes, stream: Stream, where: object) -> None:
    """Old GNU sparse members go on in further blocks, each saying whether one more follows (GNU tar, tar.h)."""
    more = block[482]
    while more:
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise _cut_short(where)
        more = block[504]
