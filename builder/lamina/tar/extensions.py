"""The headers before a tar member that change its name, link, size, owners or attributes: PAX's and GNU tar's.

Of each kind at most one may come before a member, and nothing between it and the member; PAX headers and GNU's long
names do not mix. Everything else is read differently by Go's archive/tar, GNU tar and Python's tarfile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from lamina.errors import BadInput
from lamina.limits import PAX_RECORDS
from lamina.tar.write import XATTR

KINDS = (b"x", b"g", b"L", b"K")
SPARSE_KEY = b"GNU.sparse."

_DIFFER = "readers would differ: make the archive again"
_RECORD = re.compile(rb"([0-9]{1,20}) ([^=\0 \t\n][^=\0]*)=")
_REPEATED = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
_NAMES = (b"path", b"linkpath", b"uname", b"gname")
_NUMBERS = (b"size", b"uid", b"gid")
_TIMES = (b"mtime", b"atime", b"ctime")
_CHARACTER_SETS = (b"BINARY", b"ISO-IR 10646 2000 UTF-8")
"""All values that POSIX defines. Python's tarfile fails at a value that is not UTF-8."""

_NUMBER = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"-?[0-9]{1,18}(?:\.[0-9]*)?")


@attrs.define
class Extensions:
    """What the headers before one member say about it.

    `records` has the records of a PAX header; those of a sparse file are in `sparse` instead.
    """

    name: bytes | None = None
    link: bytes | None = None
    records: dict[bytes, bytes] = attrs.field(factory=dict)
    sparse: list[tuple[bytes, bytes]] = attrs.field(factory=list)
    _seen: list[bytes] = attrs.field(factory=list)

    @property
    def size(self) -> int | None:
        return int(self.records[b"size"]) if b"size" in self.records else None

    def add(self, kind: bytes, payload: bytes, padding: bytes, where: object) -> None:
        """Add one header. Raises BadInput: it is damaged, or readers would differ."""
        self._check_place(kind, where)
        if not payload or any(padding):
            what = "an empty header" if not payload else "a header with bytes after its end"
            raise BadInput(where, f"{what} before a tar member", _DIFFER)
        if kind == b"L":
            self.name = _long_name(payload, where)
        elif kind == b"K":
            self.link = _long_name(payload, where)
        elif kind == b"x":
            for key, value in _records(payload, where):
                self._keep(key, value, where)
            self.name, self.link = self.records.get(b"path"), self.records.get(b"linkpath")
        else:
            _check_global(payload, where)

    def _check_place(self, kind: bytes, where: object) -> None:
        """GNU tar writes a long link and a long name before one member, in either order."""
        if kind in self._seen:
            raise BadInput(where, f"two headers of type {kind.decode()} before one tar member", _DIFFER)
        pending = self._seen[1:] if self._seen[:1] == [b"g"] else self._seen
        if pending and {*pending, kind} != {b"L", b"K"}:
            raise BadInput(where, "headers of different types before one tar member", _DIFFER)
        self._seen.append(kind)

    def check_end(self, where: object) -> None:
        """Raises BadInput: at the end of an archive, no member follows a header."""
        if self._seen:
            raise BadInput(where, "a header without a tar member behind it", "the archive is damaged or cut short")

    def _keep(self, key: bytes, value: bytes, where: object) -> None:
        _check_value(key, value, where)
        if key.startswith(SPARSE_KEY):
            if key not in _REPEATED and any(key == known for known, _ in self.sparse):
                raise _twice(key, where)
            self.sparse.append((key, value))
        elif self.records.setdefault(key, value) != value:
            raise _twice(key, where)


def _twice(key: bytes, where: object) -> BadInput:
    return BadInput(where, f"a tar member with two values of {key!r:.60}", _DIFFER)


def _long_name(payload: bytes, where: object) -> bytes:
    name = payload.rstrip(b"\0")
    if not name or b"\0" in name:
        raise BadInput(where, f"a long name of a tar member is {name!r:.60}", _DIFFER)
    return name


def _check_global(payload: bytes, where: object) -> None:
    """`git archive` writes a comment. Go ignores all records, GNU tar and Python's tarfile apply them to members."""
    for key, _ in _records(payload, where):
        if key != b"comment":
            raise BadInput(where, f"a global header with {key!r:.60}", _DIFFER)


def _check_value(key: bytes, value: bytes, where: object) -> None:
    """Raises BadInput: readers would differ about the value of a record.

    For example, an empty value stands for the field of the header block in Go, and for nothing or zero in others.
    """
    if key in _NUMBERS:
        good = _NUMBER.fullmatch(value) is not None and int(value) < 1 << 63
    elif key in _TIMES:
        good = _TIME.fullmatch(value) is not None
    elif key in _NAMES:
        good = bool(value) and b"\0" not in value
    elif key == b"hdrcharset":
        good = value in _CHARACTER_SETS
    else:
        good = not key.startswith((b"GNU.", b"SCHILY.file", b"SCHILY.tarfile")) or key.startswith(SPARSE_KEY)
        good = good and key != XATTR
    if not good:
        raise BadInput(where, f"a PAX header with the {key.decode(errors='replace'):.60} {value!r:.60}", _DIFFER)


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
        count += not match[2].startswith(SPARSE_KEY)  # a sparse file has two for each of its parts
        if count > PAX_RECORDS:
            what = f"a PAX header of more than {PAX_RECORDS} records"
            raise BadInput(where, what, "the archive is damaged or hostile")
