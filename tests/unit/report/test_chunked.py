"""`verify` compares the documents of a zstd:chunked layer with its tar, and finds each way in which they can differ."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import pytest
import zstandard

from lamina.image.chunked import CHECKSUM, CHUNK, TABLE, TAR_SPLIT, chunked
from lamina.image.layer import Layer
from lamina.oci.documents import OCI_LAYER
from lamina.report.verify import verify
from tests.judge.tars import block, padded, record
from tests.limits.chunked import archive
from tests.support.doctored import File, folder, layer
from tests.support.fixtures import Command

NOT = "sha256:" + "0" * 64

CHUNK_ENTRY = b'{"type":"chunk","name":"d"},'

FILES = (
    folder("d"),
    File("d/text", b"text\n" * 30),
    File("d/other", b"more\n" * 30),
    File("d/large", b"".join(b"%d\n" % number for number in range(30_000))),
    File("d/empty"),
)


@attrs.define
class Chunked:
    """A zstd:chunked layer, taken apart."""

    frames: bytes
    table: dict[str, Any]
    split: list[dict[str, Any]]
    annotations: dict[str, str] = attrs.field(factory=dict)
    text: bytes = b""
    """In place of the table."""
    keeps_split_digest: bool = False
    footer: bytes | None = None

    @classmethod
    def of(cls, tar: bytes) -> Chunked:
        notes: dict[str, str] = {}
        data = b"".join(chunked([tar], 2, 1, notes.update))
        (start, table), (_, split) = (_document(data, notes[key]) for key in (TABLE, TAR_SPLIT))
        return cls(data[: start - 8], json.loads(table), [json.loads(line) for line in split.splitlines()])

    def entry(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self.table["entries"] if entry["name"] == name)

    def blob(self) -> tuple[bytes, dict[str, str]]:
        """The layer and its annotations, with the digests and positions that belong to it."""
        plain_split = b"".join(json.dumps(line).encode() + b"\n" for line in self.split)
        split = zstandard.compress(plain_split)
        if not self.keeps_split_digest:
            self.table["tarSplitDigest"] = f"sha256:{sha256(split).hexdigest()}"
        text = self.text or json.dumps(self.table, separators=(",", ":"), ensure_ascii=False).encode()
        table = zstandard.compress(text)
        at = len(self.frames) + 8
        numbers = [at, len(table), len(text), 1, at + len(table) + 8, len(split), len(plain_split)]
        footer = b"".join(number.to_bytes(8, "little") for number in numbers) + b"GNUlInUx"
        notes = {
            CHECKSUM: f"sha256:{sha256(table).hexdigest()}",
            TABLE: ":".join(map(str, numbers[:4])),
            TAR_SPLIT: ":".join(map(str, numbers[4:])),
            **self.annotations,
        }
        skippable = (b"\x50\x2a\x4d\x18" + len(part).to_bytes(4, "little") + part for part in (table, split, footer))
        return self.frames + b"".join(skippable if self.footer is None else [*list(skippable)[:2], self.footer]), notes


def _document(data: bytes, position: str) -> tuple[int, bytes]:
    start, length = map(int, position.split(":")[:2])
    decoder = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    return start, decoder.decompress(data[start : start + length])


def layout(directory: Path, tar: bytes, blob: bytes, annotations: dict[str, str]) -> Path:
    """An OCI layout with one image of one layer."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(media_type: str, data: bytes, **more: Any) -> dict[str, Any]:
        digest = sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}

    rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha256(tar).hexdigest()}"]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs, "history": [{}]}
    oci = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": put(f"{oci}.config.v1+json", json.dumps(config).encode()),
        "layers": [put(f"{OCI_LAYER}+zstd", blob, annotations=annotations)],
    }
    index = {"schemaVersion": 2, "manifests": [put(manifest["mediaType"], json.dumps(manifest).encode())]}  # type: ignore[arg-type]
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return directory


TAR = layer(*FILES)


def problems(directory: Path, edit: Callable[[Chunked], object], tar: bytes = TAR) -> str:
    parts = Chunked.of(tar)
    edit(parts)
    return "\n".join(verify(layout(directory / "it", tar, *parts.blob())).problems)


def test_what_is_right_is_sound(tmp_path: Path) -> None:
    """Also with the freedom that other writers take: times of other zones, keys in capitals, no ends, no footer."""

    def podman(parts: Chunked) -> None:
        for entry in parts.table["entries"]:
            if entry["type"] == "chunk":
                del entry["endOffset"]
        parts.entry("d/text")["modtime"] = "1970-01-01T02:00:00+02:00"
        del parts.entry("d/other")["modtime"]
        parts.entry("d/text")["MODE"] = parts.entry("d/text").pop("mode")
        parts.footer = b""

    assert problems(tmp_path, podman) == ""


def test_the_case_of_attributes_counts(tmp_path: Path) -> None:
    records = record(b"SCHILY.xattr.user.a", b"1") + record(b"SCHILY.xattr.user.A", b"2")
    tar = block(b"x", b"x", len(records)) + padded(records) + block(b"f", b"0") + bytes(1024)
    assert problems(tmp_path, lambda _: None, tar) == ""


def frames_of(parts: Chunked, first: str, second: str) -> None:
    """Both entries refer to the frame of the second."""
    parts.entry(first).update({key: parts.entry(second)[key] for key in ("offset", "endOffset")})


def chunks(parts: Chunked) -> list[dict[str, Any]]:
    return [entry for entry in parts.table["entries"] if entry["name"] == "d/large"]


def swap_chunks(parts: Chunked) -> None:
    first, second, *_ = chunks(parts)
    for key in ("offset", "endOffset"):
        first[key], second[key] = second[key], first[key]


def other_header(parts: Chunked) -> None:
    parts.split[2]["payload"] = b64encode(b64decode(parts.split[2]["payload"]).replace(b"0000644", b"0004755")).decode()


EDITS: dict[str, tuple[Callable[[Chunked], object], str]] = {
    "mode": (lambda parts: parts.entry("d/text").update(mode=0o4755), "says of 'd/text' mode 2541, the tar 420"),
    "owner": (lambda parts: parts.entry("d/text").update(uid=7), "says of 'd/text' uid 7"),
    "time": (lambda parts: parts.entry("d/text").update(modtime="1970-01-01T00:00:01Z"), "modtime"),
    "type": (lambda parts: parts.entry("d/").update(type="symlink", linkName="/etc"), "linkname '/etc'"),
    "attribute": (lambda parts: parts.entry("d/text").update(xattrs={"security.capability": "AQ=="}), "xattrs"),
    "unknown key": (lambda parts: parts.entry("d/text").update(extra=1), "extra 1"),
    "name": (lambda parts: parts.entry("d/text").update(name="d/passwd"), "says of 'd/text' name 'd/passwd'"),
    "missing": (lambda parts: parts.table["entries"].pop(), "lacks b'd/empty'"),
    "more": (lambda parts: parts.table["entries"].append({"type": "reg", "name": "x"}), "not in the tar: 'x'"),
    "digest": (lambda parts: parts.entry("d/text").update(digest=NOT), "another digest than the tar"),
    "empty file with content": (
        lambda parts: parts.entry("d/empty").update(digest=NOT),
        "has content by the table",
    ),
    "frame of another file": (lambda parts: frames_of(parts, "d/text", "d/other"), "other bytes in its frames"),
    "swapped chunks": (swap_chunks, "wrong about b'd/large'"),
    "digest of a chunk": (lambda parts: chunks(parts)[1].update(chunkDigest=NOT), "for a chunk"),
    "size of a chunk": (lambda parts: chunks(parts)[0].update(chunkSize=CHUNK - 1), "not the whole file"),
    "hole": (lambda parts: chunks(parts)[0].update(chunkType="zeros"), "other bytes in its frames"),
    "name of a chunk": (lambda parts: chunks(parts)[1].update(name="d/other"), "a chunk with another name"),
    "frame outside": (lambda parts: parts.entry("d/text").update(offset=10**9), "outside of the layer's data"),
    "end as text": (lambda parts: chunks(parts)[0].update(endOffset="9"), "outside of the layer's data"),
    "a list": (lambda parts: parts.entry("d/empty").update(chunkType=[[]]), "lists or objects where there are none"),
    "an object in attributes": (
        lambda parts: parts.entry("d/text").update(xattrs={"user.a": {"": ""}}),
        "lists or objects where there are none",
    ),
    "text as number": (lambda parts: parts.entry("d/text").update(offset="9"), "outside of the layer's data"),
    "header in tar-split": (other_header, "other headers than the tar"),
    "tar-split line missing": (lambda parts: parts.split.pop(), "lacks a part of the tar"),
    "tar-split checksum": (lambda parts: parts.split[3].update(payload="AAAAAAAAAAA="), "differs from the tar"),
    "tar-split name": (lambda parts: parts.split[3].update(name="d/other"), "differs from the tar"),
    "tar-split more": (lambda parts: parts.split.append(dict(parts.split[-1])), "with more than the tar"),
    "tar-split size": (lambda parts: parts.split[3].update(size=float("inf")), "cannot be read"),
    "tar-split size as text": (lambda parts: parts.split[3].update(size="150"), "cannot be read"),
    "tar-split of nothing": (lambda parts: parts.split[3].update(type=3), "cannot be read"),
    "tar-split line of nothing": (
        lambda parts: parts.split.insert(2, {"type": 2, "payload": "", "position": 0}),
        "cannot be read",
    ),
    "frame of the file before": (lambda parts: frames_of(parts, "d/other", "d/text"), "before those of the chunk"),
    "a table of millions": (lambda parts: attrs_of(parts, text=b"{}," * (6 << 20)), "bytes in its tables of contents"),
    "many entries": (
        lambda parts: attrs_of(parts, text=_text(parts).replace(b"[{", b"[" + CHUNK_ENTRY * 70_000 + b"{", 1)),
        "members in its layers",
    ),
    "tar-split digest": (lambda parts: attrs_of(parts, keeps_split_digest=True), "another digest of the tar-split"),
    "checksum": (
        lambda parts: parts.annotations.update({CHECKSUM: NOT}),
        "not that of the annotation",
    ),
    "position": (lambda parts: parts.annotations.update({TABLE: "9:9:9"}), "has no position"),
    "no position": (lambda parts: parts.annotations.update({TAR_SPLIT: ""}), "has no position"),
    "position outside": (lambda parts: parts.annotations.update({TABLE: "9:999999999:9:1"}), "not inside the layer"),
    "footer": (
        lambda parts: attrs_of(parts, footer=b"\x50\x2a\x4d\x18\x40\0\0\0" + bytes(56) + b"GNUlInUx"),
        "last bytes",
    ),
    "form": (lambda parts: attrs_of(parts, text=b"[]"), "does not have the form"),
    "a key twice": (
        lambda parts: attrs_of(parts, text=_text(parts).replace(b'"mode":', b'"MODE":1,"mode":', 1)),
        "has a key twice",
    ),
    "a fraction": (
        lambda parts: attrs_of(parts, text=_text(parts).replace(b'"mode":420', b'"mode":420.0', 1)),
        "whole",
    ),
    "no JSON": (lambda parts: attrs_of(parts, text=_text(parts).replace(b"},{", b"} {", 1)), "is no JSON"),
}


def attrs_of(parts: Chunked, **values: Any) -> None:
    for name, value in values.items():
        setattr(parts, name, value)


def _text(parts: Chunked) -> bytes:
    parts.blob()
    return json.dumps(parts.table, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", EDITS)
def test_a_wrong_table_is_found(name: str, tmp_path: Path) -> None:
    edit, expected = EDITS[name]
    assert re.search(re.escape(expected), problems(tmp_path, edit))


def test_a_table_is_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if two manifests have other annotations beside those of the table."""
    compared: list[Layer] = []
    monkeypatch.setattr("lamina.report.verify.check_table", lambda layer, _: compared.append(layer))
    blob, annotations = Chunked.of(TAR).blob()
    path = tmp_path / "it.tar"
    path.write_bytes(archive(TAR, blob, [annotations, {**annotations, "a": "b"}, {**annotations, CHECKSUM: NOT}]))
    assert verify(path).problems == ()
    assert len(compared) == 2


def test_two_files_of_one_name_are_found(tmp_path: Path) -> None:
    """podman refuses the image, which others take."""
    parts = Chunked.of(layer(File("a", b"1"), File("b", b"2")))
    twice = layer(File("a", b"1"), File("a", b"2"))
    parts.frames = b"".join(chunked([twice], 2, 1))
    parts.split[2]["payload"] = b64encode(twice[513:1536]).decode()
    found = "\n".join(verify(layout(tmp_path / "it", twice, *parts.blob())).problems)
    assert "cannot describe b'a': a name occurs twice" in found


def test_the_command_says_it_in_one_line(lamina: Command, tmp_path: Path) -> None:
    parts = Chunked.of(TAR)
    parts.entry("d/text")["mode"] = 0o777
    path = layout(tmp_path / "it", TAR, *parts.blob())
    done = lamina("verify", path)
    assert done.returncode == 1
    assert b"the table of contents says of 'd/text' mode 511, the tar 420" in done.stderr + done.stdout


def test_other_bytes_in_the_frames_are_the_first_problem(tmp_path: Path) -> None:
    """Those of another tar, with a table that is right about it."""
    files = (*FILES[:1], File("d/text", b"evil\n" * 30), *FILES[2:])
    blob = Chunked.of(layer(*files)).blob()
    assert "the bytes have" in "\n".join(verify(layout(tmp_path / "it", TAR, *blob)).problems)
