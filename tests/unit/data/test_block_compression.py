"""Compressed layers: the same bytes everywhere, which ordinary tools unpack."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import zlib
from collections.abc import Iterator

import pytest
import zstandard

from lamina.data import block_compression
from lamina.data.block_compression import check_library, compressed, probe
from lamina.data.compressors import LAYER_LEVELS as ALL_LEVELS
from lamina.errors import LaminaError

LAYER_LEVELS = {compressor: ALL_LEVELS[compressor] for compressor in ("gz", "zstd")}

EVERY = [(compressor, level) for compressor, levels in LAYER_LEVELS.items() for level in levels]
every = pytest.mark.parametrize(("compressor", "level"), EVERY, ids=lambda value: str(value))

TEXT = b"".join(b"%d libc.so.%d /nix/store/%x\n" % (n, n % 7, n * n) for n in range(160_000))
NOISE = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(40_000))
DATA = TEXT + NOISE + bytes(3 << 20) + TEXT[:70_001]
"""More than two frames, in which each kind of block occurs: text, bytes that cannot be compressed, zeros."""

GOLDEN = {
    ("gz", 1): "7d718656a1c3ecd5",
    ("gz", 2): "5d04a1f451e21931",
    ("gz", 3): "cd40a3b7a181604f",
    ("gz", 4): "8444babbfe22ee62",
    ("gz", 5): "cabe0f6306b5b954",
    ("gz", 6): "0f35fe086a7816b0",
    ("gz", 7): "be027325ff5d49dc",
    ("gz", 8): "066840da73f44b66",
    ("gz", 9): "066840da73f44b66",
    ("zstd", 1): "a0a17538c5378a20",
    ("zstd", 2): "bec550e943f6501e",
    ("zstd", 3): "35d1ed3511139418",
}
"""If one changes, every registry gets every layer once more: change `FORMAT` in image/encoding.py, and say so."""


SAMPLES = {"gz": DATA[-(5 << 19) :], "zstd": DATA}


def packed(compressor: str, level: int, data: bytes | None = None, threads: int | None = None) -> bytes:
    return b"".join(compressed([SAMPLES[compressor] if data is None else data], compressor, level, threads))


@every
def test_golden_bytes(compressor: str, level: int) -> None:
    assert hashlib.sha256(packed(compressor, level)).hexdigest()[:16] == GOLDEN[compressor, level]


@pytest.mark.parametrize("compressor", LAYER_LEVELS)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_change_nothing(compressor: str, threads: int) -> None:
    assert packed(compressor, 2, threads=threads) == packed(compressor, 2)


@pytest.mark.parametrize("compressor", LAYER_LEVELS)
def test_the_pieces_that_data_comes_in_change_nothing(compressor: str) -> None:
    data = SAMPLES[compressor]

    def pieces() -> Iterator[bytes]:
        start = 0
        for length in (1, 511, 1 << 20, (4 << 20) + 1, 127 << 10, len(data)):
            yield data[start : start + length]
            start += length

    assert b"".join(compressed(pieces(), compressor, 1)) == packed(compressor, 1)


@pytest.mark.parametrize("compressor", LAYER_LEVELS)
@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (4 << 20) + 1])
def test_ordinary_tools_unpack_it(compressor: str, size: int) -> None:
    data = packed(compressor, 2, DATA[:size])
    program = {"gz": "gzip", "zstd": "zstd"}[compressor]
    assert subprocess.run([program, "-dc"], input=data, capture_output=True, check=True).stdout == DATA[:size]


def test_gzip_is_one_member_without_name_and_time() -> None:
    """Python's own reader of one member sees all of it, and the end of the file after it."""
    data = packed("gz", 6)
    assert data[:10] == bytes.fromhex("1f8b08000000000000ff")
    decoder = zlib.decompressobj(wbits=31)
    assert decoder.decompress(data) == SAMPLES["gz"] and decoder.eof and not decoder.unused_data
    assert gzip.decompress(data) == SAMPLES["gz"]


def test_a_zstd_frame_says_how_long_it_is_and_needs_a_small_window() -> None:
    """Docker and containerd refuse windows of more than 8 MiB."""
    frame = zstandard.get_frame_parameters(packed("zstd", 2))
    assert (frame.content_size, frame.window_size) == (4 << 20, 4 << 20)


def test_level_one_is_as_small_as_that_of_the_program() -> None:
    other = subprocess.run(["zstd", "-1", "-c"], input=TEXT, capture_output=True, check=True).stdout
    assert len(packed("zstd", 1, TEXT)) < 1.02 * len(other)


@every
def test_the_library_is_one_with_known_bytes(compressor: str, level: int) -> None:
    check_library(compressor, level)


@pytest.mark.parametrize(("compressor", "library"), [("gz", "zlib"), ("zstd", "libzstd")])
def test_another_library_is_refused(compressor: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the compressor gives other bytes, as zlib-ng does: data that it got is in reverse order."""
    original = block_compression.compressed
    monkeypatch.setattr(
        block_compression, "compressed", lambda chunks, *rest: original([b"".join(chunks)[::-1]], *rest)
    )
    with pytest.raises(LaminaError, match=f"{library} compresses to other bytes"):
        check_library.__wrapped__(compressor, 1)


def test_an_old_libzstd_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zstandard, "ZSTD_VERSION", (1, 5, 2))
    with pytest.raises(LaminaError, match=r"libzstd from 1\.5\.4 on"):
        check_library.__wrapped__("zstd", 1)


def test_the_probe_has_several_blocks() -> None:
    assert len(probe()) > 2 * (127 << 10)
