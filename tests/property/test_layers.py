"""Layers of any tree: the tar extracts to the tree, whatever it is called and however it was made."""

from __future__ import annotations

import io
import os
import random
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import BadInput
from lamina.store.ownership import Stamp
from lamina.store.root_tree import root_items
from lamina.store.tree import Item, packed_items, store_items
from lamina.store.tree_blob import TreeBlob
from lamina.tar.write import Member
from tests.property.strategies import components
from tests.support.trees import Store

# Names that two kinds of file systems store alike, and that are no whiteouts.
_part = components.map(lambda part: part[:60]).filter(
    lambda part: not part.startswith(b".wh.") and part not in (b".", b"..")
)
_file = st.tuples(st.just("file"), st.binary(max_size=1500), st.booleans())
_link = st.tuples(st.just("link"), st.sampled_from([b"x", b"../x", b"/nix/store", b"t" * 150]), st.just(False))
_directory = st.tuples(st.just("directory"), st.just(b""), st.just(False))
trees = st.dictionaries(st.lists(_part, min_size=1, max_size=3).map(tuple), _file | _link | _directory, max_size=8)

Tree = dict[tuple[bytes, ...], tuple[str, bytes, bool]]


def wellformed(tree: Tree) -> Tree:
    """The tree without what lies below something that is no directory."""
    return {
        way: node
        for way, node in tree.items()
        if all(tree.get(way[:depth], ("directory",))[0] == "directory" for depth in range(1, len(way)))
    }


def make(top: bytes, tree: Tree, order: random.Random) -> None:
    os.makedirs(top)
    ways = sorted(tree)
    order.shuffle(ways)
    for way in ways:
        kind, content, executable = tree[way]
        path = b"/".join((top, *way))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind == "directory":
            os.makedirs(path, exist_ok=True)
        elif kind == "link":
            os.symlink(content, path)
        else:
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o755 if executable else 0o644)


def expected(tree: Tree) -> dict[bytes, tuple[bytes, bytes, int]]:
    """Name -> type, content or target, mode: what a store path's tar must hold."""
    found = {b"": (tarfile.DIRTYPE, b"", 0o555)}
    for way, (kind, content, executable) in tree.items():
        for depth in range(1, len(way)):
            found[b"/".join(way[:depth])] = (tarfile.DIRTYPE, b"", 0o555)
        modes = {"directory": (tarfile.DIRTYPE, 0o555), "link": (tarfile.SYMTYPE, 0o777)}
        flag, mode = modes.get(kind, (tarfile.REGTYPE, 0o555 if executable else 0o444))
        found[b"/".join(way)] = (flag, content, mode)
    return found


def held(data: bytes, top: str) -> dict[bytes, tuple[bytes, bytes, int]]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            name = os.fsencode(info.name)
            if name == top.encode() or name.startswith(top.encode() + b"/"):
                file = archive.extractfile(info) if info.isreg() else None
                content = file.read() if file else os.fsencode(info.linkname)
                found[name[len(top) + 1 :]] = (info.type, content, info.mode)
    return found


def tar(path: str) -> bytes:
    blob = TreeBlob.of(store_items([path], Stamp()))
    data = b"".join(blob.chunks())
    assert len(data) == blob.size
    return data


@settings(max_examples=30)
@given(trees.map(wellformed), st.randoms(use_true_random=False))
def test_a_layer_holds_the_tree_and_nothing_else(tree: Tree, order: random.Random) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = str(Store(Path(directory) / "store").path("it"))
        make(os.fsencode(path), tree, order)
        first = tar(path)
        assert held(first, path[1:]) == expected(tree)
        names = [name.split(b"/") for name in held(first, path[1:])]
        assert names == sorted(names)
        shutil.rmtree(path)
        make(os.fsencode(path), tree, order)
        assert tar(path) == first, "the order in which files are made changes nothing"


@settings(max_examples=30)
@given(trees.map(wellformed))
def test_packing_and_copying_to_the_root_hold_the_same_files(tree: Tree) -> None:
    links = {way: node for way, node in tree.items() if node[0] != "link"}
    with tempfile.TemporaryDirectory() as directory:
        top = os.fsencode(directory) + b"/top"
        make(top, links, random.Random(0))
        packed = {item.member.name: item.member.kind for item in packed_items(top, Stamp())}
        rooted = {
            item.member.name: item.member.kind for item in root_items([os.fsdecode(top)], Stamp(), keep_dirlinks=False)
        }
    assert packed == rooted
    assert set(packed) == set(expected(links)) - {b""}


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_file_of_another_size_is_found(recorded: int, actual: int) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(actual))
        file.flush()
        blob = TreeBlob.of([Item(Member(b"f", size=recorded), os.fsencode(file.name))])
        if recorded == actual:
            assert len(b"".join(blob.chunks())) == blob.size
        else:
            with pytest.raises(BadInput, match="changed its size while it was read"):
                list(blob.chunks())
