"""Sections of a layer of store paths: together the same bytes as the layer, whoever reads which part."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from lamina.data.blob import FileRange, Section, Source
from lamina.errors import BadInput
from lamina.store import sections
from lamina.store.closure import PathInfo
from lamina.store.ownership import Stamp
from lamina.store.sections import store_sections
from lamina.store.tree import store_items
from lamina.store.tree_blob import TreeBlob
from tests.support.trees import Link, Program, Store, Tree

WIDE: Tree = {f"share/{number:03}": bytes([number % 251]) * (number * 37 % 1500) for number in range(300)}
DEEP: Tree = {
    "bin/hello": Program(b"#!/bin/sh\n"),
    "bin.d/x": b"x",
    "a/b/c/d/e/f": b"deep",
    "a/b/c/empty": None,
    "a/b/link": Link("c"),
    "a/b/large": random.Random(1).randbytes(300_000),
    "lib/" + "n" * 120: b"a name that needs a PAX header",
    "lib/block": bytes(512),
}


def paths(store: Store) -> list[PathInfo]:
    made = [store.add("wide", WIDE), store.add("deep", DEEP), store.add_file("file", b"a file")]
    return [PathInfo(path, "x", size) for path, size in zip(made, (220_000, 300_000, 200), strict=True)]


def blob_of(infos: list[PathInfo]) -> TreeBlob:
    stamp = Stamp()
    return TreeBlob(lambda: store_items([info.path for info in infos], stamp), lambda: store_sections(infos, stamp))


def filled(section: Section, pieces: int) -> bytes:
    """The section, read in pieces of that size."""
    measured = section.measure()
    data = bytearray(measured.size)
    for start in range(0, measured.size, pieces):
        with memoryview(data) as whole:
            section.fill(start, whole[start : start + pieces], measured)
    return bytes(data)


@pytest.mark.parametrize("size", [1, 1000, 20_000, 100_000, 1 << 40])
def test_sections_have_the_items_of_the_layer(size: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    infos = paths(store)
    monkeypatch.setattr(sections, "_SECTION", size)
    found = store_sections(infos, Stamp())
    assert len(found) > 1 or size > 1_000_000
    items = [item for find in found for item in find()]
    assert items == store_items([info.path for info in infos], Stamp())


@pytest.mark.parametrize("pieces", [1, 511, 512, 1000, 65_536, 1 << 30])
@pytest.mark.parametrize("size", [1000, 50_000, 1 << 40])
def test_pieces_of_sections_are_the_layer(
    size: int, pieces: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    infos = paths(store) if pieces > 1 else [PathInfo(store.add("small", {"a": b"x" * 600, "b": b""}), "x", 700)]
    monkeypatch.setattr(sections, "_SECTION", size)
    blob = blob_of(infos)
    assert b"".join(filled(section, pieces) for section in blob.sections()) == b"".join(blob.chunks())


def test_who_has_not_measured_a_section_reads_the_same(store: Store) -> None:
    infos = paths(store)
    [section], [other] = blob_of(infos).sections(), blob_of(infos).sections()
    measured = section.measure()
    data = bytearray(5000)
    with memoryview(data) as buffer:
        other.fill(100_000, buffer, measured)
    assert data == filled(section, 1 << 20)[100_000:105_000]


def test_a_range_of_a_file_is_read_in_pieces(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(10_000)
    (tmp_path / "f").write_bytes(data)
    [section] = FileRange(Source.open(tmp_path / "f"), 100, 9_000).sections()
    assert filled(section, 700) == data[100:9_100]
    measured = section.measure()
    os.truncate(tmp_path / "f", 5_000)
    with pytest.raises(BadInput, match="f: ends 4100 bytes early"), memoryview(bytearray(10)) as buffer:
        section.fill(0, buffer, measured)


CHANGES = {
    "grows": "changed its size while it was read; run again when nothing writes there",
    "shrinks": "changed its size while it was read; run again when nothing writes there",
    "vanishes": "No such file or directory; the file vanished or may not be read",
}


@pytest.mark.parametrize("pieces", [400, 4096, 1 << 22], ids=["in-pieces", "pieces", "one-piece"])
@pytest.mark.parametrize(
    ("change", "size"),
    [(change, size) for change in CHANGES for size in (0, 1, 511, 512, 100_000) if size or change != "shrinks"],
)
def test_a_file_that_changes_after_it_was_measured(change: str, size: int, pieces: int, store: Store) -> None:
    path = store.add("one", {"a": b"before", "f": bytes(size), "z": b"after"})
    [section] = blob_of([PathInfo(path, "x", size)]).sections()
    measured = section.measure()
    victim = Path(path, "f")
    if change == "vanishes":
        victim.unlink()
    else:
        os.truncate(victim, size + 1 if change == "grows" else size - 1)
    with pytest.raises(BadInput, match=f"{path}/f: {CHANGES[change]}"), memoryview(bytearray(measured.size)) as data:
        for start in range(0, measured.size, pieces):
            section.fill(start, data[start : start + pieces], measured)


def test_files_that_another_process_has_measured_otherwise(store: Store) -> None:
    """Two files change so that the section as a whole keeps its size."""
    path = store.add("one", {"a": bytes(600), "b": bytes(10)})
    [section], [other] = (blob_of([PathInfo(path, "x", 700)]).sections() for _ in range(2))
    measured = section.measure()
    os.truncate(f"{path}/a", 10)
    os.truncate(f"{path}/b", 600)
    with (
        pytest.raises(BadInput, match=f"{path}: this, or a file after it, has changed"),
        memoryview(bytearray(100)) as buffer,
    ):
        other.fill(0, buffer, measured)


def test_a_path_that_is_missing(store: Store) -> None:
    missing = str(store.path("missing"))
    for size in (1, 1 << 30):
        with pytest.raises(BadInput, match=f"{missing}: not in the store; get it with: nix-store --realise"):
            [section.measure() for section in blob_of([PathInfo(missing, "x", size)]).sections()]
