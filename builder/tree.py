"""File trees as tars: which files go into a layer, in which order, and with which modes.

A tar of store paths is a pure function of the paths and the stamp: names are relative, parents come before
children, children are sorted by their bytes, modes are what Nix guarantees and not what a file system shows, and
files that the store keeps as hard links to each other are written out each. Their bytes are read by `tree_blob.py`.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from builder.blob import FileRange
from builder.closure import split_store_path
from builder.errors import BadInput
from builder.limits import ROOT_REPEATS
from builder.stamp import Rule, Stamp
from builder.tar import DIRECTORY, FILE, SYMLINK, Member

WHITEOUT = b".wh."
"""Names that start so delete files of lower layers (OCI image spec, layer.md), so no file can be called so."""

_CASE_HACK = b"~nix~case~hack~"


Below = Callable[[bytes], bool]
"""Whether there is a directory of that name, in what a layer goes on."""


@attrs.frozen
class Item:
    """A member of a layer to be, and what its data comes from: the file `source`, or a part of an archive."""

    member: Member
    source: bytes
    part: FileRange | None = None


def unreadable(source: bytes, error: OSError, remedy: str) -> BadInput:
    """The error for a file that the system does not let us see."""
    return BadInput(os.fsdecode(source), error.strerror or str(error), remedy)


def store_items(paths: Iterable[str], stamp: Stamp) -> list[Item]:
    """What a layer of these store paths holds: `nix/`, `nix/store/` (0755) and each path, sorted."""
    items: list[Item] = []
    made: set[Item] = set()
    for path in sorted(set(paths)):
        above = [item for item in store_directories([path], stamp) if item not in made]
        items += above
        made.update(above)
        source = os.fsencode(path)
        try:
            info = os.lstat(source)
        except FileNotFoundError:
            raise BadInput(path, "not in the store", f"get it with: nix-store --realise {path}") from None
        items.extend(_walk(source, source.lstrip(b"/"), info, stamp))
    return items


def store_directories(paths: Iterable[str], stamp: Stamp) -> list[Item]:
    """The directories above these store paths, parents first."""
    stores = {split_store_path(path, path)[0] for path in paths}
    names = sorted({parent for store in stores for parent in _parents(store)})
    return [Item(_directory(name.encode(), 0o755, stamp), b"") for name in names]


def packed_items(top: bytes, stamp: Stamp, *, keep_owners: bool = False) -> list[Item]:
    """What lies below the directory `top`, with the modes that it has there; `keep_owners`: with the owners, too."""
    if not os.path.isdir(top):
        raise BadInput(os.fsdecode(top), "not a directory", "give the directory whose contents make the layer")
    items = list(_walk(top, b"", os.stat(top), stamp, keep_modes=True))[1:]
    return [_owned(item) for item in items] if keep_owners else items


def timed(items: Iterable[Item], mtime: int) -> list[Item]:
    """The items, with another time: in seconds since 1970."""
    return [attrs.evolve(item, member=attrs.evolve(item.member, mtime=mtime)) for item in items]


def _owned(item: Item) -> Item:
    info = _lstat(item.source)
    return attrs.evolve(item, member=attrs.evolve(item.member, uid=info.st_uid, gid=info.st_gid))


def root_items(
    trees: Iterable[str],
    stamp: Stamp,
    *,
    keep_dirlinks: bool = False,
    rules: Sequence[Rule] = (),
    below: Below = lambda _: False,
) -> list[Item]:
    """The trees laid over each other at the root of the image, a later one over an earlier one.

    Symbolic links to directories become directories with what they lead to, unless `keep_dirlinks`; so do
    dockerTools' `copyToRoot` (`rsync --copy-dirlinks`) and `keepContentsDirlinks`; but where there is a directory
    `below`, in a base, a link would hide it. Directories are 0755.
    """
    merged: dict[bytes, Item] = {}
    for tree in trees:
        for item in _follow(_top(tree), stamp, lambda name: not keep_dirlinks or below(name)):
            _lay_over(merged, item, tree)
    return _ruled(merged, rules)


def link_items(
    trees: Iterable[str], stamp: Stamp, rules: Sequence[Rule] = (), below: Below = lambda _: False
) -> list[Item]:
    """The same trees as links: directories are made, a file becomes a link to it, a link stays what it is.

    Of files with one name the first counts, as in dockerTools' `contents` (symlinkJoin).
    """
    merged: dict[bytes, Item] = {}
    for tree in trees:
        for item in _follow(_top(tree), stamp, below):
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


def _beside(top: bytes) -> bytes:
    """The store that the tree lies in, or else the directory; with a slash at the end."""
    in_store = re.match(rb"(.*/)[0-9a-df-np-sv-z]{32}-[^/]+(/|$)", top)
    return in_store[1] if in_store else os.path.dirname(top).rstrip(b"/") + b"/"


def _ruled(merged: dict[bytes, Item], rules: Sequence[Rule]) -> list[Item]:
    """Sorted by path, directory by directory, and with owners and modes by the last rule that fits a path."""
    patterns = [(re.compile(os.fsencode(rule.pattern)), rule) for rule in rules]
    names = sorted(merged, key=lambda name: name.replace(b"/", b"\0"))  # below everything that a name can hold
    return [_by_rules(merged[name], patterns) for name in names]


def _by_rules(item: Item, patterns: Iterable[tuple[re.Pattern[bytes], Rule]]) -> Item:
    member = item.member
    for pattern, rule in patterns:
        if pattern.fullmatch(b"/" + member.name):
            member = _by_rule(member, rule)
    return item if member is item.member else attrs.evolve(item, member=member)


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


def _follow(top: bytes, stamp: Stamp, through: Below) -> Iterator[Item]:
    """Like `_walk`, but links to directories become directories where `through` says so of their name.

    A link to a directory that it lies in stays a link; so does one that leads out of the store: what is there is the
    machine's, which in the image may be something else, or nothing.
    """
    home = _beside(top)
    waiting: list[tuple[bytes, bytes, frozenset[bytes]]] = [(top, b"", frozenset({top}))]
    seen: set[bytes] = set()
    repeats = 0
    while waiting:
        directory, name, above = waiting.pop()
        repeats += len(_scan(directory)) + 1 if directory in seen else 0
        seen.add(directory)
        if repeats > ROOT_REPEATS:
            what = f"links to directories show more than {ROOT_REPEATS} files several times"
            raise BadInput(os.fsdecode(top), what, "take links away, or set keepContentsDirlinks (--keep-dirlinks)")
        if name:
            yield Item(_directory(name, 0o755, stamp), b"")
        for entry in sorted(_scan(directory), key=lambda entry: entry.name):
            source = entry.path
            inner = name + b"/" + entry.name if name else entry.name
            info = _stat(entry)
            linked = stat.S_ISLNK(info.st_mode) and through(inner)
            real = os.path.realpath(source) if linked else source
            follow = linked and real not in above and real.startswith(home) and os.path.isdir(real)
            if follow or stat.S_ISDIR(info.st_mode):
                waiting.append((real, inner, above | {real}))
            else:
                yield _item(source, inner, info, stamp)


def _parents(store: str) -> Iterator[str]:
    parts = store.strip("/").split("/")
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def _directory(name: bytes, mode: int, stamp: Stamp) -> Member:
    return Member(name, DIRECTORY, 0, mode, stamp.uid, stamp.gid, stamp.mtime)


def _mode(info: os.stat_result, keep: bool) -> int:
    """The file's own, or what Nix makes of it when it registers a path (libstore, canonicalisePathMetaData)."""
    if keep:
        return stat.S_IMODE(info.st_mode)
    return 0o555 if stat.S_ISDIR(info.st_mode) or info.st_mode & 0o100 else 0o444


def _walk(source: bytes, name: bytes, info: os.stat_result, stamp: Stamp, keep_modes: bool = False) -> Iterator[Item]:
    """The tree at `source`, called `name` in the archive, parents first, children sorted by their bytes.

    Modes are what the store's are, or with `keep_modes` those that the files have.
    """
    if not stat.S_ISDIR(info.st_mode):
        yield _item(source, name, info, stamp, keep_modes)
        return
    yield Item(_directory(name, _mode(info, keep_modes), stamp), source)
    waiting = _children(source, name)
    while waiting:
        name, entry = waiting.pop()
        if not entry.is_dir(follow_symlinks=False):
            yield _item(entry.path, name, _stat(entry), stamp, keep_modes)
            continue
        mode = _mode(_stat(entry), True) if keep_modes else 0o555
        yield Item(_directory(name, mode, stamp), entry.path)
        waiting += _children(entry.path, name)


def _children(directory: bytes, name: bytes) -> list[tuple[bytes, os.DirEntry[bytes]]]:
    """What is in the directory, with its name in the archive, the last first."""
    above = name + b"/" if name else b""
    children = sorted(_scan(directory), key=lambda entry: entry.name, reverse=True)
    return [(above + _archived(entry.name), entry) for entry in children]


def _archived(child: bytes) -> bytes:
    """A file's name in the archive: on macOS, Nix marks names that differ only in case (libutil, archive.cc)."""
    return child.partition(_CASE_HACK)[0] if sys.platform == "darwin" else child


def _lstat(path: bytes) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise unreadable(path, error, "the file vanished") from None


def _stat(entry: os.DirEntry[bytes]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError as error:
        raise unreadable(entry.path, error, "the file vanished") from None


def _scan(directory: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(directory) as found:
            entries = list(found)
    except OSError as error:
        raise unreadable(directory, error, "give a directory that can be read") from None
    for entry in entries:
        if entry.name.startswith(WHITEOUT):
            remedy = "in an image such a name deletes files; rename it"
            raise BadInput(os.fsdecode(entry.path), "the file's name starts with .wh.", remedy)
    return entries


def _item(source: bytes, name: bytes, info: os.stat_result, stamp: Stamp, keep_modes: bool = False) -> Item:
    """A file or a symbolic link. Raises BadInput: sockets, devices and pipes are no part of a store path."""
    if stat.S_ISREG(info.st_mode):
        mode = _mode(info, keep_modes)
        return Item(Member(name, FILE, info.st_size, mode, stamp.uid, stamp.gid, stamp.mtime), source)
    if stat.S_ISLNK(info.st_mode):
        link = os.readlink(source)
        return Item(Member(name, SYMLINK, 0, 0o777, stamp.uid, stamp.gid, stamp.mtime, link), source)
    raise BadInput(os.fsdecode(source), "no file, directory or symbolic link", "take it out of the tree")
