"""Reads tars of other programs: what an archive contains and where, without unpacking any of it.

Reads ustar, PAX and GNU headers as Go's archive/tar, GNU tar and Python's tarfile write them. Where readers in
use disagree about the same bytes, the archive is refused: see `docs/design/hostile-input.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from lamina.data.blob import Blob, Stream
from lamina.errors import BadInput
from lamina.limits import MEMBER_NAME, TAR_EXTENSION
from lamina.tar.extensions import KINDS, Extensions
from lamina.tar.fields import check_block, check_sum_is_right, number, stored_name
from lamina.tar.sparse import SparseMaps
from lamina.tar.write import BLOCK, BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, XATTR, Member

SPARSE = b"S"
"""A file with holes: the stored data is not the content of the file."""

_EMPTY = (SYMLINK, CHARACTER, BLOCK_DEVICE, FIFO)
"""Links, devices and pipes: GNU tar skips as many bytes as their size says, Go and Python skip none."""

_FILES = (FILE, b"\0")
_KINDS = (*_FILES, HARD_LINK, *_EMPTY, DIRECTORY, SPARSE)
_DIFFER = "readers would differ: make the archive again"


@attrs.frozen
class Entry:
    """A member found in an archive: `offset` is where its data starts, from the archive's first byte.

    `name` and `link` are as stored. `kind` is FILE or DIRECTORY also for older type flags of these, and SPARSE for both
    kinds of sparse file (GNU's own and that of PAX headers). `header` and `records` (of a PAX header) are for `member`.
    """

    name: bytes
    kind: bytes
    size: int
    offset: int
    link: bytes
    header: bytes = attrs.field(default=b"", repr=False)
    records: Mapping[bytes, bytes] = attrs.field(factory=dict)


def entries(archive: Blob, where: object) -> Iterator[Entry]:
    """The members of a tar, in order.

    It ends with two blocks of zeros, or one, or none, as for Go's archive/tar, GNU tar and Python's tarfile. So a tar
    that was cut off between two members is no error here: the caller notices which members are missing. Raises
    BadInput, which calls the tar `where`.
    """
    return entries_in(Stream(archive), where)


def entries_in(stream: Stream, where: object) -> Iterator[Entry]:
    """`entries` of a stream. The caller may read the data of an entry, or a part of it, before the next entry."""
    extensions, maps = Extensions(), SparseMaps(stream)
    while block := _next_block(stream, where):
        kind = block[156:157]
        size = number(block[124:136], where)
        if kind in KINDS:
            extensions.add(kind, *_payload(stream, size, where), where)
            continue
        entry = _entry(block, kind, size, maps, extensions, where)
        extensions = Extensions()
        yield entry
        end = entry.offset + entry.size
        if not stream.skip(end + -end % BLOCK - stream.position):
            raise _cut_short(where)
    extensions.check_end(where)


def member(entry: Entry, where: object) -> Member:
    """All fields of an entry, with its name and link as stored. Raises BadInput."""
    header, records = entry.header, entry.records
    if entry.kind == SPARSE:
        raise BadInput(where, f"the sparse file {entry.name!r:.100}", "make the archive again without --sparse")
    device = (0, 0)
    if entry.kind in (CHARACTER, BLOCK_DEVICE):
        device = (number(header[329:337], where), number(header[337:345], where))
        if device[0] >= 1 << 12 or device[1] >= 1 << 20:
            raise BadInput(where, f"a device with the numbers {device[0]}, {device[1]}", "Linux has no such devices")
    return Member(
        name=entry.name,
        kind=entry.kind,
        size=entry.size,
        mode=number(header[100:108], where) & 0o7777,
        uid=_owner(records.get(b"uid"), header[108:116], where),
        gid=_owner(records.get(b"gid"), header[116:124], where),
        link=entry.link,
        device=device,
        xattrs=tuple(sorted((key[len(XATTR) :], value) for key, value in records.items() if key.startswith(XATTR))),
    )


def _owner(record: bytes | None, field: bytes, where: object) -> int:
    owner = number(field, where) if record is None else int(record)
    if owner >= 1 << 32:
        raise BadInput(where, f"a tar header contains the owner {owner}", "Linux has no such user or group")
    return owner


def _cut_short(where: object) -> BadInput:
    return BadInput(where, "the tar archive is cut short", "copy or pull it again")


def _no_tar(where: object) -> BadInput:
    remedy = "give an image archive as docker save, podman save or skopeo write it"
    return BadInput(where, "no tar archive", remedy)


def _next_block(stream: Stream, where: object) -> bytes:
    """The next header block; nothing at the end of the archive."""
    start = stream.position
    block = stream.read(BLOCK)
    if len(block) < BLOCK:
        if block:
            raise _cut_short(where) if start else _no_tar(where)
        return b""
    if any(block):
        if not check_sum_is_right(block):
            what = f"a damaged tar header at byte {start}"
            raise BadInput(where, what, "copy or pull it again") if start else _no_tar(where)
        check_block(block, where)
        return block
    second = stream.read(BLOCK)
    if second not in (b"", bytes(BLOCK)):  # Go reads on, others stop at the first block of zeros
        raise _cut_short(where)
    return b""


def _payload(stream: Stream, size: int, where: object) -> tuple[bytes, bytes]:
    """The data of an extension header, and its padding."""
    if size > TAR_EXTENSION:
        raise BadInput(where, f"a tar header of {size} bytes", "the archive is damaged or hostile")
    data = stream.read(size + -size % BLOCK)
    if len(data) < size + -size % BLOCK:
        raise _cut_short(where)
    return data[:size], data[size:]


def _entry(block: bytes, kind: bytes, size: int, maps: SparseMaps, extensions: Extensions, where: object) -> Entry:
    stored = stored_name(block)
    name = stored if extensions.name is None else extensions.name
    link = block[157:257].partition(b"\0")[0] if extensions.link is None else extensions.link
    if kind not in _KINDS:
        raise BadInput(where, f"the tar member {name!r:.100} of the unknown type {kind!r}", _DIFFER)
    if extensions.size is not None:
        if size not in (0, extensions.size) or (extensions.size and kind not in _FILES):
            raise BadInput(where, "two sizes for one tar member", "the archive is damaged or hostile")
        size = extensions.size
    if size and (kind in _EMPTY or (kind in _FILES and name.endswith(b"/"))):
        what = f"the tar member {name!r:.100} has a size where no data can be"
        raise BadInput(where, what, _DIFFER)
    if kind == b"\0":
        kind = _old_kind(name, stored, where)
    if name.endswith(b"/") and kind != DIRECTORY:
        raise BadInput(where, f"the tar member {name!r:.100} ends with a slash, but is no directory", _DIFFER)
    _check_name(name, where)
    if len(link) > MEMBER_NAME or (not link and kind in (HARD_LINK, SYMLINK)):
        what = f"a tar member with a link of {len(link)} bytes"
        raise BadInput(where, what, f"a link must have 1 to {MEMBER_NAME} bytes")
    if kind in (HARD_LINK, DIRECTORY):
        size = 0
    if kind == SPARSE:
        maps.check_gnu(block, size, where)
    start = maps.stream.position
    if extensions.sparse:
        kind, name = _pax_sparse(kind, name, size, maps, extensions, where)
    return Entry(name, kind, size, start, link, block, extensions.records)


def _old_kind(name: bytes, stored: bytes, where: object) -> bytes:
    """Tars from before POSIX mark a directory by a slash alone: in the block for some readers, anywhere for others."""
    if name.endswith(b"/") != stored.endswith(b"/"):
        raise BadInput(where, f"the tar member {name!r:.100} is a directory by one of its names only", _DIFFER)
    return DIRECTORY if name.endswith(b"/") else FILE


def _pax_sparse(
    kind: bytes, name: bytes, size: int, maps: SparseMaps, extensions: Extensions, where: object
) -> tuple[bytes, bytes]:
    """The kind and the name of a sparse file, whose `path` is for readers that do not know sparse files."""
    if kind != FILE:
        raise BadInput(where, f"the tar member {name!r:.100} is sparse, and no file", _DIFFER)
    maps.check_records(extensions.sparse, size, where)
    name = dict(extensions.sparse).get(b"GNU.sparse.name", name)
    _check_name(name, where)
    return SPARSE, name


def _check_name(name: bytes, where: object) -> None:
    if not name or b"\0" in name:
        raise BadInput(where, f"a tar member with the name {name!r:.100}", _DIFFER)
    if len(name) > MEMBER_NAME:
        what = f"a tar member with a name of {len(name)} bytes"
        raise BadInput(where, what, f"a name must have at most {MEMBER_NAME} bytes")
