"""Compressed data: known by its bytes, read to its last frame, refused when damaged, written the same each time."""

from __future__ import annotations

import contextlib
import gzip
import io
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import zstandard

from lamina.data.blob import Bytes, FileRange, Source
from lamina.data.compression import compress, detect, plain, spool
from lamina.data.compressors import COMPRESSORS
from lamina.errors import BadInput, LaminaError
from lamina.limits import Allowance
from tests.support.archives import WRAPPERS, Piece, layer_of, tar_of

TAR = layer_of({"file": bytes(range(256)) * 30, "zeros": bytes(5000)})
PACKERS = {name: pack for name, pack in WRAPPERS.items() if name != "plain"}
KINDS = {"gzip": "gzip", "bzip2": "bzip2", "xz": "xz", "lzma": "xz", "zstd": "zstd"}

packers = pytest.mark.parametrize("packer", PACKERS)


def unpacked(data: bytes) -> bytes:
    return b"".join(plain(Bytes(data), "it").chunks())


@packers
def test_each_format_is_known_and_read(packer: str) -> None:
    packed = PACKERS[packer](TAR)
    assert detect(Bytes(packed), "it") == KINDS[packer]
    assert unpacked(packed) == TAR
    assert plain(Bytes(packed), "it").size is None


def test_a_plain_tar_is_itself() -> None:
    blob = Bytes(TAR)
    assert plain(blob, "it") is blob


@pytest.mark.parametrize("name", ["\x1f\x8b\x08", "PK\x03\x04", "\x28\xb5\x2f\xfd", "x^\n"])
def test_a_tar_is_a_tar_whatever_its_first_member_is_called(name: str) -> None:
    """A tar starts with that name. (One that docker and podman take for compressed data is refused.)"""
    tar = layer_of({name: b"content"})
    assert detect(Bytes(tar), "it") is None


@pytest.mark.parametrize("size", [0, 1, 1024, 10240, 1 << 20])
def test_zeros_are_plain(size: int) -> None:
    """The empty layer is 1024 zeros, for which libmagic has no word."""
    assert unpacked(bytes(size)) == bytes(size)


@packers
def test_the_name_of_a_file_says_nothing(packer: str, tmp_path: Path) -> None:
    for name, data in (("layer.tar", PACKERS[packer](TAR)), (f"layer.tar.{packer}", TAR)):
        path = tmp_path / name
        path.write_bytes(data)
        source = Source.open(path)
        assert b"".join(plain(FileRange(source, 0, source.size), path).chunks()) == TAR


@packers
def test_several_frames_are_read_as_one(packer: str) -> None:
    pack = PACKERS[packer]
    assert unpacked(pack(TAR) + pack(b"second") + pack(b"") + pack(b"third")) == TAR + b"second" + b"third"


@packers
@pytest.mark.parametrize("zeros", [1, 4, 511, 4096, 9000])
def test_zeros_after_the_last_frame_are_refused(packer: str, zeros: int) -> None:
    """gzip and pigz ignore them; Go's compress/gzip and compress/bzip2, zstd and bzip2 do not."""
    data = PACKERS[packer](TAR) + bytes(zeros)
    if KINDS.get(packer) == "xz" and zeros % 4 == 0:
        assert unpacked(data) == TAR, "padding, in fours, is a part of the format"
        return
    with pytest.raises(BadInput):
        unpacked(data)


@pytest.mark.parametrize("zeros", [4, 512, 4096, 9000])
def test_zeros_between_streams_of_xz_are_padding(zeros: int) -> None:
    """Wherever they fall among the pieces in which the data is read."""
    pack = PACKERS["xz"]
    assert unpacked(pack(TAR) + bytes(zeros) + pack(b"second")) == TAR + b"second"
    with pytest.raises(BadInput, match="zeros after the xz data"):
        unpacked(pack(TAR) + bytes(zeros + 1) + pack(b"second"))


@packers
def test_a_tar_that_begins_like_compressed_data_is_refused(packer: str) -> None:
    """By our own count, whatever libmagic takes it for: its name is compressed data, and its check sum is right."""
    packed = PACKERS[packer](b"x")[:100]
    data = bytearray(packed.ljust(100, b"\0") + TAR[100:512])
    for signed in (False, True):
        data[148:156] = b" " * 8
        data[148:156] = b" %05o \0" % (sum(data) - 256 * signed * sum(byte > 127 for byte in data))
        try:
            assert detect(Bytes(bytes(data) + TAR[512:]), "it") is None and packer == "lzma", "no reader unpacks lzma"
        except BadInput as error:
            assert "readers would differ" in str(error)


def test_frames_of_zstd_that_hold_nothing_are_passed_over() -> None:
    """Layers of the kind zstd:chunked end with some."""
    skippable = (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"
    frame = zstandard.compress(TAR)
    assert unpacked(skippable + frame + skippable) == TAR


@packers
def test_frames_without_content_count(packer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Millions of them compress to a few kilobytes, and each takes some microseconds."""
    monkeypatch.setattr("lamina.data.compression.UNPACKED", Allowance("bytes unpacked", 1 << 20, 0, 1 << 20, ""))
    for count in (100, 600):
        blob = plain(Bytes(PACKERS[packer](TAR) + PACKERS[packer](b"") * count), "it")
        with pytest.raises(BadInput, match="bytes unpacked") if count == 600 else contextlib.nullcontext():
            assert b"".join(blob.chunks()) == TAR


@packers
@pytest.mark.parametrize("garbage", [b"garbage", bytes(700) + b"garbage", b"\xff" * 5000])
def test_garbage_after_the_last_frame_is_an_error(packer: str, garbage: bytes) -> None:
    with pytest.raises(BadInput, match=r"it: (damaged|the) \w+ data"):
        unpacked(PACKERS[packer](TAR) + garbage)


@packers
def test_cut_anywhere_it_is_an_error(packer: str) -> None:
    """Past the first bytes, by which a format is known at all."""
    packed = PACKERS[packer](TAR)
    for cut in range(20, len(packed)):
        with pytest.raises(BadInput, match="cut short; copy or pull it again"):
            unpacked(packed[:cut])


@packers
def test_damage_is_an_error_or_changes_nothing(packer: str) -> None:
    """Bits that no check sum covers, like a gzip header's time, may change nothing that was packed."""
    packed = PACKERS[packer](TAR)
    if packer == "zstd":
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(TAR)
    silent = 0
    for position in range(14, len(packed), 3):
        damaged = packed[:position] + bytes([packed[position] ^ 0x10]) + packed[position + 1 :]
        try:
            silent += unpacked(damaged) != TAR
        except BadInput as error:
            assert "\n" not in str(error)
    # Plain lzma has no check sum: there the diff ID shows the damage.
    assert silent == 0 or packer == "lzma"


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("name"), "text")  # without the current time, which would be in the test's name
    return out.getvalue()


def test_libmagic_is_not_asked_about_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 kB of empty lines take it 70 ms, and an archive may have thousands of such layers."""
    monkeypatch.setattr("lamina.data.compression._magic", lambda: pytest.fail("it was asked"))
    for head in (b"\n", b"xy\n", b"PK\n"):
        assert detect(Bytes(head * 2000), "it") is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (zipped(), "zip"),
        (zlib.compress(b"text"), "zlib"),
        (b"\x1f\x9d\x90", "compress"),
        (b"LZIP\x01\x0c", "lzip"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_format_that_images_do_not_use_is_named(head: bytes, kind: str) -> None:
    with pytest.raises(BadInput, match=f"{kind} data; images are plain, gzip, bzip2, xz or zstd"):
        detect(Bytes(head + b"\x01" * 100), "it")


def test_a_tar_may_begin_as_a_zip_does() -> None:
    assert detect(Bytes(tar_of([Piece("PK\x03\x04", b"text")])), "it") is None


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def packed_by(compressor: str, data: bytes, piece: int = 1 << 20) -> bytes:
    out = io.BytesIO()
    compress(in_pieces(data, piece), compressor, out)
    return out.getvalue()


BIG = b"".join(b"line %d of some text that packs well\n" % number for number in range(60_000))


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_the_same_data_packs_to_the_same_bytes(compressor: str) -> None:
    assert packed_by(compressor, BIG) == packed_by(compressor, BIG)


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_the_pieces_that_data_comes_in_change_nothing(compressor: str) -> None:
    whole = packed_by(compressor, BIG, len(BIG))
    assert packed_by(compressor, BIG, 4099) == whole
    assert packed_by(compressor, BIG, 100_000) == whole


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_the_number_of_processors_changes_nothing(compressor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed_by(compressor, BIG * 4)
    for count in (1, 2, 7):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, count=count: set(range(count)))
        assert packed_by(compressor, BIG * 4) == whole


@pytest.mark.parametrize("data", [b"", b"x", BIG], ids=["nothing", "a byte", "much"])
def test_ordinary_tools_unpack_it(data: bytes) -> None:
    assert packed_by("none", data) == data
    assert gzip.decompress(packed_by("gz", data)) == data
    assert subprocess.run(["gzip", "-dc"], input=packed_by("gz", data), capture_output=True, check=True).stdout == data
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed_by("zstd", data)))
    assert reader.read() == data


def test_the_gzip_header_has_no_name_and_no_time() -> None:
    assert packed_by("gz", b"x")[:8] == b"\x1f\x8b\x08\0\0\0\0\0"


def test_a_full_disk_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer that is written once more when Python deletes it prints a traceback, from Python 3.13 on."""
    files: list[IO[bytes]] = []

    def full(*, buffering: int, dir: str) -> IO[bytes]:
        files.append(Path("/dev/full").open("r+b", buffering=buffering))  # noqa: SIM115 - closed by what is tested
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(LaminaError, match="it: cannot be unpacked: No space left on device; make room in") as caught:
        spool(Bytes(b"few bytes stay in the buffer"), "it")
    assert files[0].closed, f"before the buffer is deleted: {caught} still has it"
