"""The file system of a base image: which store paths it contains, and where its directories really are.

Current distributions have symbolic links such as `/bin -> usr/bin`. A layer with a directory `bin` would replace the
link and hide the base's files, so files for `/bin` are put into the link's target. Directories of the base keep their
owner and mode: a layer that has a file in `/tmp` must not change the mode of `/tmp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.compression import spool
from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.nar import nar_size
from lamina.image.rootfs import Node, Work, part_of, root_of
from lamina.limits import PATH_LINKS
from lamina.store.closure import PathInfo
from lamina.store.tree import Item
from lamina.tar.links import follow
from lamina.tar.read import entries, member
from lamina.tar.write import DIRECTORY, HARD_LINK, SYMLINK, Member


@attrs.frozen(eq=False)
class BaseFiles:
    """The file system that the layers of a base make. `where` is the base's name in errors."""

    root: Node
    where: str
    _work: Work = attrs.field(factory=Work)

    @classmethod
    def of(cls, base: Image, where: str, *, data: bool = False) -> BaseFiles:
        """Read the headers of every layer; with `data`, also the content of files. Raises BadInput: one is corrupt."""
        budget = base.layers[0].budget if base.layers else None
        return cls(root_of(base.layers, data=data), where, Work(where, budget))

    def contains(self, info: PathInfo) -> bool:
        """Whether the base contains the complete store path: its files have the NAR size that Nix knows."""
        node: Node | None = self.root
        for part in info.path.encode().strip(b"/").split(b"/"):
            node = node.children.get(part) if node else None
        return node is not None and nar_size(node) == info.nar_size

    def has(self, name: bytes) -> bool:
        """Whether there is anything at the path, even a broken link."""
        return self._resolve(name, last=False)[1] is not None

    def has_directory(self, name: bytes) -> bool:
        """Whether the path is a directory, or a link to one."""
        node = self._resolve(name)[1]
        return node is not None and node.is_directory

    def place(self, items: Iterable[Item], *, strict: bool = True) -> list[Item]:
        """Move each item into the directory where the base has it. Parents come before their children.

        If `strict`, a file or a link in the place of a directory of the base raises BadInput. If not, the items were
        already made for this base, so only items in directories behind a link are moved.
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
                    placed.setdefault(
                        parent, Item(self._as_in_base(parent, Member(parent, DIRECTORY, mode=0o755)), b"")
                    )
            moved = member._replace(name=name)
            if member.kind == HARD_LINK:
                below, _, target = member.link.rpartition(b"/")
                moved = moved._replace(link=_join(self._home(homes, below), target))
            if member.kind == DIRECTORY and (strict or name != member.name):
                moved = self._as_in_base(name, moved)
            if name == member.name or name not in placed:
                placed[name] = item._replace(member=moved)
        return [placed[name] for name in sorted(placed, key=lambda name: name.split(b"/"))]

    def _home(self, homes: dict[bytes, bytes], directory: bytes) -> bytes:
        """Where a directory is. A tar may omit the parents of its members; the base alone decides then."""
        if directory not in homes:
            above, _, last = directory.rpartition(b"/")
            homes[directory] = self._directory(_join(self._home(homes, above), last))
        return homes[directory]

    def _directory(self, name: bytes) -> bytes:
        """Where to create a directory: at the target, if the base has a link to a directory there."""
        real, node = self._resolve(name)
        return real if node is None or node.is_directory else name

    def _as_in_base(self, name: bytes, requested: Member) -> Member:
        """A directory with the base's mode and owner, unless it is new or the user requested a mode."""
        node = self._resolve(name)[1]
        if node is None or not node.is_directory or requested.mode != 0o755:
            return requested
        about = node.file.about
        return requested._replace(mode=about.mode, uid=about.uid, gid=about.gid, xattrs=about.xattrs)

    def _check(self, member: Member, name: bytes) -> None:
        node = self._resolve(name, last=False)[1]
        same_link = node and (member.kind, member.link) == (SYMLINK, node.file.about.link)
        if node and not same_link and self.has_directory(name):
            kind = "link" if member.kind == SYMLINK else "file"
            problem = f"is a directory of the base, and the image has a {kind} there, which would hide it"
            where = f"{self.where}(/{name.decode(errors='backslashreplace')})"
            raise BadInput(where, problem, f"give the {kind} another name")

    def _resolve(self, name: bytes, *, last: bool = True) -> tuple[bytes, Node | None]:
        """Follow the links of a path within the root; returns the real path and its file, if it exists.

        Raises BadInput: the links form a circle.
        """
        path: list[tuple[bytes, Node | None]] = [(b"", self.root)]

        def enter(part: bytes, is_last: bool) -> bytes | None:
            parent = path[-1][1]
            node = parent.children.get(part) if parent else None
            if node and node.file.about.kind == SYMLINK and (last or not is_last):
                return node.file.about.link
            path.append((part, node))
            return None

        def leave() -> None:
            del path[max(1, len(path) - 1) :]

        def restart() -> None:
            del path[1:]

        parts = [part for part in name.split(b"/") if part]
        if not follow(parts, enter, leave, restart, limit=PATH_LINKS, count=self._work.steps):
            shown = f"{self.where}(/{name.decode(errors='backslashreplace')})"
            raise BadInput(shown, "its symbolic links form a circle", "put no files there")
        return b"/".join(part for part, _ in path[1:]), path[-1][1]


def place_tar(tar: Blob, base_files: BaseFiles, where: str) -> list[Item] | None:
    """The members of a tar, each moved to where the base has its directory; None if none moves. Raises BadInput."""
    items = []
    whole = spool(tar, where)
    for entry in entries(whole, where):
        about = member(entry, where)
        name, link = _clean(about.name), _clean(about.link) if about.kind == HARD_LINK else about.link
        if name or about.kind == DIRECTORY:
            items.append(Item(about._replace(name=name, link=link), b"", part_of(whole, entry)))
    placed = base_files.place(items, strict=False)
    is_moved = {item.member.name for item in placed} != {item.member.name for item in items}
    return placed if is_moved else None


def _clean(name: bytes) -> bytes:
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


def _parents(name: bytes) -> Sequence[bytes]:
    parts = name.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]
