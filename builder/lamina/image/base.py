"""On a base: what of the store it carries, and where it really keeps the directories that files of ours go to.

Current distributions have `/bin -> usr/bin` and the like. A layer with a directory `bin` would put that directory in
the place of the link and hide all that the base has there, so what goes to `/bin` is put where the link leads. And a
directory that the base has keeps its owner and mode: a layer that only passes through `/tmp` must not close it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.compression import spool
from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.nar import nar_size
from lamina.image.rootfs import Node, merged, part_of
from lamina.oci.digest import UNKNOWN
from lamina.store.closure import PathInfo
from lamina.store.tree import Item
from lamina.store.tree_blob import TreeBlob
from lamina.tar.read import entries, member
from lamina.tar.write import DIRECTORY, HARD_LINK, SYMLINK, Member

_MAX_LINKS = 40
"""Links on one path: as many as Linux follows (path_resolution(7))."""


@attrs.frozen(eq=False)
class Ground:
    """What the layers of a base make together. `where` is what errors call it."""

    root: Node
    diff_ids: tuple[str, ...]
    where: str

    @classmethod
    def of(cls, base: Image, where: str, *, data: bool = False) -> Ground:
        """Reads the headers of every layer, and with `data` knows the files' bytes. Raises BadInput: one is damaged."""
        return cls(merged(base.layers, data=data), tuple(base.diff_ids), where)

    @property
    def is_known(self) -> bool:
        """Whether the base says what its layers hold, so that digests of layers put on it can be remembered."""
        return UNKNOWN not in self.diff_ids

    def carries(self, info: PathInfo) -> bool:
        """Whether the store path is there as a whole: its files make an archive of the size that Nix knows."""
        node: Node | None = self.root
        for part in info.path.encode().strip(b"/").split(b"/"):
            node = node.children.get(part) if node else None
        return node is not None and nar_size(node) == info.nar_size

    def has_directory(self, name: bytes) -> bool:
        """Whether the path leads to a directory, maybe through links."""
        node = self._resolve(name)[1]
        return node is not None and node.is_directory

    def place(self, items: Iterable[Item], *, strict: bool = True) -> list[Item]:
        """The items, parents first as they came, each in the directory where the base keeps it.

        `strict`: raises BadInput when a file or a link would take the place of a directory of the base. Without, who
        made the items knows the base, and only directories that a link leads elsewhere are moved.
        """
        placed: dict[bytes, Item] = {}
        homes: dict[bytes, bytes] = {b"": b""}
        for item in items:
            member = item.member
            above, _, last = member.name.rpartition(b"/")
            name = _join(self._home(homes, above), last)
            if member.kind == DIRECTORY:
                name = homes[member.name] = self._directory(name)
            elif strict:
                self._check(member, name)
            if name != member.name:
                for parent in _parents(name):
                    placed.setdefault(parent, Item(self._about(parent, Member(parent, DIRECTORY, mode=0o755)), b""))
            moved = attrs.evolve(member, name=name)
            if member.kind == HARD_LINK:
                below, _, target = member.link.rpartition(b"/")
                moved = attrs.evolve(moved, link=_join(self._home(homes, below), target))
            if member.kind == DIRECTORY and (strict or name != member.name):
                moved = self._about(name, moved)
            if name == member.name or name not in placed:
                placed[name] = attrs.evolve(item, member=moved)
        return [placed[name] for name in sorted(placed, key=lambda name: name.split(b"/"))]

    def _home(self, homes: dict[bytes, bytes], directory: bytes) -> bytes:
        """Where a directory is: of the items, or, as in tars that name no parents, of the base alone."""
        if directory not in homes:
            above, _, last = directory.rpartition(b"/")
            homes[directory] = self._directory(_join(self._home(homes, above), last))
        return homes[directory]

    def _directory(self, name: bytes) -> bytes:
        """Where a directory is to be made: where the link leads that the base has there, if one does."""
        real, node = self._resolve(name)
        return real if node is None or node.is_directory else name

    def _about(self, name: bytes, wanted: Member) -> Member:
        """A directory as the base has it; as is wanted, when the base has none, or somebody asked for a mode."""
        node = self._resolve(name)[1]
        if node is None or not node.is_directory or wanted.mode != 0o755:
            return wanted
        about = node.file.about
        return attrs.evolve(wanted, mode=about.mode, uid=about.uid, gid=about.gid, xattrs=about.xattrs)

    def _check(self, member: Member, name: bytes) -> None:
        node = self._resolve(name, last=False)[1]
        same_link = node and (member.kind, member.link) == (SYMLINK, node.file.about.link)
        if node and not same_link and self.has_directory(name):
            what = f"a directory, and the image would have a {'link' if member.kind == SYMLINK else 'file'} there"
            remedy = "everything in it would be gone: give that file another name"
            raise BadInput(f"{self.where}(/{name.decode(errors='backslashreplace')})", what, remedy)

    def _resolve(self, name: bytes, *, last: bool = True) -> tuple[bytes, Node | None]:
        """Where the path leads, links followed within the root, and what is there. Raises BadInput: links go round."""
        left = [part for part in reversed(name.split(b"/")) if part]
        path: list[tuple[bytes, Node | None]] = [(b"", self.root)]
        links = 0
        while left:
            part = left.pop()
            if part in (b"", b".", b".."):
                path = path[: -1 if part == b".." and len(path) > 1 else None]
                continue
            parent = path[-1][1]
            node = parent.children.get(part) if parent else None
            if node and node.file.about.kind == SYMLINK and (left or last):
                links += 1
                if links > _MAX_LINKS:
                    shown = f"{self.where}(/{name.decode(errors='backslashreplace')})"
                    raise BadInput(shown, "its links lead round in a circle", "put no files there")
                target = node.file.about.link
                path = path[:1] if target.startswith(b"/") else path
                left += reversed(target.split(b"/"))
                continue
            path.append((part, node))
        return b"/".join(part for part, _ in path[1:]), path[-1][1]


def place_tar(tar: Blob, ground: Ground, where: str) -> TreeBlob | None:
    """The layer in a tar with everything where the base keeps it; None when it is so already. Raises BadInput."""
    items = []
    whole = spool(tar, where)
    for entry in entries(whole, where, need_end=False):
        found = member(entry, where)
        name, link = _clean(found.name), _clean(found.link) if found.kind == HARD_LINK else found.link
        if name:
            items.append(Item(attrs.evolve(found, name=name, link=link), b"", part_of(whole, entry)))
    placed = ground.place(items, strict=False)
    moved = {item.member.name for item in placed} != {item.member.name for item in items}
    return TreeBlob.of(placed) if moved else None


def _clean(name: bytes) -> bytes:
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


def _parents(name: bytes) -> Sequence[bytes]:
    parts = name.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]
