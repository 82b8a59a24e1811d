"""The fields of a tar header block. A field that readers in use understand differently is refused."""

from __future__ import annotations

import re

from lamina.errors import BadInput
from lamina.tar.write import BLOCK_DEVICE, CHARACTER

USTAR = b"ustar\0"
GNU = b"ustar  \0"

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_USUAL_NUMBERS = re.compile(rb"(?:[0-7]{7}\0){3}(?:[0-7]{11}\0){2}")
_NO_DEVICE = (bytes(16), b"0000000\0" * 2)
_LARGEST = (1 << 63) - 1
_DIFFER = "readers would differ: make the archive again"


def number(field: bytes, where: object) -> int:
    """The number in a field: octal, or GNU's base-256. Raises BadInput for anything else, and for negative numbers."""
    value = parse_number(field)
    if value is None or value < 0:
        raise BadInput(where, f"a tar header contains the number {field!r}", "the archive is damaged")
    return value


def parse_number(field: bytes) -> int | None:
    """The number in a field; None for what is no number, or none that fits into 64 bits.

    Go, GNU tar and Python agree on digits after spaces, and on spaces and NULs after digits. They disagree on NULs
    before digits, on a field of spaces alone, and on base-256 numbers whose first byte is neither 0x80 nor 0xff.
    """
    if field[0] in (0x80, 0xFF):
        value = int.from_bytes(field[1:], "big") - (field[0] == 0xFF) * (1 << 8 * (len(field) - 1))
        return value if -_LARGEST <= value <= _LARGEST else None
    match = _OCTAL.fullmatch(field)
    return int(match[1] or b"0", 8) if match and field.strip(b" ") else None


def check_block(block: bytes, where: object) -> None:
    """Raises BadInput when readers would differ about the block: its numbers, its prefix field or its format.

    `ustar` has a prefix of 155 bytes. With the trailer `tar` it is star's format, whose prefix has 131. GNU's format
    has times in that place, and so may the old format without a magic number. Python's tarfile reads the field as a
    prefix in all formats. Go's archive/tar does so in GNU's format only if the field contains no times.
    """
    if not _USUAL_NUMBERS.fullmatch(block, 100, 148):
        for start, end in ((100, 108), (108, 116), (116, 124), (124, 136)):
            number(block[start:end], where)
        if parse_number(block[136:148]) is None:  # a time may be before 1970
            raise BadInput(where, f"a tar header contains the time {block[136:148]!r}", "the archive is damaged")
    if block[329:345] not in _NO_DEVICE:
        number(block[329:337], where)
        number(block[337:345], where)
    is_ustar, kind = block[257:263] == USTAR, block[156:157]
    if is_ustar and block[508:] == b"tar\0":
        raise BadInput(where, "a tar header in star's format", _DIFFER)
    if is_ustar and block[345] and not block[0]:
        raise BadInput(where, "a tar header with a prefix and no name", _DIFFER)
    used_by_sparse = kind == b"S" and block[257:265] == GNU
    if not is_ustar and any(block[345 : 386 if used_by_sparse else 500]):
        raise BadInput(where, "a tar header with a prefix or times that are not in the ustar format", _DIFFER)
    if kind == b"S" and not used_by_sparse:
        raise BadInput(where, "a sparse tar member that is not in GNU tar's format", _DIFFER)
    if kind in (CHARACTER, BLOCK_DEVICE) and not is_ustar and block[257:265] != GNU:
        raise BadInput(where, "a device in a tar header of the oldest format", _DIFFER)


def stored_name(block: bytes) -> bytes:
    """The name in the block itself, with its prefix."""
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == USTAR else b""
    return prefix + b"/" + name if prefix else name


def check_sum_is_right(block: bytes) -> bool:
    """Whether the check sum is that of the block. Tars of old Unix systems add the bytes as signed numbers.

    The sum must be in octal digits, because Go reads nothing else.
    """
    stored = parse_number(block[148:156]) if block[148] < 128 else None
    own = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if stored == own:
        return True
    high = sum(1 for byte in block[:148] + block[156:] if byte > 127)
    return stored == own - 256 * high
