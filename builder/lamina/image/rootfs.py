"""The file system that layers make together: what lies where, of whom, and where its bytes are.

Nothing is unpacked. Layers are laid over each other as Docker does on overlayfs: whiteouts and opaque directories
(OCI image spec, layer.md) take away what lower layers have, never what their own layer has; a directory over a
directory keeps what is in it, everything else replaces; a name below what is no directory makes it one, unless the
same layer has a link there, which unpackers follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from lamina.data.blob import Blob, FileRange
from lamina.data.compression import spool
from lamina.errors import BadInput
from lamina.image.layer import Layer, hashed
from lamina.limits import FILES, FILES_BYTES, PATH_LINKS
from lamina.store.tree import WHITEOUT
from lamina.tar.read import Entry, entries, member
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, Member, check_name

OPAQUE = b".wh..wh..opq"
"""In a directory: hides what lower layers have there."""

_AUFS = b".wh..wh."
_KINDS = (FILE, HARD_LINK, SYMLINK, DIRECTORY, CHARACTER, BLOCK_DEVICE, FIFO)
_REMEDY = "the layer is damaged or hostile"


@attrs.frozen(eq=False)
class File:
    """What names lead to. `about` has the name under which it came; `data` is the bytes of a regular file.

    Hard links are several names of one File.
    """

    about: Member
    data: Blob | None = None


@attrs.define(eq=False)
class Node:
    """A name: the file, the layer it came with (0 is the lowest), and what lies in it if it is a directory."""

    file: File
    layer: int
    children: dict[bytes, Node] = attrs.field(factory=dict)

    @property
    def is_directory(self) -> bool:
        return self.file.about.kind == DIRECTORY

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Everything below, with its path: parents first, children sorted by their bytes."""
        waiting = [(name, node) for name, node in sorted(self.children.items(), reverse=True)]
        while waiting:
            path, node = waiting.pop()
            yield path, node
            below = sorted(node.children.items(), reverse=True)
            waiting += [(path + b"/" + name, child) for name, child in below]

    def copy(self) -> Node:
        """Other names for the same files."""
        top = Node(self.file, self.layer)
        waiting = [(self, top)]
        while waiting:
            source, target = waiting.pop()
            for name, child in source.children.items():
                target.children[name] = Node(child.file, child.layer)
                waiting.append((child, target.children[name]))
        return top


def empty() -> Node:
    """A root with nothing in it: a directory of 0:0 with mode 0755."""
    return Node(_directory(b""), 0)


def merged(layers: Iterable[Layer], *, data: bool = True) -> Node:
    """The root that the layers make, lowest first. Layers that are no part of a file are put into a nameless one.

    With `data` each layer is compared with its diff ID, in the very bytes that the files are read from later. Without
    `data` nothing is known of the bytes in the files, and nothing is unpacked.

    Raises BadInput: a damaged layer, or one with names that lead out; LaminaError: no room for a compressed layer.
    """
    root = empty()
    work = length = 0
    for number, layer in enumerate(layers):
        blob = _verified(layer) if data else layer.blob
        for entry in entries(blob, layer.where, need_end=False):
            about = member(entry, layer.where)
            work += 1 + lay(root, File(about, part_of(blob, entry)), number, layer.where)
            length += len(about.name) + len(about.link) + sum(len(key) + len(value) for key, value in about.xattrs)
            if work > FILES or length > FILES_BYTES:
                what = f"more than {FILES} files, or than {FILES_BYTES} bytes of their names and attributes"
                raise BadInput(layer.where, what, "build on a smaller image")
    return root


def _verified(layer: Layer) -> Blob:
    """The layer's bytes, uncompressed. Raises BadInput: they do not have the layer's diff ID."""
    blob = spool(layer.blob, layer.where)
    hashed(attrs.evolve(layer, blob=blob))
    return blob


def part_of(blob: Blob, entry: Entry) -> FileRange | None:
    """The data of a regular file; None for other kinds, and where the tar is no part of a file."""
    if entry.kind != FILE or not isinstance(blob, FileRange):
        return None
    return FileRange(blob.source, blob.offset + entry.offset, entry.size)


def lay(root: Node, file: File, layer: int, where: object) -> int:
    """One member of a layer over what is there already; how many names were looked at to delete. Raises BadInput."""
    about = file.about
    path = _clean(about.name, where)
    if about.kind not in _KINDS:
        raise BadInput(where, f"{about.name!r:.100} is of the unknown kind {about.kind!r}", _REMEDY)
    if not path:
        root.file = file if about.kind == DIRECTORY else root.file
        return 0
    parent = _parent(root, path[:-1], layer, where)
    name = path[-1]
    if name == OPAQUE:
        return _hide(parent, list(parent.children), layer)
    if name.startswith(_AUFS):
        return 0  # aufs' own files: Docker passes over them
    if name.startswith(WHITEOUT):
        gone = name[len(WHITEOUT) :]
        if gone in (b"", b".", b".."):
            raise BadInput(where, f"the whiteout {about.name!r:.100} names nothing", _REMEDY)
        return _hide(parent, [gone], layer)
    _put(root, parent, name, file, layer, where)
    return 0


def _put(root: Node, parent: Node, name: bytes, file: File, layer: int, where: object) -> None:
    before = parent.children.get(name)
    if file.about.kind == HARD_LINK:
        file = _linked(root, file.about, where)
    if before and before.is_directory and file.about.kind == DIRECTORY:
        before.file, before.layer = file, layer
    else:
        parent.children[name] = Node(file, layer)


def _linked(root: Node, about: Member, where: object) -> File:
    node = root
    for part in _clean(about.link, where):
        found = node.children.get(part)
        if found is None:
            what = f"{about.name!r:.100} is a hard link to {about.link!r:.100}, which is not there"
            raise BadInput(where, what, _REMEDY)
        node = found
    if node.is_directory:
        raise BadInput(where, f"{about.name!r:.100} is a hard link to a directory", _REMEDY)
    return node.file


def _hide(parent: Node, names: Iterable[bytes], layer: int) -> int:
    """Take away what lower layers have; what this layer has put below stays, with its directories.

    Returns how many names it looked at, because a layer can ask for the same again and again.
    """
    waiting = [(parent, name) for name in names]
    looked = 0
    while waiting:
        looked += 1
        node, name = waiting.pop()
        child = node.children.get(name)
        if child is None:
            continue
        if child.layer < layer:
            del node.children[name]
        else:
            waiting += [(child, inner) for inner in child.children]
    return looked


def _parent(root: Node, path: list[bytes], layer: int, where: object) -> Node:
    """The directory to put something in. A link of the same layer is followed, within the root."""
    node, left, above, links = root, list(reversed(path)), [root], 0
    while left:
        part = left.pop()
        if part == b"..":
            above = above if len(above) == 1 else above[:-1]
            node = above[-1]
            continue
        child = node.children.get(part)
        if child and child.file.about.kind == SYMLINK and child.layer == layer:
            links += 1
            if links > PATH_LINKS:
                raise BadInput(where, f"the link {child.file.about.name!r:.100} leads to itself", _REMEDY)
            target = child.file.about.link
            if target.startswith(b"/"):
                node, above = root, [root]
            left += [step for step in reversed(target.split(b"/")) if step not in (b"", b".")]
            continue
        if child is None or not child.is_directory:
            child = node.children[part] = Node(_directory(part), layer)
        elif child.layer < layer:
            child.layer = layer  # a whiteout of it in this layer must not take what this layer puts there
        node = child
        above.append(node)
    return node


def _clean(name: bytes, where: object) -> list[bytes]:
    """The parts of a path, without `.`; nothing for the root. Raises BadInput when it leads out."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if parts:
        if b".." in parts:
            raise BadInput(where, f"the name {name!r:.100} leaves the layer", _REMEDY)
        check_name(b"/".join(parts))
    return parts


def _directory(name: bytes) -> File:
    return File(Member(name, DIRECTORY, mode=0o755))
