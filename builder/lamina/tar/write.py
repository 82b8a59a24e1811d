"""Writing tar: one member's header, the same bytes for the same member on every machine.

Format: POSIX.1-2001 ustar; a PAX extended header (`path`, `linkpath`) only for a name that ustar cannot hold;
GNU's base-256 numbers for a size of 8 GiB and more, because readers that look at the header before the data (oras-go,
internal/fs/tarfs/tarfs.go) do not know a PAX `size`. Owners have numbers and no names: GNU tar run as root
would map a name to the host's own user of that name.
"""

from __future__ import annotations

import functools
import re
import zlib
from typing import NamedTuple

from lamina.errors import BadInput

FORMAT = 1
"""The version of the bytes that are written. It is a part of every key in the digest cache."""

BLOCK = 512
END = bytes(2 * BLOCK)
"""The end of an archive: two blocks of zeros, no padding to a record."""

FILE, HARD_LINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"
CHARACTER, BLOCK_DEVICE, FIFO = b"3", b"4", b"6"
XATTR = b"SCHILY.xattr."
"""The prefix of keys of extended attributes in a PAX header: it is star's, and Docker and podman use it, too."""

_MAX_COMPONENT = 255
_MAX_PATH = 4096


class Member(NamedTuple):
    """One member of an archive, without its data.

    `name` and `link` are raw bytes, relative, without `./`; a directory's name ends without a slash. `size` is in
    bytes and only a FILE has one; `mtime` is in seconds since 1970; `device` is major and minor; `xattrs` are
    names and values, sorted. A named tuple, because it is made in a quarter of the time of an attrs class.
    """

    name: bytes
    kind: bytes = FILE
    size: int = 0
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


def padding(size: int) -> bytes:
    """The zeros between data of `size` bytes and the next header."""
    return bytes(-size % BLOCK)


def stored_size(member: Member) -> int:
    """Bytes that the member takes in an archive: headers, data, padding."""
    return _header_size(member) + member.size + -member.size % BLOCK


def _header_size(member: Member) -> int:
    """The length of `header(member)`, most often without making it."""
    is_short = len(member.name) < 100 or _split(_written(member))[0] is not None  # with the slash of a directory, 100
    in_one_block = is_short and len(member.link) <= 100 and not member.xattrs
    return BLOCK if in_one_block else len(header(member))


def _written(member: Member) -> bytes:
    """The name as it is written in the header. The root directory is the one without a name."""
    if not member.name:
        return b"./"
    return member.name + b"/" if member.kind == DIRECTORY else member.name


def header(member: Member) -> bytes:
    """The member's header: one block, or three and more when its names or attributes need a PAX header.

    Raises BadInput: a name that readers refuse or that would leave the archive.
    """
    if member.name or member.kind != DIRECTORY:
        check_name(member.name)
    return _headers(member, _written(member))


def dotted_header(member: Member) -> bytes:
    """The same with `./` before the name, as `tar -c .` writes it; the top itself is the directory without a name.

    Raises BadInput.
    """
    if member.name:
        check_name(member.name)
    if member.kind == HARD_LINK:
        member = member._replace(link=b"./" + member.link)
    return _headers(member, b"./" + (_written(member) if member.name else b""))


def _headers(member: Member, name: bytes) -> bytes:
    prefix, short = _split(name)
    if prefix is not None and len(member.link) <= 100 and not member.xattrs:
        return _block(member, short, prefix)
    records = []
    if prefix is None:
        records.append(_record(b"path", name))
        prefix, short = b"", name[:100]
    if len(member.link) > 100:
        records.append(_record(b"linkpath", member.link))
    records += [_record(XATTR + key, value) for key, value in member.xattrs]
    data = b"".join(records)
    extended = Member(b"PaxHeader", b"x", len(data), 0o644, 0, 0, member.mtime)
    return _block(extended, extended.name, b"") + data + padding(len(data)) + _block(member, short, prefix)


_GOOD_NAME = re.compile(rb"(?!/)(?:(?:/|^)(?!\.\.?(?:/|$))[^/\0]{1,255})+", re.DOTALL)
"""Names between slashes that are neither empty nor `.` nor `..`, each of at most _MAX_COMPONENT bytes."""


def check_name(name: bytes) -> None:
    """Raises BadInput for a name that some reader cannot store: see `docs/design/archive.md`, "Names"."""
    directory, slash, last = name.rpartition(b"/")
    if len(name) <= _MAX_PATH and _GOOD_NAME.fullmatch(last) and (not slash or _is_good_directory(directory)):
        return
    shown = name.decode(errors="backslashreplace")
    if b"\0" in name or any(part in (b"", b".", b"..") for part in name.split(b"/")):
        raise BadInput(f"{shown[:80]!r}", "no name for a file in an image", "names are relative, without . and ..")
    remedy = f"shorten it: Linux takes {_MAX_COMPONENT} bytes between slashes, {_MAX_PATH} in all"
    raise BadInput(f"{shown[:80]!r}...", "file name too long for an image", remedy)


@functools.lru_cache(maxsize=1024)
def _is_good_directory(name: bytes) -> bool:
    """Whether readers can store a directory with this name. Members of one directory mostly follow each other."""
    return _GOOD_NAME.fullmatch(name) is not None


def _split(name: bytes) -> tuple[bytes | None, bytes]:
    """(prefix, name) for the two ustar fields; (None, name) when they cannot hold it."""
    if len(name) <= 100:
        return b"", name
    slash = name.rfind(b"/", 0, min(156, len(name) - 1))
    if slash > 0 and len(name) - slash - 1 <= 100:
        return name[:slash], name[slash + 1 :]
    return None, name


def _record(key: bytes, value: bytes) -> bytes:
    """A PAX record, `LENGTH KEY=VALUE\\n`, whose length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _number(value: int, width: int) -> bytes:
    """Octal digits and a NUL, or GNU's base-256 where they do not suffice."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    if value < 0:
        raise ValueError(f"a tar header holds no negative numbers: {value}")
    return b"\x80" + value.to_bytes(width - 1, "big")


@functools.lru_cache(maxsize=1024)
def _frame(
    kind: bytes, mode: int, uid: int, gid: int, mtime: int, device: tuple[int, int]
) -> tuple[bytes, bytes, bytes, int]:
    """The fields that are equal in the headers of many members, in three pieces, and the sum of their bytes.

    The members of a layer have few kinds, modes and owners: with this a header takes half of the time.
    """
    owner = _number(mode, 8) + _number(uid, 8) + _number(gid, 8)
    time = _number(mtime, 12)
    tail = b"ustar\x0000" + bytes(64) + _number(device[0], 8) + _number(device[1], 8)
    return owner, time, tail, sum(owner) + sum(time) + sum(b" " * 8) + sum(kind) + sum(tail)


_NO_LINK = bytes(100)
_NO_PREFIX = bytes(167)


def _block(member: Member, name: bytes, prefix: bytes) -> bytes:
    _, kind, size, mode, uid, gid, mtime, link, device, _ = member
    owner, time, tail, total = _frame(kind, mode, uid, gid, mtime, device)
    length = b"%011o\0" % size if 0 <= size < 8**11 else _number(size, 12)
    total += _sum(name + length)
    if link or prefix:
        total += _sum(link[:100] + prefix)
    return b"".join(
        (
            name.ljust(100, b"\0"),
            owner,
            length,
            time,
            b"%06o\0 " % total,
            kind,
            link[:100].ljust(100, b"\0") if link else _NO_LINK,
            tail,
            prefix.ljust(167, b"\0") if prefix else _NO_PREFIX,
        )
    )


def _sum(data: bytes) -> int:
    """The sum of at most 256 bytes, in an eighth of the time of `sum`: one less than the lower half of Adler-32.

    That half is modulo 65521 (RFC 1950, 2.2), which so few bytes do not reach.
    """
    return (zlib.adler32(data) & 0xFFFF) - 1
