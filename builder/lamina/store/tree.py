"""File trees as tars: which files are in a layer, in which order, and with which modes.

The tar of some store paths depends only on these paths, their content and the stamp: names are relative, parents come
before children, children are sorted by their bytes, and modes are those that Nix guarantees. Files that are hard
links to each other in the store are written one by one. `tree_blob.py` reads their bytes.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lamina.data.blob import FileRange
from lamina.errors import BadInput
from lamina.store.closure import split_store_path, store_path_in
from lamina.store.ownership import Stamp
from lamina.tar.whiteout import PREFIX
from lamina.tar.write import DIRECTORY, FILE, SYMLINK, Member

_CASE_HACK = b"~nix~case~hack~"


class Item(NamedTuple):
    """A member of a future layer, and the source of its data: the file `source`, or `part` of an archive."""

    member: Member
    source: bytes
    part: FileRange | None = None


def unreadable(source: bytes, error: OSError, remedy: str) -> BadInput:
    """The error for a file that cannot be read."""
    return BadInput(os.fsdecode(source), error.strerror or str(error), remedy)


def store_items(paths: Iterable[str], stamp: Stamp) -> list[Item]:
    """The members of a layer of store paths: `nix/`, `nix/store/` (mode 0755) and each path, sorted."""
    items: list[Item] = []
    for path, above in with_directories(paths, stamp):
        source = os.fsencode(path)
        items += above
        items.extend(tree_items(source, source.lstrip(b"/"), stamp))
    return items


def with_directories(paths: Iterable[str], stamp: Stamp) -> Iterator[tuple[str, list[Item]]]:
    """Every path once, sorted, each with the directories that contain it and that do not contain an earlier path."""
    stores: set[str] = set()
    made: set[Item] = set()
    for path in sorted(set(paths)):
        store = split_store_path(path, path)[0]
        above = [] if store in stores else [item for item in store_directories([path], stamp) if item not in made]
        stores.add(store)
        made.update(above)
        yield path, above


def tree_items(source: bytes, name: bytes, stamp: Stamp) -> Iterator[Item]:
    """A store path or a part of one, with `name` as its name in the archive. Raises BadInput."""
    try:
        info = os.lstat(source)
    except FileNotFoundError:
        path = os.fsdecode(source)
        if store_path_in(path) != path:
            raise BadInput(path, "was removed meanwhile", "run the command again") from None
        raise BadInput(path, "not in the store", f"get it with: nix-store --realise {path}") from None
    return _walk(source, name, info, stamp)


def store_directories(paths: Iterable[str], stamp: Stamp) -> list[Item]:
    """The directories that contain these store paths, parents first."""
    stores = {split_store_path(path, path)[0] for path in paths}
    names = sorted({parent for store in stores for parent in _parents(store)})
    return [Item(directory_member(name.encode(), 0o755, stamp), b"") for name in names]


def packed_items(top: bytes, stamp: Stamp, *, keep_owners: bool = False, root: str = "never") -> list[Item]:
    """Everything below the directory `top`, with the modes of the files; `keep_owners`: with their owners, too.

    `root`: when the directory itself is an item, one of ROOT_ITEM. Raises BadInput: something cannot be read.
    """
    if not os.path.isdir(top):
        raise BadInput(os.fsdecode(top), "not a directory", "give the directory whose contents make the layer")
    first, *items = _walk(top, b"", os.stat(top), stamp, keep_modes=True)
    if has_root_item(root, first.member):
        items.insert(0, first)
    return [_owned(item) for item in items] if keep_owners else items


ROOT_ITEM = ("never", "changed", "always")
"""When a layer has an item for the root directory. `changed`: if its mode is not 0755 or its owner not 0:0."""


def has_root_item(when: str, about: Member) -> bool:
    """Whether the root directory, as it is, becomes an item of its layer; `when` is one of ROOT_ITEM."""
    return when == "always" or (when == "changed" and (about.mode, about.uid, about.gid) != (0o755, 0, 0))


def timed(items: Iterable[Item], mtime: int) -> list[Item]:
    """The items with another time, in seconds since 1970."""
    return [item._replace(member=item.member._replace(mtime=mtime)) for item in items]


def _owned(item: Item) -> Item:
    info = _lstat(item.source)
    return item._replace(member=item.member._replace(uid=info.st_uid, gid=info.st_gid))


def _parents(store: str) -> Iterator[str]:
    parts = store.strip("/").split("/")
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def directory_member(name: bytes, mode: int, stamp: Stamp) -> Member:
    return Member(name, DIRECTORY, 0, mode, stamp.uid, stamp.gid, stamp.mtime)


def _mode(info: os.stat_result, keep: bool) -> int:
    """The mode of the file, or the mode that Nix gives it in a store (libstore, canonicalisePathMetaData)."""
    if keep:
        return stat.S_IMODE(info.st_mode)
    return 0o555 if stat.S_ISDIR(info.st_mode) or info.st_mode & 0o100 else 0o444


def _walk(source: bytes, name: bytes, info: os.stat_result, stamp: Stamp, keep_modes: bool = False) -> Iterator[Item]:
    """The tree at `source`, with `name` as its name in the archive: parents first, children sorted by their bytes.

    Modes are those of files in a store, or with `keep_modes` those of the files.
    """
    if not stat.S_ISDIR(info.st_mode):
        yield file_item(source, name, info, stamp, keep_modes)
        return
    yield Item(directory_member(name, _mode(info, keep_modes), stamp), source)
    waiting = children(source, name)
    while waiting:
        name, entry = waiting.pop()
        if not entry.is_dir(follow_symlinks=False):
            yield file_item(entry.path, name, entry_stat(entry), stamp, keep_modes)
            continue
        mode = _mode(entry_stat(entry), True) if keep_modes else 0o555
        yield Item(directory_member(name, mode, stamp), entry.path)
        waiting += children(entry.path, name)


def children(directory: bytes, name: bytes) -> list[tuple[bytes, os.DirEntry[bytes]]]:
    """The entries of a directory, with their names in the archive, in reverse order."""
    above = name + b"/" if name else b""
    entries = sorted(scan(directory), key=lambda entry: entry.name, reverse=True)
    return [(above + _archived(entry.name), entry) for entry in entries]


def _archived(child: bytes) -> bytes:
    """A file's name in the archive. On macOS, Nix adds a suffix to names that differ only in case (archive.cc)."""
    return child.partition(_CASE_HACK)[0] if sys.platform == "darwin" else child


def _lstat(path: bytes) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise unreadable(path, error, "the file was removed meanwhile: run the command again") from None


def entry_stat(entry: os.DirEntry[bytes]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError as error:
        raise unreadable(entry.path, error, "the file was removed meanwhile: run the command again") from None


def scan(directory: bytes) -> list[os.DirEntry[bytes]]:
    """The entries of a directory. Raises BadInput: it cannot be read, or a name is that of a whiteout."""
    try:
        with os.scandir(directory) as scanned:
            entries = list(scanned)
    except OSError as error:
        raise unreadable(directory, error, "give a directory that can be read") from None
    for entry in entries:
        if entry.name.startswith(PREFIX):
            remedy = "in an image such a name deletes files; rename it"
            raise BadInput(os.fsdecode(entry.path), "the file's name starts with .wh.", remedy)
    return entries


def file_item(source: bytes, name: bytes, info: os.stat_result, stamp: Stamp, keep_modes: bool = False) -> Item:
    """A file or a symbolic link. Raises BadInput: a socket, device or pipe, which no store path can contain."""
    if stat.S_ISREG(info.st_mode):
        mode = _mode(info, keep_modes)
        return Item(Member(name, FILE, info.st_size, mode, stamp.uid, stamp.gid, stamp.mtime), source)
    if stat.S_ISLNK(info.st_mode):
        link = os.readlink(source)
        return Item(Member(name, SYMLINK, 0, 0o777, stamp.uid, stamp.gid, stamp.mtime, link), source)
    raise BadInput(os.fsdecode(source), "no file, directory or symbolic link", "take it out of the tree")
