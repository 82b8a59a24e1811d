"""zstd:chunked layers: the same bytes everywhere, zstd for all readers, and documents that are true."""

from __future__ import annotations

import base64
import io
import json
import random
import subprocess
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import zstandard

from lamina.data.blob import Bytes
from lamina.image.chunked import CHECKSUM, CHUNK, MAGIC, TABLE, TAR_SPLIT, ChunkedBlob, chunked
from tests.support.doctored import ONE_HOLE, File, folder, layer, link

NOISE = random.Random(1).randbytes(3 * CHUNK)
TEXT = b"".join(b"%d /nix/store/%x\n" % (n, n * n) for n in range(10_000))
FILES = (
    folder("nix"),
    File("nix/empty"),
    File("nix/one-chunk", NOISE[:CHUNK]),
    File("nix/text", TEXT),
    link("nix/link", "empty"),
    File("nix/hard", type=tarfile.LNKTYPE, link="nix/text"),
    File("nix/" + "long" * 60, b"x", pax={"mtime": "12.5", "SCHILY.xattr.user.a": "b"}),
    File("nix/ünicode", NOISE[:1000]),
    File("nix/pipe", type=tarfile.FIFOTYPE),
    File("nix/several", NOISE + TEXT),
)
TAR = layer(*FILES)

GOLDEN = {1: "ca6d7e90b80a8957", 2: "71ff9ee52000f575", 3: "20ba9bd5f8644b38"}
"""If one changes, every registry gets every layer once more: change `FORMAT` in image/encoding.py, and say so."""


def made(tar: bytes, level: int = 2, threads: int = 2, step: int = 1 << 20) -> tuple[bytes, dict[str, str]]:
    """The layer, and its annotations."""
    found: list[dict[str, str]] = []
    pieces = (tar[start : start + step] for start in range(0, len(tar), step))
    data = b"".join(chunked(pieces, level, threads, lambda annotations: found.append(dict(annotations))))
    [annotations] = found
    return data, annotations


def unpacked(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout


def document(data: bytes, annotation: str) -> bytes:
    offset, length, size, *_ = map(int, annotation.split(":"))
    text = unpacked(data[offset : offset + length])
    assert len(text) == size
    return text


def entries(data: bytes, annotations: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document(data, annotations[TABLE]))["entries"]
    return found


@pytest.mark.parametrize("level", GOLDEN)
def test_golden_bytes(level: int) -> None:
    data, annotations = made(TAR, level)
    assert sha256(data + json.dumps(annotations, sort_keys=True).encode()).hexdigest()[:16] == GOLDEN[level]


@pytest.mark.parametrize(("threads", "step"), [(1, 1 << 20), (4, 10_000), (2, 511), (3, len(TAR))])
def test_threads_and_the_pieces_that_data_comes_in_change_nothing(threads: int, step: int) -> None:
    assert made(TAR, threads=threads, step=step) == made(TAR)


@pytest.mark.parametrize("end", [0, 512, 1024, 10_240, (3 << 20) + 512])
def test_everybody_else_sees_plain_zstd_of_the_whole_tar(end: int) -> None:
    """To the last block of padding."""
    tar = TAR.rstrip(b"\0") + bytes(-len(TAR.rstrip(b"\0")) % 512 + end)
    data, annotations = made(tar)
    assert unpacked(data) == tar
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read() == tar
    assert rebuilt(data, annotations) == tar


def test_a_blob_makes_the_same_bytes_whenever_it_is_read() -> None:
    blob = ChunkedBlob(Bytes(TAR), 2)
    assert b"".join(blob.pieces()) == b"".join(blob.chunks()) == made(TAR)[0]


def rebuilt(data: bytes, annotations: dict[str, str]) -> bytes:
    """The tar as readers of the documents make it again: of headers, and of chunks."""
    files: dict[str, bytes] = {}
    for entry in entries(data, annotations):
        if "offset" in entry:
            content = zstandard.ZstdDecompressor().decompressobj().decompress(data[entry["offset"] :])
            files[entry["name"]] = files.get(entry["name"], b"") + content
    tar = b""
    for line in document(data, annotations[TAR_SPLIT]).splitlines():
        fields = json.loads(line)
        tar += files.get(fields["name"], b"") if fields["type"] == 1 else base64.b64decode(fields["payload"])
    return tar


def test_the_table_of_contents() -> None:
    data, annotations = made(TAR)
    assert annotations[CHECKSUM] == f"sha256:{sha256(_packed(data, annotations[TABLE])).hexdigest()}"
    whole = json.loads(document(data, annotations[TABLE]))
    assert whole["version"] == 1
    assert whole["tarSplitDigest"] == f"sha256:{sha256(_packed(data, annotations[TAR_SPLIT])).hexdigest()}"
    found = [entry for entry in whole["entries"] if entry["type"] != "chunk"]
    assert [entry["type"] for entry in found] == (
        ["dir", "reg", "reg", "reg", "symlink", "hardlink", "reg", "reg", "fifo", "reg"]
    )
    common = {"mode": 0o644, "modtime": "1970-01-01T00:00:00Z"}
    assert found[0] == {"type": "dir", "name": "nix/", **common}
    assert found[1] == {"type": "reg", "name": "nix/empty", **common}
    assert found[4] == {"type": "symlink", "name": "nix/link", "linkName": "empty", **common}
    long = found[6]
    assert (long["modtime"], long["xattrs"]) == ("1970-01-01T00:00:12.5Z", {"user.a": "Yg=="})
    assert found[7]["name"] == "nix/ünicode"
    ends = [entry["endOffset"] for entry in whole["entries"] if entry["name"] == FILES[-1].name]
    assert ends[0] == ends[-1] == max(ends)  # podman looks at the last one, the format means the first one
    for entry, file in zip(found, FILES, strict=True):
        if file.data:
            assert (entry["size"], entry["digest"]) == (len(file.data), f"sha256:{sha256(file.data).hexdigest()}")


def test_chunks_begin_at_multiples_of_their_size() -> None:
    """So a file in which a store path was replaced by another of equal length has the other chunks as before."""
    changed = bytearray(FILES[-1].data)
    changed[CHUNK + 5 : CHUNK + 10] = b"other"
    files = (*FILES[:-1], File(FILES[-1].name, bytes(changed)))
    before, after = (
        [entry["chunkDigest"] for entry in entries(*made(tar)) if entry["name"] == FILES[-1].name]
        for tar in (TAR, layer(*files))
    )
    assert len(before) == -(-len(changed) // CHUNK)
    assert [index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]] == [1]


def test_the_footer_has_the_same_positions_as_the_annotations() -> None:
    data, annotations = made(TAR)
    assert data.endswith(MAGIC)
    numbers = [int.from_bytes(data[start : start + 8], "little") for start in range(len(data) - 64, len(data) - 8, 8)]
    assert numbers == [int(part) for key in (TABLE, TAR_SPLIT) for part in annotations[key].split(":")]


def _packed(data: bytes, annotation: str) -> bytes:
    offset, length = map(int, annotation.split(":")[:2])
    return data[offset : offset + length]


def without_utf8() -> bytes:
    return TAR.replace(b"nix/pipe", b"nix/\xff\xffpe")


UNFIT = {
    "a name twice": layer(File("a", b"1"), File("a", b"2")),
    "a name twice, spelled differently": layer(File("a", b"1"), File("./a", b"2")),
    "a name that is not UTF-8": layer(File("a\udcff", b"1")),
    "a sparse file": layer(File("a", pax=ONE_HOLE)),
    "a global header": layer(File("a", b"1"), common={"comment": "x"}),
    "bytes after the end": TAR + b"x",
    "no tar": NOISE,
    "cut short": TAR[:-30_000],
    "a time before 1970": layer(File("a", pax={"mtime": "-5.5"})),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_tar_that_the_table_cannot_describe_is_plain_zstd(name: str) -> None:
    """podman refuses an image whose table and tar-split data differ, where it could pull it as a whole."""
    data, annotations = made(UNFIT[name])
    assert annotations == {} and MAGIC not in data
    assert unpacked(data) == UNFIT[name]


def test_a_tar_without_members() -> None:
    for tar in (b"", bytes(1024)):
        data, annotations = made(tar)
        assert unpacked(data) == tar and entries(data, annotations) == []


def test_what_the_source_raises_is_raised() -> None:
    def broken() -> Iterator[bytes]:
        yield TAR[:1000]
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        list(chunked(broken(), 2, 2))
