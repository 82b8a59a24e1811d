"""The file system that layers make together: which files it has, their owners, and where their bytes are.

Nothing is unpacked. Layers are applied as Docker does on overlayfs. Whiteouts and opaque directories (OCI image spec,
layer.md) delete what lower layers have, never what their own layer has. A directory over a directory keeps what is
in it; everything else is replaced. If a member is below something that is no directory, a directory replaces it.
The exception is a symbolic link of the same layer, which unpackers follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from lamina.data.blob import Blob, FileRange
from lamina.data.budget import Budget, Meter
from lamina.data.compression import spool
from lamina.errors import BadInput
from lamina.image.layer import Layer, hashed, identified
from lamina.limits import FILES, FILES_BYTES, PATH_LINKS, STEPS
from lamina.tar.links import follow
from lamina.tar.read import Entry, entries, member
from lamina.tar.whiteout import Effect, read_whiteout
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, Member, check_name

_KINDS = (FILE, HARD_LINK, SYMLINK, DIRECTORY, CHARACTER, BLOCK_DEVICE, FIFO)
_REMEDY = "the layer is damaged or hostile"


@attrs.frozen(eq=False)
class File:
    """What a name refers to. `about` is its member in the layer; `data` has the bytes of a regular file.

    Hard links are several names of one File.
    """

    about: Member
    data: Blob | None = None


@attrs.define(eq=False)
class Node:
    """A name: its file, the layer that it comes from (0 is the lowest), and its children if it is a directory."""

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


@attrs.define(eq=False)
class Work:
    """Counts the work of combining layers, so that a small archive cannot ask for much of it."""

    where: object = ""
    budget: Budget | None = None
    _files: Meter = attrs.field(factory=lambda: Meter(FILES))
    _bytes: Meter = attrs.field(factory=lambda: Meter(FILES_BYTES))
    _steps: Meter = attrs.field(factory=lambda: Meter(STEPS))

    def files(self, count: int) -> None:
        """Raises BadInput when there are too many."""
        self._files.count(count, self.budget, self.where)

    def length(self, count: int) -> None:
        """Bytes of names and attributes. Raises BadInput when there are too many."""
        self._bytes.count(count, self.budget, self.where)

    def steps(self, count: int) -> None:
        """Parts of paths that were followed. Raises BadInput when there are too many."""
        self._steps.count(count, self.budget, self.where)


def root_of(layers: Iterable[Layer], *, data: bool = True) -> Node:
    """The root of the file system that the layers make; the lowest layer is the first.

    With `data`, a layer that is not a part of a file, such as a compressed one, is copied into a file without a name.
    Each layer is then compared with its diff ID: the very bytes from which files are read later. Without `data`, the
    files have no content, and nothing is copied.

    Raises BadInput: a layer is damaged, has names that leave it, or asks for too much; LaminaError: no room for a copy.
    """
    root = empty()
    work = Work()
    verified: dict[object, Layer] = {}
    for number, layer in enumerate(layers):
        work.where, work.budget = layer.where, layer.budget
        blob = _verified(layer, verified) if data else layer.blob
        for entry in entries(blob, layer.where):
            about = member(entry, layer.where)
            work.files(1)
            work.length(len(about.name) + len(about.link) + sum(len(key) + len(value) for key, value in about.xattrs))
            lay(root, File(about, part_of(blob, entry)), number, layer.where, work)
    return root


def _verified(layer: Layer, known: dict[object, Layer]) -> Blob:
    """The layer's bytes, uncompressed; `known` are the layers that were read. Raises BadInput: wrong diff ID."""
    identity = layer.identity
    if identity not in known:
        known[identity] = hashed(attrs.evolve(layer, blob=spool(layer.blob, layer.where), diff_id=None))
    read = known[identity]
    assert read.diff_id and read.size is not None
    identified(layer, read.diff_id, read.size)
    return read.blob


def part_of(blob: Blob, entry: Entry) -> FileRange | None:
    """The data of a regular file; None for other kinds, and if the tar is no part of a file."""
    if entry.kind != FILE or not isinstance(blob, FileRange):
        return None
    return FileRange(blob.source, blob.offset + entry.offset, entry.size)


def lay(root: Node, file: File, layer: int, where: object, work: Work | None = None) -> None:
    """Add one member of a layer to the file system below `root`. Raises BadInput."""
    work = work or Work(where)
    about = file.about
    path = _clean(about.name, where)
    if about.kind not in _KINDS:
        raise BadInput(where, f"{about.name!r:.100} is of the unknown kind {about.kind!r}", _REMEDY)
    if not path:
        root.file = file if about.kind == DIRECTORY else root.file
        return
    parent = _parent(root, path[:-1], layer, where, work)
    effect, hidden = read_whiteout(path[-1])
    if effect is Effect.EMPTIES:
        _hide(parent, list(parent.children), layer, work)
    elif effect is Effect.HIDES:
        if hidden in (b"", b".", b".."):
            raise BadInput(where, f"the whiteout {about.name!r:.100} names nothing", _REMEDY)
        _hide(parent, [hidden], layer, work)
    elif effect is Effect.NONE:
        _put(root, parent, path[-1], file, layer, where, work)


def _put(root: Node, parent: Node, name: bytes, file: File, layer: int, where: object, work: Work) -> None:
    before = parent.children.get(name)
    if file.about.kind == HARD_LINK:
        file = _linked(root, file.about, where, work)
    if before and before.is_directory and file.about.kind == DIRECTORY:
        before.file, before.layer = file, layer
    else:
        parent.children[name] = Node(file, layer)


def _linked(root: Node, about: Member, where: object, work: Work) -> File:
    node = root
    path = _clean(about.link, where)
    work.steps(len(path))
    for part in path:
        found = node.children.get(part)
        if found is None:
            what = f"{about.name!r:.100} is a hard link to {about.link!r:.100}, which is not there"
            raise BadInput(where, what, _REMEDY)
        node = found
    if node.is_directory:
        raise BadInput(where, f"{about.name!r:.100} is a hard link to a directory", _REMEDY)
    return node.file


def _hide(parent: Node, names: Iterable[bytes], layer: int, work: Work) -> None:
    """Delete what lower layers have. What this layer has put there stays, with its directories.

    Each name counts, because a layer can ask for the same again and again.
    """
    waiting = [(parent, name) for name in names]
    while waiting:
        work.files(1)
        node, name = waiting.pop()
        child = node.children.get(name)
        if child is None:
            continue
        if child.layer < layer:
            del node.children[name]
        else:
            waiting += [(child, inner) for inner in child.children]


def _parent(root: Node, path: list[bytes], layer: int, where: object, work: Work) -> Node:
    """The directory for a member. A link of the same layer is followed, within the root."""
    above = [root]
    link = b""
    length = 0  # at least the length of the path so far: a new directory is counted with its whole path

    def enter(part: bytes, _: bool) -> bytes | None:
        nonlocal length, link
        node = above[-1]
        child = node.children.get(part)
        if child and child.file.about.kind == SYMLINK and child.layer == layer:
            link = child.file.about.name
            return child.file.about.link
        length += len(part) + 1
        if child is None or not child.is_directory:
            work.files(1)
            work.length(length)
            child = node.children[part] = Node(_directory(part), layer)
        elif child.layer < layer:
            child.layer = layer  # a whiteout of it in this layer must not take what this layer puts there
        above.append(child)
        return None

    def leave() -> None:
        del above[max(1, len(above) - 1) :]

    def restart() -> None:
        del above[1:]

    work.steps(len(path))
    if not follow(path, enter, leave, restart, limit=PATH_LINKS, count=work.steps):
        raise BadInput(where, f"the link {link!r:.100} leads to itself", _REMEDY)
    return above[-1]


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
