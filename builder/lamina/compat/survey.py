"""Check the headers of a layer, in one reading, against the rules of layer.md and of readers."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

import attrs

from lamina.data.blob import Blob
from lamina.data.budget import Budget, Meter
from lamina.data.compression import Decompressed
from lamina.image.layer import Layer, read_through
from lamina.limits import LAYER_MEMBERS, LAYER_NAMES
from lamina.oci.digest import Digest
from lamina.tar.headers import Head, heads
from lamina.tar.read import SPARSE, Entry
from lamina.tar.whiteout import PREFIX, Effect, read_whiteout
from lamina.tar.write import DIRECTORY, FILE, HARD_LINK, SYMLINK

_MAX_COMPONENT = 255
_KINDS = (b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6")
_ROOT = (b"", b"root")


@attrs.define(eq=False)
class Survey:
    """The result for one layer.

    It needs memory for every name in the layer; `headers` and `length` limit their number and length. `digest` is that
    of the plain bytes, known at the end. `compression` is None for a layer that is stored plain.
    """

    where: str
    names: dict[str, bytes] = attrs.field(factory=dict)
    links: dict[str, str] = attrs.field(factory=dict)
    faults: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    digest: Digest | None = None
    compression: str | None = None
    budget: Budget | None = None
    headers: Meter = attrs.field(factory=lambda: Meter(LAYER_MEMBERS))
    length: Meter = attrs.field(factory=lambda: Meter(LAYER_NAMES))
    see: Callable[[Entry], None] = lambda _: None

    def look(self, blob: Blob) -> Iterator[Head]:
        """Check each header of the layer, and yield it. Raises BadInput: the tar is corrupt."""
        for head in heads(blob, self.where):
            self._look(head)
            self.see(head.entry)
            yield head

    def _look(self, head: Head) -> None:
        name = posixpath.normpath(head.name).lstrip("/")
        self.headers.count(1, self.budget, self.where)
        self.length.count(len(name) + len(head.entry.link), self.budget, self.where)
        for rule, check in MEMBER_CHECKS.items():
            if problem := check(self, name, head):
                first, count = self.faults.get(rule, (f"{head.name}: {problem}", 0))
                self.faults[rule] = (first, count + 1)
        self.names[name] = head.entry.kind
        if head.entry.kind == SYMLINK:
            self.links[name] = head.link


def survey(
    layer: Layer,
    count: Callable[[int], None],
    headers: Meter,
    length: Meter,
    see: Callable[[Entry], None] = lambda _: None,
) -> tuple[Layer, Survey]:
    """The layer with its diff ID and size, and its survey. The layer is read once.

    `headers` and `length` count over all layers of an archive; `see` is called with each member. Raises BadInput.
    """
    compression = layer.blob.kind if isinstance(layer.blob, Decompressed) else None
    found = Survey(layer.where, compression=compression, budget=layer.budget, headers=headers, length=length)
    found.see = see
    measured = read_through(layer, found.look, count)
    found.digest = measured.diff_id
    return measured, found


MemberCheck = Callable[[Survey, str, Head], str | None]
"""Returns what is wrong with a member, given the members before it, or None."""


def _name(_: Survey, name: str, head: Head) -> str | None:
    parts = head.name.split("/")
    if ".." in parts:
        return "leaves the image"
    if any(len(part.encode(errors="surrogateescape")) > _MAX_COMPONENT for part in parts):
        return f"more than {_MAX_COMPONENT} bytes between slashes"
    return None


def _unique(survey: Survey, name: str, _: Head) -> str | None:
    return "occurs twice" if name in survey.names else None


def _parent(survey: Survey, name: str, _: Head) -> str | None:
    parent = posixpath.dirname(name)
    return None if not parent or parent in survey.names else "no member before it is its directory"


def _below(survey: Survey, name: str, _: Head) -> str | None:
    kind = survey.names.get(posixpath.dirname(name), DIRECTORY)
    return None if kind == DIRECTORY else "is below a member that is not a directory"


def _hard_link(survey: Survey, _: str, head: Head) -> str | None:
    if head.entry.kind != HARD_LINK:
        return None
    if head.link.startswith(("/", "./")):
        return f"a hard link to {head.link}, which is not a relative name"
    if survey.names.get(posixpath.normpath(head.link)) not in (FILE, HARD_LINK):
        return f"a hard link to {head.link}, which is not an earlier file of this layer"
    return None


def _whiteout(survey: Survey, name: str, head: Head) -> str | None:
    parent, last = posixpath.split(name)
    effect, hidden = read_whiteout(last.encode(errors="surrogateescape"))
    if effect is Effect.NONE:
        mark = PREFIX.decode()
        return f"{mark}{last} is there too" if posixpath.join(parent, mark + last) in survey.names else None
    target = hidden.decode(errors="surrogateescape")
    if effect is Effect.SKIPPED or (effect is Effect.HIDES and target in ("", ".", "..")):
        return "a whiteout of nothing"
    if head.entry.kind != FILE or head.entry.size:
        return "a whiteout that is no empty file"
    return f"{target} is there too" if target and posixpath.join(parent, target) in survey.names else None


def _owner(_: Survey, __: str, head: Head) -> str | None:
    """Docker's own layers name root, which has the same number everywhere."""
    for kind, name, number in (("user", head.user, head.uid), ("group", head.group, head.gid)):
        if name not in _ROOT or (name and number):
            return f"the {kind} {number} has the name {name.decode(errors='backslashreplace')}"
    return None


def _global(_: Survey, __: str, head: Head) -> str | None:
    return "follows a global PAX header" if b"g" in head.extensions else None


def _link_attributes(_: Survey, __: str, head: Head) -> str | None:
    if head.entry.kind == SYMLINK and any(key.startswith(b"SCHILY.xattr.") for key in head.keys):
        return "a symbolic link with extended attributes"
    return None


def _kind(_: Survey, __: str, head: Head) -> str | None:
    if head.kind not in _KINDS or head.entry.kind == SPARSE:
        return f"a member of type {head.kind!r}" if head.kind not in _KINDS else "a sparse file"
    return None


MEMBER_CHECKS: dict[str, MemberCheck] = {
    "layer-names": _name,
    "layer-unique": _unique,
    "layer-parents": _parent,
    "layer-alone": _below,
    "layer-hard-links": _hard_link,
    "layer-whiteouts": _whiteout,
    "layer-owners": _owner,
    "layer-global-headers": _global,
    "layer-link-attributes": _link_attributes,
    "layer-kinds": _kind,
}
