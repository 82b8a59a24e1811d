"""Which store paths the files at the root of an image refer to.

A tree that is copied as a whole refers to what its store path refers to, which Nix knows. If only a part of a store
path is copied, or another tree replaces some of its files, what is left is searched as Nix searches a new store path
(libstore, references.cc): for the hashes of the paths that it could refer to.
"""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lamina.store.closure import HASH_LENGTH, Graph, PathInfo, split_store_path
from lamina.store.ownership import Stamp
from lamina.store.root_tree import follow, top_of
from lamina.store.tree import Item
from lamina.tar.write import DIRECTORY, FILE, SYMLINK

_ALPHABET = b"0123456789abcdfghijklmnpqrsvwxyz"
_STEP = 8
_KINDS = bytes(ord("a") if byte in _ALPHABET else 0 for byte in range(256))
_SAMPLES = b"a" * (HASH_LENGTH // _STEP)
"""First, only every eighth byte is looked at. A hash has 32 digits, so four of these bytes in a row are digits. All
bytes are looked at only there: at a few places in a megabyte."""

_RUN = re.compile(rb"[%b]{32,}" % _ALPHABET)
_CHUNK = 1 << 20
_FEW = 500
"""Up to this number of hashes, searching for each of them is faster than looking at each place of a long run."""


class RootFiles(NamedTuple):
    """What trees at the root refer to, and the paths at which they have different files: (path, used, hidden)."""

    references: set[str]
    collisions: list[tuple[str, str, str]]


class _Placed(NamedTuple):
    tree: int
    item: Item


def root_files(
    trees: Sequence[PathInfo], graph: Graph, *, links: bool, keep_dirlinks: bool = False, based: bool = False
) -> RootFiles:
    """References and collisions of the trees, combined as copies or as links, as in `root_tree.py`.

    `based`: the image has a base. A tree that is not on this machine is assumed to be copied as a whole. Raises
    BadInput: a file cannot be read.
    """
    hashes = {split_store_path(path, path)[1].encode(): path for path in graph}
    placed: dict[bytes, _Placed] = {}
    collisions = []
    partial = set[int]()
    for index, tree in enumerate(trees):
        for item in _items(tree.path, links, keep_dirlinks):
            name = item.member.name
            if item.source != os.fsencode(tree.path) + b"/" + name and item.member.kind != DIRECTORY:
                partial.add(index)
            other = placed.get(name)
            if other and item.member.kind != DIRECTORY and other.item.member.kind != DIRECTORY:
                used, hidden = (other, _Placed(index, item)) if links else (_Placed(index, item), other)
                partial.add(hidden.tree)
                if _differs(used.item, hidden.item):
                    collisions.append((os.fsdecode(name), trees[used.tree].path, trees[hidden.tree].path))
                placed[name] = used
            else:
                placed.setdefault(name, _Placed(index, item))
    if links:
        return RootFiles(_linked(trees, placed.values(), hashes, based), collisions)
    partial |= {index for index, tree in enumerate(trees) if tree.path not in graph}
    found = set[str]()
    for index, tree in enumerate(trees):
        if index in partial:
            found |= _searched((item for number, item in placed.values() if number == index), hashes)
        else:
            found |= set(tree.references)
    return RootFiles(found, collisions)


def _items(tree: str, links: bool, keep_dirlinks: bool) -> Iterator[Item]:
    if os.path.isdir(tree):
        yield from follow(top_of(tree), Stamp(), lambda _: not links and not keep_dirlinks)


def _differs(one: Item, other: Item) -> bool:
    if one.member.kind != other.member.kind or one.member.kind == SYMLINK:
        return (one.member.kind, one.member.link) != (other.member.kind, other.member.link)
    return not filecmp.cmp(one.source, other.source, shallow=False)


def _linked(trees: Sequence[PathInfo], placed: Iterable[_Placed], hashes: Mapping[bytes, str], based: bool) -> set[str]:
    """Links lead to the trees' own files, or where the trees' links lead.

    On a base, a link to a directory may become a directory of links into the tree.
    """
    found = set[bytes]()
    for index, item in placed:
        source = item.source
        if item.member.kind == FILE or (based and item.member.kind == SYMLINK and os.path.isdir(source)):
            found |= hashes_in(os.fsencode(trees[index].path), hashes)
        if item.member.kind == SYMLINK:
            found |= hashes_in(item.member.link, hashes)
    return {hashes[digest] for digest in found}


def _searched(items: Iterable[Item], hashes: Mapping[bytes, str]) -> set[str]:
    found = set[bytes]()
    for item in items:
        found |= hashes_in(item.member.name + b"\0" + item.member.link, hashes)
        if item.member.kind == FILE:
            for data in overlapping(file_data(item.source)):
                found |= hashes_in(data, hashes)
    return {hashes[digest] for digest in found}


def overlapping(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces with the end of the piece before, so that a hash that lies on the border is in one of them."""
    before = b""
    for data in pieces:
        yield before + data
        before = (before + data)[1 - HASH_LENGTH :]


def file_data(source: bytes) -> Iterator[bytes]:
    """The data of a file, in pieces. Raises OSError."""
    with open(source, "rb") as file:
        while data := file.read(_CHUNK):
            yield data


def hashes_in(data: bytes, hashes: Mapping[bytes, str], count: Callable[[int], None] = lambda _: None) -> set[bytes]:
    """Those of the hashes that occur in the data. `count` gets the number of places where a hash could begin."""
    found = set[bytes]()
    samples = data[::_STEP].translate(_KINDS) + b"\0"
    start = samples.find(_SAMPLES)
    while start >= 0:
        end = samples.find(b"\0", start)
        part = data[max(0, (start - 1) * _STEP) : end * _STEP]
        for run in _RUN.findall(part):
            count(len(run) - HASH_LENGTH + 1)
            if len(hashes) <= min(_FEW, len(run)):
                found.update(digest for digest in hashes if digest in run)
                continue
            windows = (run[i : i + HASH_LENGTH] for i in range(len(run) - HASH_LENGTH + 1))
            found.update(window for window in windows if window in hashes)
        start = samples.find(_SAMPLES, end)
    return found
