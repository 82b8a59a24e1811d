"""A layer of store paths, divided into sections before its files are known: several processes can look for the files.

The sizes of the store paths are known from Nix. A large path is divided at its directories, as deep as necessary.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from lamina.store.closure import PathInfo
from lamina.store.ownership import Stamp
from lamina.store.tree import Item, children, directory_member, tree_items, with_directories

_SECTION = 4 << 20
"""About how many bytes a section has. A process finds its files in a few milliseconds, even if they are small."""

_DEPTH = 8
"""Levels of directories at which a path is divided."""


class _Tree(NamedTuple):
    """A file or a directory with all that it contains: where it is, its name in the archive, and its estimated size."""

    source: bytes
    name: bytes
    size: float


def store_sections(infos: Iterable[PathInfo], stamp: Stamp) -> Sequence[Callable[[], list[Item]]]:
    """A function for each section, which returns its items. All sections together have the items of `store_items`.

    Raises BadInput as `store_items`.
    """
    sections: list[Callable[[], list[Item]]] = []
    group: list[Item | _Tree] = []
    size = 0.0
    for part in _parts(infos, stamp):
        group.append(part)
        size += 0 if isinstance(part, Item) else part.size
        if size >= _SECTION:
            sections.append(functools.partial(_items, group, stamp))
            group, size = [], 0.0
    return [*sections, functools.partial(_items, group, stamp)]


def _items(parts: Iterable[Item | _Tree], stamp: Stamp) -> list[Item]:
    items: list[Item] = []
    for part in parts:
        if isinstance(part, Item):
            items.append(part)
        else:
            items.extend(tree_items(part.source, part.name, stamp))
    return items


def _parts(infos: Iterable[PathInfo], stamp: Stamp) -> Iterator[Item | _Tree]:
    """The directories of the stores, and the store paths, each with what it is divided into."""
    sizes = {info.path: info.nar_size for info in infos}
    for path, above in with_directories(sizes, stamp):
        yield from above
        source = os.fsencode(path)
        yield from _divided(_Tree(source, source.lstrip(b"/"), sizes[path]), stamp)


def _divided(tree: _Tree, stamp: Stamp) -> Sequence[Item | _Tree]:
    """The tree. If it is large, it is divided at its directories, level by level, until there are enough parts."""
    parts: list[Item | _Tree] = [tree]
    needed = tree.size / _SECTION
    for _ in range(_DEPTH):
        if len(parts) >= needed:
            break
        parts = [inner for part in parts for inner in _opened(part, stamp)]
    trees = sum(isinstance(part, _Tree) for part in parts) or 1
    return [part if isinstance(part, Item) else part._replace(size=tree.size / trees) for part in parts]


def _opened(part: Item | _Tree, stamp: Stamp) -> Sequence[Item | _Tree]:
    """A directory as its own item and what it contains; anything else as it is."""
    if isinstance(part, Item) or not _is_directory(part.source):
        return [part]
    own = Item(directory_member(part.name, 0o555, stamp), part.source)
    return [own, *(_Tree(entry.path, name, 0) for name, entry in reversed(children(part.source, part.name)))]


def _is_directory(source: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(source).st_mode)
    except OSError:
        return False  # `tree_items` raises the error
