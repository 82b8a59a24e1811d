"""File trees as tars: which files go into a layer, in which order, with which modes, and their bytes.

A tar of store paths is a pure function of the paths and the stamp: names are relative, parents come before
children, children are sorted by their bytes, modes are what Nix guarantees and not what a file system shows, and
files that the store keeps as hard links to each other are written out each. Sizes are known before any file is
read.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from builder.blob import CHUNK
from builder.closure import split_store_path
from builder.errors import BadInput
from builder.tar import DIRECTORY, END, FILE, SYMLINK, Member, header, padding, stored_size

WHITEOUT = b".wh."
"""Names that start so delete files of lower layers (OCI image spec, layer.md), so no file can be called so."""

_CASE_HACK = b"~nix~case~hack~"

_Mode = Callable[[os.stat_result], int]


@attrs.frozen
class Stamp:
    """Owner and time (seconds since 1970) that every member of a layer gets. Nix's own time is 1."""

    uid: int = 0
    gid: int = 0
    mtime: int = 1


@attrs.frozen
class Rule:
    """Owner and mode of the files at the root whose whole path, from `/` on, fits a regular expression."""

    pattern: str
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None


@attrs.frozen
class Item:
    """A member of a layer to be, and the file that its data comes from."""

    member: Member
    source: bytes


@attrs.frozen(eq=False)
class TreeBlob:
    """A tar of the items, made while it is read."""

    items: Sequence[Item]
    size: int

    @classmethod
    def of(cls, items: Sequence[Item]) -> TreeBlob:
        return cls(items, sum(stored_size(item.member) for item in items) + len(END))

    def chunks(self) -> Iterator[bytes]:
        """Raises BadInput when a file cannot be read or is not as long as it was."""
        for item in self.items:
            yield header(item.member)
            if item.member.size:
                yield from _content(item)
                yield padding(item.member.size)
        yield END


def _content(item: Item) -> Iterator[bytes]:
    left = item.member.size
    shown = os.fsdecode(item.source)
    try:
        descriptor = os.open(item.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(shown, error.strerror or str(error), "the file vanished or may not be read") from None
    try:
        while chunk := os.read(descriptor, min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    except OSError as error:
        raise BadInput(shown, error.strerror or str(error), "check the disk") from None
    finally:
        os.close(descriptor)
    if left:
        raise BadInput(shown, "changed its size while it was read", "run again when nothing writes there")


def store_items(paths: Iterable[str], stamp: Stamp) -> list[Item]:
    """What a layer of these store paths holds: `nix/`, `nix/store/` (0755) and each path, sorted."""
    items: list[Item] = []
    parents: set[str] = set()
    for path in sorted(set(paths)):
        store, _, _ = split_store_path(path, path)
        for parent in _parents(store):
            if parent not in parents:
                parents.add(parent)
                items.append(Item(_directory(parent.encode(), 0o755, stamp), b""))
        source = os.fsencode(path)
        try:
            info = os.lstat(source)
        except FileNotFoundError:
            raise BadInput(path, "not in the store", f"get it with: nix-store --realise {path}") from None
        items.extend(_walk(source, source.lstrip(b"/"), info, stamp, _store_mode))
    return items


def packed_items(top: bytes, stamp: Stamp, *, keep_owners: bool = False) -> list[Item]:
    """What lies below the directory `top`, with the modes that it has there; `keep_owners`: with the owners, too."""
    if not os.path.isdir(top):
        raise BadInput(os.fsdecode(top), "not a directory", "give the directory whose contents make the layer")
    items = list(_walk(top, b"", os.stat(top), stamp, lambda info: stat.S_IMODE(info.st_mode)))[1:]
    return [_owned(item) for item in items] if keep_owners else items


def _owned(item: Item) -> Item:
    info = _lstat(item.source)
    return attrs.evolve(item, member=attrs.evolve(item.member, uid=info.st_uid, gid=info.st_gid))


def root_items(
    trees: Iterable[str], stamp: Stamp, *, keep_dirlinks: bool = False, rules: Sequence[Rule] = ()
) -> list[Item]:
    """The trees laid over each other at the root of the image, a later one over an earlier one.

    Symbolic links to directories become directories with what they lead to, unless `keep_dirlinks`; so do
    dockerTools' `copyToRoot` (`rsync --copy-dirlinks`) and `keepContentsDirlinks`. Directories are 0755.
    """
    merged: dict[bytes, Item] = {}
    for tree in trees:
        for item in _follow(_top(tree), keep_dirlinks, stamp):
            _lay_over(merged, item, tree)
    return _ruled(merged, rules)


def link_items(trees: Iterable[str], stamp: Stamp, rules: Sequence[Rule] = ()) -> list[Item]:
    """The same trees as links: directories are made, a file becomes a link to it, a link stays what it is.

    Of files with one name the first counts, as in dockerTools' `contents` (symlinkJoin).
    """
    merged: dict[bytes, Item] = {}
    for tree in trees:
        for item in _follow(_top(tree), True, stamp):
            if item.member.kind == FILE:
                target = os.path.join(os.fsencode(tree), item.member.name)
                item = Item(attrs.evolve(item.member, kind=SYMLINK, size=0, mode=0o777, link=target), item.source)
            if item.member.name not in merged:
                _lay_over(merged, item, tree)
    return _ruled(merged, rules)


def _top(tree: str) -> bytes:
    top = os.path.realpath(os.fsencode(tree))
    if not os.path.isdir(top):
        what = "not a directory" if os.path.lexists(top) else "not in the store"
        raise BadInput(tree, what, "what goes to the root of an image must be a directory")
    return top


def _ruled(merged: dict[bytes, Item], rules: Sequence[Rule]) -> list[Item]:
    """Sorted, and with owners and modes by the last rule that fits a path."""
    patterns = [(re.compile(os.fsencode(rule.pattern)), rule) for rule in rules]
    result = []
    for name in sorted(merged, key=lambda name: name.split(b"/")):
        member = merged[name].member
        for pattern, rule in patterns:
            if pattern.fullmatch(b"/" + name):
                member = _by_rule(member, rule)
        result.append(attrs.evolve(merged[name], member=member))
    return result


def _by_rule(member: Member, rule: Rule) -> Member:
    """A link has no mode of its own."""
    return attrs.evolve(
        member,
        uid=member.uid if rule.uid is None else rule.uid,
        gid=member.gid if rule.gid is None else rule.gid,
        mode=member.mode if rule.mode is None or member.kind == SYMLINK else rule.mode,
    )


def _lay_over(merged: dict[bytes, Item], item: Item, tree: str) -> None:
    below = merged.get(item.member.name)
    if below and (below.member.kind == DIRECTORY) != (item.member.kind == DIRECTORY):
        name = os.fsdecode(item.member.name)
        remedy = "leave one of them out of what is copied to the root"
        raise BadInput(tree, f"/{name} is a directory in one tree and not in another", remedy)
    merged[item.member.name] = item


def _follow(top: bytes, keep_dirlinks: bool, stamp: Stamp) -> Iterator[Item]:
    """Like `_walk`, through links to directories. A link to a directory that it lies in stays a link."""
    waiting: list[tuple[bytes, bytes, frozenset[bytes]]] = [(top, b"", frozenset({top}))]
    while waiting:
        directory, name, above = waiting.pop()
        if name:
            yield Item(_directory(name, 0o755, stamp), b"")
        for child in sorted(_names(directory)):
            source = directory + b"/" + child
            inner = name + b"/" + child if name else child
            real = os.path.realpath(source)
            info = _lstat(source)
            through = stat.S_ISLNK(info.st_mode) and not keep_dirlinks and os.path.isdir(real)
            if stat.S_ISDIR(info.st_mode) or (through and real not in above):
                waiting.append((source, inner, above | {real}))
            else:
                yield _item(source, inner, info, stamp, _store_mode)


def _parents(store: str) -> Iterator[str]:
    parts = store.strip("/").split("/")
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def _directory(name: bytes, mode: int, stamp: Stamp) -> Member:
    return Member(name, DIRECTORY, 0, mode, stamp.uid, stamp.gid, stamp.mtime)


def _store_mode(info: os.stat_result) -> int:
    """What Nix makes of modes when it registers a path (libstore, canonicalisePathMetaData)."""
    return 0o555 if stat.S_ISDIR(info.st_mode) or info.st_mode & 0o100 else 0o444


def _walk(source: bytes, name: bytes, info: os.stat_result, stamp: Stamp, mode: _Mode) -> Iterator[Item]:
    """The tree at `source`, called `name` in the archive, parents first, children sorted by their bytes."""
    waiting = [(source, name, info)]
    while waiting:
        source, name, info = waiting.pop()
        if not stat.S_ISDIR(info.st_mode):
            yield _item(source, name, info, stamp, mode)
            continue
        yield Item(_directory(name, mode(info), stamp), source)
        for child in sorted(_names(source), reverse=True):
            inner = name + b"/" + _archived(child) if name else _archived(child)
            path = source + b"/" + child
            waiting.append((path, inner, _lstat(path)))


def _archived(child: bytes) -> bytes:
    """A file's name in the archive: on macOS, Nix marks names that differ only in case (libutil, archive.cc)."""
    return child.partition(_CASE_HACK)[0] if sys.platform == "darwin" else child


def _lstat(path: bytes) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise BadInput(os.fsdecode(path), error.strerror or str(error), "the file vanished") from None


def _names(directory: bytes) -> list[bytes]:
    try:
        names = os.listdir(directory)
    except OSError as error:
        shown = os.fsdecode(directory)
        raise BadInput(shown, error.strerror or str(error), "give a directory that can be read") from None
    for name in names:
        if name.startswith(WHITEOUT):
            shown = os.fsdecode(directory + b"/" + name)
            remedy = "in an image such a name deletes files; rename it"
            raise BadInput(shown, "the file's name starts with .wh.", remedy)
    return names


def _item(source: bytes, name: bytes, info: os.stat_result, stamp: Stamp, mode: _Mode) -> Item:
    """A file or a symbolic link. Raises BadInput: sockets, devices and pipes are no part of a store path."""
    uid, gid, mtime = attrs.astuple(stamp)
    if stat.S_ISLNK(info.st_mode):
        return Item(Member(name, SYMLINK, 0, 0o777, uid, gid, mtime, os.readlink(source)), source)
    if stat.S_ISREG(info.st_mode):
        return Item(Member(name, FILE, info.st_size, mode(info), uid, gid, mtime), source)
    raise BadInput(os.fsdecode(source), "no file, directory or symbolic link", "take it out of the tree")
