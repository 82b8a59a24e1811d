"""Constructs of zstd:chunked layers, whose tables of contents and tar-split data ask for more than they are long."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import zstandard

from lamina.data.crc64 import Crc64
from lamina.image.chunked import CHECKSUM, START, TABLE, TAR_SPLIT, chunked
from tests.judge.tars import block, padded
from tests.limits.archives import END
from tests.support.archives import Piece, descriptor, digest, hexdigest, oci_layout, tar_of, to_json

_CONTENT = ("digest", "offset", "endOffset")


def packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)


def layer(frames: bytes, entries: Iterable[str], split: Iterable[bytes]) -> tuple[bytes, dict[str, str]]:
    """The stored layer, and the annotations of its descriptor."""
    plain_split = b"".join(line + b"\n" for line in split)
    stored_split = packed(plain_split)
    text = f'{START}{",".join(entries)}],"tarSplitDigest":"{digest(stored_split)}"}}'.encode()
    table = packed(text)
    at = len(frames) + 8
    after = at + len(table) + 8
    skippable = (b"\x50\x2a\x4d\x18" + len(part).to_bytes(4, "little") + part for part in (table, stored_split))
    annotations = {
        CHECKSUM: digest(table),
        TABLE: f"{at}:{len(table)}:{len(text)}:1",
        TAR_SPLIT: f"{after}:{len(stored_split)}:{len(plain_split)}",
    }
    return frames + b"".join(skippable), annotations


def archive(tar: bytes, stored: bytes, notes: Sequence[Mapping[str, str]]) -> bytes:
    """An OCI archive with an image for each of the annotations, all of the same layer."""
    config = to_json({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}})
    blobs = [Piece(f"blobs/sha256/{hexdigest(each)}", each) for each in (stored, config)]
    entries = []
    for number, noted in enumerate(notes):
        layers = [descriptor(stored, "layer.v1.tar+zstd", annotations=noted)]
        manifest = to_json({"schemaVersion": 2, "config": descriptor(config, "config.v1+json"), "layers": layers})
        blobs.append(Piece(f"blobs/sha256/{hexdigest(manifest)}", manifest))
        platform = {"os": "linux", "architecture": "amd64", "variant": str(number)}
        entries.append(descriptor(manifest, "manifest.v1+json", platform=platform))
    return tar_of(oci_layout(entries, blobs))


def member(data: bytes = b"") -> tuple[bytes, dict[str, Any]]:
    """A header of a file, and what a table says about it, except for its content."""
    header = block(b"f", b"0", len(data))
    notes: dict[str, str] = {}
    whole = b"".join(chunked([header + padded(data) + END], 1, 1, notes.update))
    start, length = map(int, notes[TABLE].split(":")[:2])
    plain = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    [entry, *_] = json.loads(plain.decompress(whole[start : start + length]))["entries"]
    return header, {key: value for key, value in entry.items() if key not in _CONTENT and "chunk" not in key}


def line(data: bytes) -> bytes:
    """Bytes of the tar in tar-split data."""
    return b'{"type":2,"payload":"%b"}' % b64encode(data)


def file_line(data: bytes = b"") -> bytes:
    """The place of a file in tar-split data."""
    crc = Crc64()
    crc.update(data)
    return b'{"type":1,"name":"f","size":%d,"payload":"%b"}' % (len(data), b64encode(crc.digest()))


def text(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":"))


def _of_one_file(data: bytes, frames: bytes, entries: Iterable[str], tail: Sequence[bytes] = (END,)) -> bytes:
    """An archive with a layer of one file. `tail` are the lines for what is behind its data, padding included."""
    header, _ = member(data)
    tar = header + data + b"".join(tail)
    stored, notes = layer(
        packed(header) + frames + packed(b"".join(tail)),
        entries,
        [line(header), file_line(data), *map(line, tail)],
    )
    return archive(tar, stored, [notes])


def chunks_of_a_file(n: int) -> bytes:
    """Each in a frame of its own, of one byte."""
    data, frame, value = b"a" * n, packed(b"a"), digest(b"a")
    header, fields = member(data)
    start = len(packed(header))
    cut = {"chunkSize": 1, "chunkDigest": value}
    chunk = {"type": "chunk", "name": "f"}
    entries = [
        {
            **({**chunk, "chunkOffset": at} if at else {**fields, "digest": digest(data)}),
            "offset": start + at * len(frame),
            "endOffset": start + (at + 1) * len(frame),
            **cut,
        }
        for at in range(n)
    ]
    return _of_one_file(data, frame * n, map(text, entries), (bytes(-n % 512) + END,))


def holes_of_a_file(n: int) -> bytes:
    data, value = bytes(n), digest(bytes(1))
    _, fields = member(data)
    cut = {"chunkSize": 1, "chunkDigest": value, "chunkType": "zeros"}
    entries = [
        {**({"type": "chunk", "name": "f", "chunkOffset": at} if at else {**fields, "digest": digest(data)}), **cut}
        for at in range(n)
    ]
    return _of_one_file(data, packed(data), map(text, entries), (bytes(-n % 512) + END,))


def lines_of_tar_split(n: int) -> bytes:
    return _of_one_file(b"", b"", [text(member()[1])], [END, *[b"\0"] * n])


def values_of_a_table(n: int) -> bytes:
    """In the entry of an empty file, of which nobody reads the chunks."""
    entry = text(member()[1])[:-1] + ',"chunkType":[' + ",".join(["[]"] * n) + "]}"
    return _of_one_file(b"", b"", [entry])


def keys_of_chunks(n: int) -> bytes:
    """Twenty chunks of an empty file."""
    keys = "".join(f',"{at:x}":1' for at in range(n))
    return _of_one_file(b"", b"", [text(member()[1]), *[f'{{"type":"chunk","name":"f"{keys}}}'] * 20])


def tables_of_a_layer(n: int) -> bytes:
    """An image for each; they differ by zeros before numbers."""
    header, fields = member()
    entry = text({**fields, "chunkDigest": "x" * 1_000_000})
    tail = bytes(2 << 20)
    stored, notes = layer(packed(header + tail), [entry], [line(header), file_line(), line(tail)])
    table, split = notes[TABLE].split(":"), notes[TAR_SPLIT].split(":")
    spelled = []
    for number in range(n):
        digits = (number % 8, number // 8 % 8, number // 64 % 8, number // 512)
        numbers = [text.zfill(9 + more) for text, more in zip([*table[:2], *split[:2]], digits, strict=True)]
        spelled.append(
            {**notes, TABLE: ":".join([*numbers[:2], *table[2:]]), TAR_SPLIT: ":".join([*numbers[2:], split[2]])}
        )
    return archive(header + tail, stored, spelled)


def a_table_of_zeros(n: int) -> bytes:
    """The compressed table has so many megabytes, which are not those of its digest."""
    header, fields = member()
    stored, notes = layer(packed(header + END), [text(fields)], [line(header), file_line(), line(END)])
    at, size = len(stored) + 8, n << 20
    more = b"\x50\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(size)
    return archive(header + END, stored + more, [{**notes, TABLE: f"{at}:{size}:100:1"}])
