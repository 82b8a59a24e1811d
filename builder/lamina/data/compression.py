"""Compressed data, recognized by its bytes, never by the name of a file."""

from __future__ import annotations

import functools
import io
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, Protocol

import attrs

from lamina.data.blob import Blob, FileRange, Place, Source, Stream
from lamina.data.budget import Budget
from lamina.data.output import temporary_directory
from lamina.errors import BadInput, LaminaError
from lamina.limits import UNPACKED, UNPACKED_FRAME, UNPACKED_WINDOW

_KINDS = {
    "application/gzip": "gzip",
    "application/x-gzip": "gzip",
    "application/x-bzip2": "bzip2",
    "application/x-xz": "xz",
    "application/x-lzma": "xz",
    "application/zstd": "zstd",
    "application/x-zstd": "zstd",
}


_UNKNOWN_KINDS = {
    "application/x-compress": "compress",
    "application/x-lz4": "lz4",
    "application/zlib": "zlib",
    "application/x-lzip": "lzip",
    "application/zip": "zip",
}


_ZIP = b"PK\x03\x04"
"""The start of a zip file, which libmagic 5.46 (Debian 13) takes for unknown data."""


_DIFFER = "readers would differ: make the archive again"

_FEED = 4 << 10
_FEED_ZSTD = 1 << 10
"""Bytes given to a decoder at a time. With zstd they limit the output too: 4 bytes give up to 128 KiB."""


_STEP = 1 << 20
"""Bytes that the other decoders return at a time: bzip2 turns 50 bytes into 46 MB."""


class _Decoder(Protocol):
    """The common interface of decoders: zlib, bz2, lzma, zstandard."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, limit: int = ..., /) -> bytes: ...


_STARTS = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes((number, 0x2A, 0x4D, 0x18)): "zstd" for number in range(0x50, 0x60)},
}
"""The first bytes by which docker, podman and containerd recognize compressed data; the last are skippable frames."""


_COMPRESSED_STARTS = (
    *_STARTS,
    *(b"]\0\0", b"\x1f\x9d", b"LZIP", b"PK\3\4", b"PK\5\6", b"\4\x22M\x18", b"\3\x21L\x18", b"\2\x21L\x18"),
)
"""The first bytes of all data that libmagic calls compressed. It does not see other data.

It takes 70 ms for 4 kB of empty lines, and an archive may have thousands of such layers.
"""


def detect(blob: Blob, where: object) -> str | None:
    """The compression: `gzip`, `bzip2`, `xz`, `zstd`; None if the bytes are not compressed.

    Raises BadInput for a compression that images do not use, and for bytes that are a tar and compressed data at once:
    docker and podman decide by the first bytes alone.
    """
    head = Stream(blob).read(4096)
    media_type = _media_type(head[:512]) if head.startswith(_COMPRESSED_STARTS) else ""
    if head.startswith(_ZIP) and not _is_tar(head):
        media_type = "application/zip"
    elif _is_zlib(head) and not _is_tar(head):
        media_type = "application/zlib"
    if media_type in _UNKNOWN_KINDS:
        remedy = "images are plain, gzip, bzip2, xz or zstd"
        raise BadInput(where, f"{_UNKNOWN_KINDS[media_type]} data", remedy)
    kind = _KINDS.get(media_type)
    start = next((name for start, name in _STARTS.items() if head.startswith(start)), None)
    if (start and start != kind) or (kind and _is_tar(head)):
        what = f"data that begin like {start or kind} and are {'a tar' if _is_tar(head) else kind or 'something else'}"
        raise BadInput(where, what, _DIFFER)
    return kind


def _is_zlib(head: bytes) -> bool:
    """Whether the bytes are a header of zlib, and data that it can unpack."""
    if head[:1] != b"x" or int.from_bytes(head[:2], "big") % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 1))
    except zlib.error:
        return False


def _is_tar(head: bytes) -> bool:
    """Whether the first block has the checksum of a tar header. Some readers add up its bytes as signed numbers."""
    block, digits = head[:512], head[148:156].strip(b" \0")
    if len(block) < 512 or not digits or digits.strip(b"01234567"):
        return False
    others = block[:148] + b" " * 8 + block[156:]
    return int(digits, 8) in (sum(others), sum(others) - 256 * sum(byte > 127 for byte in others))


@functools.lru_cache(1000)
def _media_type(head: bytes) -> str:
    """The media type that libmagic finds. It may take a millisecond, and many layers of an archive may begin alike."""
    return str(_magic().from_buffer(head))


@functools.cache
def _magic() -> Any:
    import magic  # 20 ms, and plain data needs none

    return magic.Magic(mime=True)


@attrs.define(eq=False)
class Decompressed(Blob):
    """The decompressed content of a blob. Its size is not known before it is read."""

    packed: Blob
    kind: str
    where: object
    budget: Budget
    _seen: int = 0

    @property
    def size(self) -> None:
        return None

    @property
    def place(self) -> Place | None:
        return self.packed.place

    def pieces(self) -> Iterator[bytes]:
        """The bytes. Raises BadInput: the data is corrupt, cut short, followed by other data, or too long."""
        total = 0
        for plain, cost in self._decoded():
            total += cost
            if total > self._seen:
                self.budget.spend(UNPACKED, total - self._seen, self.where)
                self._seen = total
            if plain:
                yield plain

    def _decoded(self) -> Iterator[tuple[bytes, int]]:
        """Pieces of the content, and how much of the budget each takes."""
        make = _decoder(self.kind)
        decoder: _Decoder | None = None
        zeros = 0
        for data in _small(self.packed.chunks(), _FEED_ZSTD if self.kind == "zstd" else _FEED):
            while data:
                if decoder is None and self.kind == "xz":
                    zeros += len(data) - len(data := data.lstrip(b"\0"))
                    if not data:
                        break
                if decoder is None:
                    self._check_padding(zeros)
                    zeros, decoder = 0, make()
                    yield b"", UNPACKED_FRAME
                try:
                    for plain in _stepwise(decoder, data):
                        yield plain, len(plain)
                except Exception as error:  # each library has exceptions of its own
                    raise BadInput(self.where, f"damaged {self.kind} data: {error}", "pull it again") from None
                data = decoder.unused_data if decoder.eof else b""
                decoder = None if decoder.eof else decoder
        if decoder is not None:
            raise BadInput(self.where, f"the {self.kind} data is cut short", "copy or pull it again")
        self._check_padding(zeros)

    def _check_padding(self, zeros: int) -> None:
        """xz allows zeros after a stream, in multiples of four. Zeros after other data are refused as damaged data."""
        if zeros % 4:
            raise BadInput(self.where, f"{zeros} zeros after the {self.kind} data", _DIFFER)


@attrs.frozen
class _Zstd:
    """zstandard's decoder with the interface of the others. It has no limit for its output."""

    inner: Any

    @property
    def eof(self) -> bool:
        return bool(self.inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self.inner.unused_data)

    def decompress(self, data: bytes, limit: int = 0, /) -> bytes:
        return bytes(self.inner.decompress(data)) if data else b""


def _stepwise(decoder: _Decoder, data: bytes) -> Iterator[bytes]:
    """Everything that the data decompresses to, in steps. zlib returns input that it did not use; others keep it."""
    while True:
        plain = decoder.decompress(data, _STEP)
        yield plain
        data = getattr(decoder, "unconsumed_tail", b"")
        if decoder.eof or (len(plain) < _STEP and not data):
            return


def _small(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]


def _decoder(kind: str) -> Callable[[], _Decoder]:
    if kind == "gzip":
        return lambda: zlib.decompressobj(wbits=31)
    if kind == "bzip2":
        import bz2

        return bz2.BZ2Decompressor
    if kind == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(memlimit=UNPACKED_WINDOW)
    import zstandard

    return lambda: _Zstd(zstandard.ZstdDecompressor().decompressobj())


def plain(blob: Blob, where: object, budget: Budget | None = None) -> Blob:
    """The blob itself if it is not compressed, or else its decompressed content.

    `budget` is that of the archive that contains the blob, if there is one.
    """
    kind = detect(blob, where)
    return Decompressed(blob, kind, where, budget or Budget(blob.size or 0)) if kind else blob


def compress(chunks: Iterator[bytes], compressor: str, out: BinaryIO) -> None:
    """Compress the chunks with `none`, `gz` or `zstd`, and write them to `out`. Equal data always gives equal bytes.

    Both compressors use all processors, but the result does not depend on their number. zstd always gets at least one
    worker, because without workers the library gives different bytes.
    """
    if compressor == "none":
        out.writelines(chunks)
    elif compressor == "gz":
        from lamina.data.block_compression import compressed

        out.writelines(compressed(chunks, "gz"))
    else:
        import zstandard

        workers = len(os.sched_getaffinity(0))
        fast = zstandard.STRATEGY_FAST  # a third less time, for 3 to 4 percent more bytes: docs/design/speed.md
        settings = zstandard.ZstdCompressionParameters.from_level(3, strategy=fast, hash_log=16, threads=workers)
        with zstandard.ZstdCompressor(compression_params=settings).stream_writer(out, closefd=False) as writer:
            for chunk in chunks:
                writer.write(chunk)


def spool(blob: Blob, name: str) -> FileRange:
    """The blob as a range of a file. A compressed blob is decompressed into a temporary file without a name.

    Raises LaminaError: there is no room for it.
    """
    if isinstance(blob, FileRange):
        return blob
    directory = temporary_directory()
    try:
        file = tempfile.TemporaryFile(buffering=0, dir=directory)  # noqa: SIM115 - it is closed with the last blob
        _write(blob, file)
    except OSError as error:
        remedy = f"make room in {directory}"
        raise LaminaError(name, f"cannot be unpacked: {error.strerror or error}", remedy) from None
    source = Source(file, name)
    return FileRange(source, 0, source.size)


def _write(blob: Blob, file: IO[bytes]) -> None:
    """Write all chunks to an unbuffered file, which is closed if that fails."""
    buffered = io.BufferedWriter(file)  # it continues where the disk took only a part
    try:
        buffered.writelines(blob.chunks())
        buffered.detach()
    except BaseException:
        # Otherwise Python writes the buffer once more when it is deleted, and from 3.13 on prints that this failed.
        file.close()
        raise
