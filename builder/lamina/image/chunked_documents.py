"""The two documents of a zstd:chunked layer: its table of contents, and what tar-split needs to make the tar again.

Sources: containers/storage pkg/chunked/internal/minimal/compression.go; vbatts/tar-split tar/storage and tar/asm.
"""

from __future__ import annotations

import base64
import json
import posixpath
import time
from typing import Any

import attrs

from lamina.errors import BadInput
from lamina.oci.strict_json import Json
from lamina.tar.fields import GNU, USTAR, number, parse_number
from lamina.tar.read import SPARSE, Entry
from lamina.tar.write import BLOCK, BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, XATTR

KINDS = {
    FILE: "reg",
    HARD_LINK: "hardlink",
    SYMLINK: "symlink",
    CHARACTER: "char",
    BLOCK_DEVICE: "block",
    DIRECTORY: "dir",
    FIFO: "fifo",
}
_TIMES = {b"atime": "accesstime", b"ctime": "changetime"}
_LAST_SECOND = 253402300799
"""The end of the year 9999, after which RFC 3339 has no times."""


class NotChunked(Exception):
    """Why readers of the table of contents would refuse the layer, or see other files than readers of the tar."""


@attrs.define
class Names:
    """The names of members so far. tar-split refuses a tar in which a name occurs twice, in any spelling."""

    _seen: set[bytes] = attrs.field(factory=set)

    def add(self, name: bytes) -> None:
        """Raises NotChunked: the name occurred before."""
        cleaned = posixpath.normpath(name)
        if cleaned in self._seen:
            raise NotChunked("a name occurs twice")
        self._seen.add(cleaned)


def metadata(entry: Entry, headers: bytes) -> Json:
    """What the table of contents says about a member, except for its content. `headers` are all its headers.

    Raises NotChunked: the table cannot say what the tar does.
    """
    block = entry.header
    if entry.kind == SPARSE:
        raise NotChunked("a sparse file")
    if headers[156:157] == b"g":
        raise NotChunked("a global header, which Go's archive/tar returns as a member")
    try:
        stored = number(block[124:136], "a member")
        result: dict[str, Any] = {
            "type": KINDS[entry.kind],
            "name": _text(entry.name),
            "linkName": _text(entry.link),
            "mode": number(block[100:108], "a member"),
            "size": entry.size,
            "uid": _number(entry, b"uid", block[108:116]),
            "gid": _number(entry, b"gid", block[116:124]),
        }
        if entry.kind != FILE and stored:
            raise NotChunked("a size where no data is")
        if block[257:263] == USTAR or block[257:265] == GNU:
            result["devMajor"], result["devMinor"] = (number(block[at : at + 8], "a member") for at in (329, 337))
    except BadInput as error:
        raise NotChunked(str(error)) from None
    result["modtime"] = _time(entry.records.get(b"mtime") or b"%d" % (parse_number(block[136:148]) or 0))
    result |= {name: _time(entry.records[key]) for key, name in _TIMES.items() if key in entry.records}
    xattrs = {key[len(XATTR) :]: value for key, value in sorted(entry.records.items()) if key.startswith(XATTR)}
    if xattrs:
        result["xattrs"] = {_text(key): base64.b64encode(value).decode() for key, value in xattrs.items()}
    return {key: value for key, value in result.items() if value or key in ("type", "name")}


def _number(entry: Entry, key: bytes, field: bytes) -> int:
    return int(entry.records[key]) if key in entry.records else number(field, "a member")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotChunked("a name that is not UTF-8") from None


def _time(text: bytes) -> str:
    """Seconds since 1970, with a fraction or without, as RFC 3339."""
    whole, _, fraction = text.decode("ascii").partition(".")
    seconds, digits = int(whole), fraction[:9].rstrip("0")
    if not 0 <= seconds <= _LAST_SECOND or (digits and whole.startswith("-")):
        raise NotChunked("a time before 1970 or after 9999")
    form = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{form}.{digits}Z" if digits else f"{form}Z"


def segment(raw: bytes, position: int) -> str:
    """A line of tar-split data: bytes of the tar that are not data of a file. `position` is the number of the line."""
    return _line({"type": 2, "payload": base64.b64encode(raw).decode(), "position": position})


def file_line(name: str, size: int, crc: bytes | None, position: int) -> str:
    """A line of tar-split data that stands for the data of a file. `crc` is None for a member without data."""
    fields: Json = {"type": 1, "name": name, "size": size, "payload": crc and base64.b64encode(crc).decode()}
    return _line({key: value for key, value in fields.items() if key != "size" or value} | {"position": position})


def _line(fields: Json) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def padding_size(size: int) -> int:
    """Bytes of padding after data of this size."""
    return -size % BLOCK
