"""Reading foreign tar: what an archive holds and where, without unpacking any of it.

Reads ustar, PAX and GNU headers as Go's archive/tar, GNU tar and Python's tarfile write them. Where readers in
use disagree about the same bytes, the archive is refused: see `docs/design/hostile-input.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import attrs

from lamina.data.blob import Blob, Stream
from lamina.errors import BadInput
from lamina.limits import MEMBER_NAME, PAX_RECORDS, TAR_EXTENSION
from lamina.tar.write import BLOCK, BLOCK_DEVICE, CHARACTER, DIRECTORY, FILE, HARD_LINK, SYMLINK, XATTR, Member

SPARSE = b"S"
"""A file with holes: its data is not what it holds."""

_RECORD = re.compile(rb"([0-9]{1,20}) ([^=]*)=")

_REGULAR = (b"0", b"\0", b"7")
_EMPTY = (SYMLINK, b"3", b"4", b"6")
"""Links, devices and pipes: GNU tar passes over as many bytes as their size says, Go and Python over none."""


@attrs.frozen
class Entry:
    """A member found in an archive: `offset` is where its data starts, from the archive's first byte.

    `name` is as stored, `link` too; old spellings of a regular file and of a directory are FILE and DIRECTORY, both
    kinds of sparse file (GNU's own and that of PAX headers) are SPARSE. `header` and `records` (of a PAX header) are
    for `member`.
    """

    name: bytes
    kind: bytes
    size: int
    offset: int
    link: bytes
    header: bytes = attrs.field(default=b"", repr=False)
    records: Mapping[bytes, bytes] = attrs.field(factory=dict)


@attrs.define
class _Extensions:
    """What headers before a member say of it."""

    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None
    sparse: bool = False
    records: dict[bytes, bytes] = attrs.field(factory=dict)

    def tell(self, what: str, value: bytes | int, where: object) -> None:
        """Note it. Told twice, it is the first for Python's tarfile and the last for Go's archive/tar."""
        if getattr(self, what) not in (None, value):
            raise BadInput(where, f"a tar member with two of {what}", "readers would differ: make the archive again")
        setattr(self, what, value)

    def keep(self, key: bytes, value: bytes, where: object) -> None:
        """Note a record, as `tell` does."""
        if self.records.setdefault(key, value) != value:
            raise BadInput(
                where, f"a tar member with two of {key!r:.60}", "readers would differ: make the archive again"
            )


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


def member(entry: Entry, where: object) -> Member:
    """Everything that the archive says of an entry, its name and link as stored. Raises BadInput."""
    header, records = entry.header, entry.records
    if entry.kind == SPARSE:
        raise BadInput(where, f"the sparse file {entry.name!r:.100}", "make the archive again without --sparse")
    device = (0, 0)
    if entry.kind in (CHARACTER, BLOCK_DEVICE):
        device = (_number(header[329:337], where), _number(header[337:345], where))
        if device[0] >= 1 << 12 or device[1] >= 1 << 20:
            raise BadInput(where, f"a device with the numbers {device[0]}, {device[1]}", "Linux has no such devices")
    return Member(
        name=entry.name,
        kind=entry.kind,
        size=entry.size,
        mode=_number(header[100:108], where) & 0o7777,
        uid=_owner(records.get(b"uid"), header[108:116], where),
        gid=_owner(records.get(b"gid"), header[116:124], where),
        link=entry.link,
        device=device,
        xattrs=tuple(sorted((key[len(XATTR) :], value) for key, value in records.items() if key.startswith(XATTR))),
    )


def _owner(told: bytes | None, field: bytes, where: object) -> int:
    number = _number(field, where) if told is None else int(told) if told.isdigit() and len(told) < 20 else -1
    if not 0 <= number < 1 << 32:
        raise BadInput(where, f"a tar header holds the owner {told or field!r}", "the archive is damaged")
    return number


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
    own = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if stored == own:
        return
    high = sum(1 for byte in block[:148] + block[156:] if byte > 127)
    if stored != own - 256 * high:  # old tars count bytes as signed
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
    if size > TAR_EXTENSION:
        raise BadInput(where, f"a tar header of {size} bytes", "the archive is damaged or hostile")
    data = stream.read(size)
    if len(data) < size or not stream.skip(-size % BLOCK):
        raise _cut_short(where)
    return data


def _extend(extensions: _Extensions, kind: bytes, data: bytes, where: object) -> None:
    if kind == b"L":
        extensions.tell("name", data.rstrip(b"\0"), where)
    elif kind == b"K":
        extensions.tell("link", data.rstrip(b"\0"), where)
    else:
        sparse_name = None
        for key, value in _records(data, where):
            if kind == b"g" and key in (b"path", b"linkpath", b"size"):
                what = f"a global header with a {key.decode()}"
                raise BadInput(where, what, "readers would differ: make the archive again")
            if key == b"path":
                extensions.tell("name", value, where)
            elif key == b"linkpath":
                extensions.tell("link", value, where)
            elif key.startswith(b"GNU.sparse."):
                extensions.sparse = True
                sparse_name = value if key == b"GNU.sparse.name" else sparse_name
            elif key == b"size":
                if not value.isdigit():
                    raise BadInput(where, f"a tar header holds the size {value[:40]!r}", "the archive is damaged")
                extensions.tell("size", int(value[:20]), where)
            elif kind == b"x" and (key in (b"uid", b"gid") or key.startswith(XATTR)):
                extensions.keep(key, value, where)
        if sparse_name is not None:
            extensions.name = sparse_name  # `path` is for readers that know no sparse files


def _records(data: bytes, where: object) -> Iterator[tuple[bytes, bytes]]:
    """The `LENGTH KEY=VALUE\\n` records of a PAX header."""
    start = count = 0
    while start < len(data):
        match = _RECORD.match(data, start)
        end = start + int(match[1]) if match else 0
        if not match or end <= match.end() or end > len(data) or data[end - 1] != ord("\n"):
            raise BadInput(where, "a damaged PAX header", "copy or pull the archive again")
        yield match[2], data[match.end() : end - 1]
        start = end
        count += not match[2].startswith(b"GNU.sparse.")  # of these there are two for each part of a sparse file
        if count > PAX_RECORDS:
            what = f"a PAX header of more than {PAX_RECORDS} records"
            raise BadInput(where, what, "the archive is damaged or hostile")


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
        kind = DIRECTORY if name.endswith(b"/") else SPARSE if extensions.sparse else FILE
    if kind in (HARD_LINK, DIRECTORY):
        size = 0
    if block[156:157] == SPARSE:
        _skip_sparse_map(block, stream, where)
    link = block[157:257].partition(b"\0")[0] if extensions.link is None else extensions.link
    if len(name) > MEMBER_NAME or len(link) > MEMBER_NAME:
        raise BadInput(where, f"a tar member with a name of {max(len(name), len(link))} bytes", "no system takes it")
    return Entry(name, kind, size, stream.position, link, block, extensions.records)


def _skip_sparse_map(block: bytes, stream: Stream, where: object) -> None:
    """Old GNU sparse members go on in further blocks, each saying whether one more follows (GNU tar, tar.h)."""
    more = block[482]
    while more:
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise _cut_short(where)
        more = block[504]
