"""Compressed data at the edges of the formats, unpacked by Go's compress/gzip and compress/bzip2 and by us."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable
from random import Random

from lamina.data.blob import Bytes
from lamina.data.budget import Budget
from lamina.data.compression import Decompressed
from lamina.errors import LaminaError
from tests.judge.readers import go

KINDS = {b"g": "gzip", b"b": "bzip2"}
"""By the judge's letter for it."""

_ONLY_LIBBZ2 = ("equal symbols in Huffman tree", "deprecated randomized files")
"""What libbz2 still unpacks and Go refuses; no encoder of this century writes it."""

_BEHIND = [*([b""] * 12), b"\0", bytes(4), bytes(512), b"x", b"\x1f\x8b", b"BZh9", b"\x1f\x8b\x08" + bytes(7)]


def disagreement(kind: bytes, data: bytes) -> str | None:
    """What Go unpacks that we do not; "" where both unpack the same; None where we refuse."""
    try:
        ours = b"".join(Decompressed(Bytes(data), KINDS[kind], "it", Budget(len(data))).chunks())
    except LaminaError:
        return None
    answer = go().ask(kind, data)
    if answer["error"]:
        is_known = answer["error"].endswith(_ONLY_LIBBZ2) or (kind == b"b" and has_unused_codes(data))
        return "" if is_known else f"Go refuses what we unpack: {answer['error']}"
    same = answer["value"] == hashlib.sha256(ours).hexdigest()
    return "" if same else f"we unpack {len(ours)} bytes, Go others"


def has_unused_codes(data: bytes) -> bool:
    """Whether the first block of a bzip2 stream has a Huffman tree with codes that no symbol has.

    libbz2 and Go read such a tree differently, so Go finds another fault of any kind behind it.
    """
    starts = (match.start() for match in re.finditer(rb"BZh[1-9]1AY&SY", data))
    return any(sum(2.0**-length for length in tree) < 1 for start in starts for tree in _trees(data[start:]))


def _trees(stream: bytes) -> list[list[int]]:
    """For each Huffman tree of the first block, the length of each code."""
    left, rest = 8 * len(stream), int.from_bytes(stream, "big")

    def bits(count: int) -> int:
        nonlocal left
        left = max(0, left - count)
        return rest >> left & ((1 << count) - 1)

    bits(32 + 48 + 32 + 1 + 24)  # up to the map of bytes that occur
    symbols = 2 + sum(bits(16).bit_count() for _ in range(bits(16).bit_count()))
    trees, selectors = bits(3), bits(15)
    for _ in range(selectors):
        while left and bits(1):
            pass
    return [_lengths(bits, symbols) for _ in range(trees) if left]


def _lengths(bits: Callable[[int], int], symbols: int) -> list[int]:
    found: list[int] = []
    length = bits(5)
    while len(found) < symbols and 0 < length <= 20:
        if bits(1):
            length += -1 if bits(1) else 1
        else:
            found.append(length)
    return found


def doubtful_data(random: Random, kind: bytes) -> bytes:
    """One to three streams behind each other, some with other headers, changed bytes, or something behind them."""
    data = b"".join(_stream(random, kind) for _ in range(random.randint(1, 3))) + random.choice(_BEHIND)
    if random.random() < 0.3:
        at = random.randrange(len(data)) if random.random() < 0.5 else random.randrange(min(20, len(data)))
        data = data[:at] + bytes([random.randrange(256)]) * random.randint(0, 1) + data[at + random.randint(0, 1) :]
    return data


def _stream(random: Random, kind: bytes) -> bytes:
    content = random.choice([b"", b"a", b"tar" * 700, random.randbytes(50)])
    if kind == b"b":
        return bz2.compress(content, random.randint(1, 9))
    packed = gzip.compress(content, random.choice([0, 6]), mtime=0)
    flags = random.choice([0, 0, 0, 0, 1, 2, 4, 8, 16, 24, 26, 32])
    more = (b"\x02\0ab" if flags & 4 else b"") + (b"name\0" if flags & 8 else b"") + (b"note\0" if flags & 16 else b"")
    head = packed[:3] + bytes([flags]) + packed[4:10] + more
    if flags & 2:
        head += _header_sum(head) if random.random() < 0.7 else b"ab"
    return head + packed[10:]


def _header_sum(head: bytes) -> bytes:
    return (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
