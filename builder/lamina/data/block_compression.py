"""Compressed layers: blocks of fixed length are compressed in parallel, and always give the same bytes.

Equal data gives equal bytes for any number of processors and on any machine, because the digest of a compressed layer
is a part of the image's digest. zlib gives the same bytes in all its versions, but libraries in its place do not, such
as zlib-ng. libzstd gives the same bytes from 1.5.4 to 1.5.7 only for the strategy `fast`, and only in blocks of less
than 128 KiB: 1.5.7 splits longer ones. `check_library` notices a library that gives other bytes.
"""

from __future__ import annotations

import functools
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from lamina.data.blob import Blob
from lamina.data.compressors import DEFAULT_LAYER_LEVELS
from lamina.errors import LaminaError

Result = TypeVar("Result")

_GZIP_HEADER = bytes.fromhex("1f8b 08 00 00000000 00 ff")
"""The header of a gzip member, without name, time, level and operating system (RFC 1952, 2.3)."""

_GZIP_BLOCK = 1 << 20
_GZIP_WINDOW = 32 << 10
_LAST_BLOCK = b"\x03\x00"
"""An empty block that is marked as the last one (RFC 1951, 3.2.3)."""

_FRAME = 4 << 20
"""Bytes of data in a zstd frame. With 2 MiB, the result is larger by 0.2 percent."""

_ZSTD_BLOCK = 127 << 10
_ZSTD_SETTINGS = {1: (14, 7), 2: (16, 6), 3: (18, 5)}
"""By level: the logarithm of the table's size, and the length of the shortest match.

Level 1 is `zstd -1`. The result of level 2 is as small as that of `zstd -2`. Higher levels would need other strategies,
whose bytes depend on the version of libzstd.
"""


def compressed(
    chunks: Iterable[bytes], compressor: str, level: int | None = None, threads: int | None = None
) -> Iterator[bytes]:
    """The chunks, compressed with `gz` (one gzip member) or `zstd` (frames). By default a thread for each processor."""
    level = DEFAULT_LAYER_LEVELS[compressor] if level is None else level
    threads = threads or len(os.sched_getaffinity(0))
    return _gzip(chunks, level, threads) if compressor == "gz" else _zstd(chunks, level, threads)


@attrs.frozen(eq=False)
class CompressedBlob(Blob):
    """A blob, compressed whenever it is read. `size` is that of the compressed bytes, if it is known."""

    plain: Blob
    compressor: str
    level: int
    size: int | None = None

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput: the plain bytes cannot be read."""
        return compressed(self.plain.chunks(), self.compressor, self.level)


def _gzip(chunks: Iterable[bytes], level: int, threads: int) -> Iterator[bytes]:
    """One gzip member, as pigz makes it: each block is compressed with the end of the previous block."""
    checksum = size = 0

    def jobs() -> Iterator[tuple[bytes, bytes]]:
        nonlocal checksum, size
        before = b""
        for block in _blocks(chunks, _GZIP_BLOCK):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            yield block, before
            before = block[-_GZIP_WINDOW:]

    yield _GZIP_HEADER
    yield from in_threads(functools.partial(_deflated, level), jobs(), threads)
    yield _LAST_BLOCK + checksum.to_bytes(4, "little") + (size % (1 << 32)).to_bytes(4, "little")


def _deflated(level: int, job: tuple[bytes, bytes]) -> bytes:
    """The compressed block, up to a byte boundary. It may refer to data in the end of the previous block."""
    block, before = job
    encoder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return encoder.compress(block) + encoder.flush(zlib.Z_SYNC_FLUSH)


def _zstd(chunks: Iterable[bytes], level: int, threads: int) -> Iterator[bytes]:
    """Frames of equal length, and one empty frame if there is no data."""
    empty = True
    for frame in in_threads(functools.partial(zstd_frame, level), _blocks(chunks, _FRAME), threads):
        empty = False
        yield frame
    if empty:
        yield zstd_frame(level, b"")


def zstd_frame(level: int, data: bytes) -> bytes:
    """One frame, in blocks of equal length."""
    import zstandard

    encoder = zstandard.ZstdCompressor(compression_params=_zstd_settings(level)).compressobj(size=len(data))
    view = memoryview(data)
    pieces = []
    for start in range(0, len(data), _ZSTD_BLOCK):
        if start:
            pieces.append(encoder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
        pieces.append(encoder.compress(view[start : start + _ZSTD_BLOCK]))
    return b"".join((*pieces, encoder.flush()))


@functools.cache
def _zstd_settings(level: int) -> Any:
    """Every setting, because the library's defaults for a level change with its version."""
    import zstandard

    table, shortest = _ZSTD_SETTINGS[level]
    return zstandard.ZstdCompressionParameters(
        window_log=_FRAME.bit_length() - 1,
        hash_log=table,
        chain_log=13,
        search_log=1,
        min_match=shortest,
        target_length=0,
        strategy=zstandard.STRATEGY_FAST,
        write_content_size=True,
        write_checksum=False,
    )


def in_threads(work: Callable[[Any], Result], jobs: Iterator[Any], threads: int) -> Iterator[Result]:
    """The result of each job, in order. Both libraries let other threads run while they compress."""
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _blocks(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, `size` at a time: the result must not depend on the sizes of the chunks."""
    held: list[bytes | memoryview] = []
    missing = size
    for chunk in chunks:
        view = memoryview(chunk)
        while len(view) >= missing:
            yield b"".join((*held, view[:missing]))
            held, view, missing = [], view[missing:], size
        if view:
            held.append(view)
            missing -= len(view)
    if held:
        yield b"".join(held)


_PROBE_SUMS: Mapping[str, tuple[int, ...]] = {
    "gz": (0x8F32C870, 0x2027883E, 0x92998726, 0xCFC75879, 0xCCD2F82E, 0xE2553D40, 0x81679580, 0x857EA3E3, 0x857EA3E3),
    "zstd": (0x7CB2E7AE, 0x16441477, 0xFAD4F07E),
}
"""The CRC-32 of the compressed probe, by compressor and level."""

_OLDEST_ZSTD = (1, 5, 4)
"""1.5.2 gives other bytes about once in 20 MB, so no probe finds it."""


def probe() -> bytes:
    """Test data that libraries compress differently: text, numbers, several blocks."""
    return b"".join(
        b"%d/%x lib%d.so " % (n % 1000, n * n, n * 7919 % 97)
        + (n * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "big") * (n % 3)
        for n in range(10_000)
    )


@functools.cache
def check_library(compressor: str, level: int) -> None:
    """Raises LaminaError: the library is too old, or does not compress the test data to the expected bytes."""
    other = "zstd" if compressor == "gz" else "gz"
    if compressor == "none" or (not _is_old(compressor) and _probed(compressor, level) == _sum(compressor, level)):
        return
    name = "zlib" if compressor == "gz" else "libzstd"
    required = "zlib itself, not a replacement such as zlib-ng" if compressor == "gz" else "libzstd from 1.5.4 on"
    problem = f"this Python's {name} compresses to other bytes, so digests would depend on the machine"
    raise LaminaError(
        f"layer compressor {compressor}", problem, f"use a Python with {required}, or the compressor {other}"
    )


def _is_old(compressor: str) -> bool:
    if compressor != "zstd":
        return False
    import zstandard

    return zstandard.ZSTD_VERSION < _OLDEST_ZSTD


def _probed(compressor: str, level: int) -> int:
    return zlib.crc32(b"".join(compressed([probe()], compressor, level)))


def _sum(compressor: str, level: int) -> int:
    return _PROBE_SUMS[compressor][level - 1]
