"""Comparing a directory with the file system that was unpacked there: the members of a layer with the differences.

Files are compared by content, not by time; unchanged files are left out. A deleted file becomes a whiteout (OCI image
spec, layer.md). If a directory was deleted and created again, each of its former names becomes a whiteout. An opaque
directory would be shorter, but a new directory looks like the old one: file systems use the numbers of
deleted files again. A file with several names stays one file: if one of its names is in the layer, all of them are,
because a hard link may not lead into a lower layer.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

import attrs

from lamina.errors import BadInput
from lamina.image.rootfs import File, Node
from lamina.rootless.records import Key, Records, key_of
from lamina.rootless.unpack import Unpacked
from lamina.store.tree import Item
from lamina.tar.whiteout import PREFIX
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, Member

_MTIME = 1
"""The time of every member. It is the one that Nix sets, as in `Stamp`."""

_PATH_MAX = 4096
"""Bytes of a path that Linux takes, with a NUL at its end (linux/limits.h)."""

_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: FIFO,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK_DEVICE,
}


@attrs.define
class _Layer:
    """The layer so far. `members` are all files by path, `changed` the paths that differ from the base.

    `whiteouts` are the names of whiteouts, `links` the paths of each file that has several names.
    """

    members: dict[bytes, Member] = attrs.field(factory=dict)
    changed: set[bytes] = attrs.field(factory=set)
    whiteouts: list[bytes] = attrs.field(factory=list)
    links: dict[Key, list[bytes]] = attrs.field(factory=dict)


def changes(now: Unpacked, before: Node, *, root: bool = False) -> list[Item]:
    """The layer that turns `before` into `now`. In each directory whiteouts come first, then the files by name.

    The root directory is an item if its owner or mode changed, or with `root`.

    Raises BadInput: a file name that an image cannot contain.
    """
    layer = _Layer()
    top = os.fsencode(now.top)
    waiting: list[tuple[bytes, Node | None]] = [(b"", before)]
    while waiting:
        name, node = waiting.pop()
        below = node.children if node and node.is_directory else {}
        present = set(os.listdir(top + b"/" + name))
        layer.whiteouts += [_join(name, PREFIX + child) for child in below if child not in present]
        for child in present:
            inner = _join(name, child)
            _check_length(inner, top)
            info = os.lstat(top + b"/" + inner)
            old = below.get(child)
            member = _member(inner, info, now.records, top)
            if member is None:
                layer.whiteouts += [_join(name, PREFIX + child)] if old else []
                continue
            layer.members[inner] = member
            if info.st_nlink > 1 and member.kind not in (DIRECTORY, SYMLINK):
                layer.links.setdefault(key_of(info), []).append(inner)
            if old is None or _differs(now, member, info, old.file, top):
                layer.changed.add(inner)
            if member.kind == DIRECTORY:
                waiting.append((inner, old))
    _root(layer, now, before, always=root)
    return _items(layer, top)


def _root(layer: _Layer, now: Unpacked, before: Node, *, always: bool) -> None:
    member = _member(b"", os.lstat(now.top), now.records, os.fsencode(now.top))
    former = before.file.about
    if member and (always or (member.mode, member.uid, member.gid) != (former.mode, former.uid, former.gid)):
        layer.members[b""] = member
        layer.changed.add(b"")


def _check_length(name: bytes, top: bytes) -> None:
    """A script can create such a path step by step. Raises BadInput."""
    if len(top) + 1 + len(name) >= _PATH_MAX:
        remedy = "no program could open it in a container; do not create it"
        raise BadInput(os.fsdecode(b"/" + name), f"this path has {len(name)} bytes", remedy)


def _items(layer: _Layer, top: bytes) -> list[Item]:
    for names in layer.links.values():
        if not layer.changed.isdisjoint(names):
            layer.changed.update(names)
    parents = {parent for name in (*layer.changed, *layer.whiteouts) for parent in _parents(name)}
    first = {name: min(names) for names in layer.links.values() for name in names}
    items = [Item(Member(name, FILE, mtime=_MTIME), os.fsencode(os.devnull)) for name in layer.whiteouts]
    for name in layer.changed | parents:
        member = layer.members[name]
        if first.get(name, name) != name:
            member = member._replace(kind=HARD_LINK, size=0, link=first[name], xattrs=())
        items.append(Item(member, top + b"/" + name))
    return sorted(items, key=lambda item: place(item.member.name))


def place(name: bytes) -> list[tuple[int, bytes]]:
    """A key for sorting the members of a layer: parents first, and in each directory whiteouts first."""
    *above, last = name.split(b"/")
    return [(1, part) for part in above] + [(0 if last.startswith(PREFIX) else 1, last)]


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


def _parents(name: bytes) -> Iterator[bytes]:
    while b"/" in name:
        name = name.rpartition(b"/")[0]
        yield name


def _member(name: bytes, info: os.stat_result, records: Records, top: bytes) -> Member | None:
    """The file as a member of a layer. None for a socket: a layer cannot contain it, and a process creates it again."""
    if name.rpartition(b"/")[2].startswith(PREFIX):
        remedy = "in an image such a name deletes files; rename it"
        raise BadInput(os.fsdecode(b"/" + name), "the file's name starts with .wh.", remedy)
    record = records[key_of(info)]
    kind = _KINDS.get(record.kind or stat.S_IFMT(info.st_mode))
    if kind is None:
        return None
    is_link = kind == SYMLINK
    return Member(
        name=name,
        kind=kind,
        size=info.st_size if kind == FILE else 0,
        mode=0o777 if is_link else stat.S_IMODE(info.st_mode) | record.special,
        uid=record.uid,
        gid=record.gid,
        mtime=_MTIME,
        link=os.readlink(top + b"/" + name) if is_link else b"",
        device=(os.major(record.device), os.minor(record.device)) if record.kind else (0, 0),
        xattrs=record.xattrs,
    )


def _differs(now: Unpacked, member: Member, info: os.stat_result, old: File, top: bytes) -> bool:
    """Whether a file differs from the one that had its name. The content is read only if the file was written to."""
    before = old.about
    expected = before._replace(
        name=member.name,
        mtime=_MTIME,
        mode=0o777 if before.kind == SYMLINK else before.mode,
        link=before.link if before.kind == SYMLINK else b"",
    )
    if expected != member:
        return True
    key = key_of(info)
    if member.kind != FILE or (now.keys.get(old) == key and now.changed.get(key) == info.st_ctime_ns):
        return False
    return not _same_bytes(top + b"/" + member.name, old.data.chunks() if old.data else ())


def _same_bytes(path: bytes, chunks: Iterable[bytes]) -> bool:
    with open(path, "rb") as file:
        return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)
