"""What a script changed in a file system: the members of the layer that does the same to what lies below.

What is as it was is left out, by content and not by time. What is gone becomes a whiteout (OCI image spec, layer.md):
one for each name, also where a directory was deleted and made again. An opaque directory would say that shorter, but
nothing tells such a directory from the old one for sure: file systems give numbers of deleted files to new ones. A file
with several names stays one file: if one name goes into the layer, all do, because a hard link may not lead into a
lower layer.
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
from lamina.store.tree import WHITEOUT, Item
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, Member

_MTIME = 1
"""Of every member: Nix' own time, as `tree.Stamp` has it."""

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
    """What goes into it, by path; `links` are the paths of each file that has several names."""

    found: dict[bytes, tuple[Member, os.stat_result]] = attrs.field(factory=dict)
    wanted: set[bytes] = attrs.field(factory=set)
    gone: list[bytes] = attrs.field(factory=list)
    links: dict[Key, list[bytes]] = attrs.field(factory=dict)


def changes(now: Unpacked, before: Node, *, root: bool = False) -> list[Item]:
    """The layer that turns `before` into what lies unpacked now: whiteouts first in each directory, then by name.

    The root directory is an item if its owner or mode changed, or with `root`.

    Raises BadInput: a file name that an image cannot hold.
    """
    layer = _Layer()
    top = os.fsencode(now.top)
    waiting: list[tuple[bytes, Node | None]] = [(b"", before)]
    while waiting:
        name, node = waiting.pop()
        below = node.children if node and node.is_directory else {}
        present = set(os.listdir(top + b"/" + name))
        layer.gone += [_join(name, WHITEOUT + child) for child in below if child not in present]
        for child in present:
            inner = _join(name, child)
            info = os.lstat(top + b"/" + inner)
            old = below.get(child)
            about = _member(inner, info, now.records, top)
            if about is None:
                layer.gone += [_join(name, WHITEOUT + child)] if old else []
                continue
            layer.found[inner] = about, info
            if info.st_nlink > 1 and about.kind not in (DIRECTORY, SYMLINK):
                layer.links.setdefault(key_of(info), []).append(inner)
            if old is None or _differs(now, about, info, old.file, top):
                layer.wanted.add(inner)
            if about.kind == DIRECTORY:
                waiting.append((inner, old))
    _root(layer, now, before, always=root)
    return _items(layer, top)


def _root(layer: _Layer, now: Unpacked, before: Node, *, always: bool) -> None:
    info = os.lstat(now.top)
    about = _member(b"", info, now.records, os.fsencode(now.top))
    was = before.file.about
    if about and (always or (about.mode, about.uid, about.gid) != (was.mode, was.uid, was.gid)):
        layer.found[b""] = about, info
        layer.wanted.add(b"")


def _items(layer: _Layer, top: bytes) -> list[Item]:
    for names in layer.links.values():
        if not layer.wanted.isdisjoint(names):
            layer.wanted.update(names)
    parents = {parent for name in (*layer.wanted, *layer.gone) for parent in _parents(name)}
    first = {name: min(names) for names in layer.links.values() for name in names}
    items = [Item(Member(name, FILE, mtime=_MTIME), os.fsencode(os.devnull)) for name in layer.gone]
    for name in layer.wanted | parents:
        about = layer.found[name][0]
        if first.get(name, name) != name:
            about = attrs.evolve(about, kind=HARD_LINK, size=0, link=first[name], xattrs=())
        items.append(Item(about, top + b"/" + name))
    return sorted(items, key=lambda item: place(item.member.name))


def place(name: bytes) -> list[tuple[int, bytes]]:
    """Where a member stands in its layer: parents first, in each directory first what hides."""
    *above, last = name.split(b"/")
    return [(1, part) for part in above] + [(0 if last.startswith(WHITEOUT) else 1, last)]


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


def _parents(name: bytes) -> Iterator[bytes]:
    while b"/" in name:
        name = name.rpartition(b"/")[0]
        yield name


def _member(name: bytes, info: os.stat_result, records: Records, top: bytes) -> Member | None:
    """The file as a layer holds it; None for a socket, which a layer cannot hold and a process makes anew."""
    if name.rpartition(b"/")[2].startswith(WHITEOUT):
        where = os.fsdecode(top + b"/" + name)
        raise BadInput(where, "the file's name starts with .wh.", "in an image such a name deletes files; rename it")
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


def _differs(now: Unpacked, about: Member, info: os.stat_result, old: File, top: bytes) -> bool:
    """Whether a name leads to something else than it did. The data are read only if the file was written to."""
    was = old.about
    expected = attrs.evolve(
        was,
        name=about.name,
        mtime=_MTIME,
        mode=0o777 if was.kind == SYMLINK else was.mode,
        link=was.link if was.kind == SYMLINK else b"",
    )
    if expected != about:
        return True
    key = key_of(info)
    if about.kind != FILE or (now.keys.get(old) == key and now.changed.get(key) == info.st_ctime_ns):
        return False
    return not _same_bytes(top + b"/" + about.name, old.data.chunks() if old.data else ())


def _same_bytes(path: bytes, chunks: Iterable[bytes]) -> bool:
    with open(path, "rb") as file:
        return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)
