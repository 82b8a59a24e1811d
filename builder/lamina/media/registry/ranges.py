"""Parts of a blob that a client requests: the header `Range` (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import NamedTuple

from lamina.limits import RANGES

_RANGE = re.compile(r"(\d{1,19})-(\d{0,19})|-(\d{1,19})")


class Part(NamedTuple):
    """`size` bytes from `start` on."""

    start: int
    size: int

    def content_range(self, total: int) -> str:
        """The value of the header `Content-Range`."""
        return f"bytes {self.start}-{self.start + self.size - 1}/{total}"


def requested_parts(header: str | None, total: int) -> list[Part] | None:
    """The parts that the client requests of `total` bytes, in its order. None: the whole, as if there were no header.

    An empty list: no part exists, so the answer is 416. A header that is not valid, has another unit, or has more
    parts than a client needs counts as missing (14.2: a server may ignore it), and so do parts that are together larger
    than the whole.
    """
    unit, _, ranges = (header or "").partition("=")
    if unit.strip().lower() != "bytes":
        return None
    words = [word.strip() for word in ranges.split(",")]
    words = [word for word in words if word]
    matches = [_RANGE.fullmatch(word) for word in words]
    if not words or len(words) > RANGES or not all(matches):
        return None
    parts = [_part(match, total) for match in matches if match]
    if any(part is _INVALID for part in parts):
        return None
    existing = [part for part in parts if part.size > 0]
    return existing if sum(part.size for part in existing) <= total else None


_INVALID = Part(-1, -1)


def _part(match: re.Match[str], total: int) -> Part:
    """The existing bytes of one range; a size of 0 if there are none."""
    first, last, suffix = match.groups()
    if suffix:
        size = min(int(suffix), total)
        return Part(total - size, size)
    start = int(first)
    end = int(last) if last else total - 1
    if end < start and last:
        return _INVALID
    return Part(start, max(0, min(end, total - 1) - start + 1))
