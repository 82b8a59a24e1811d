"""What one reading of a layer's headers shows: whether it keeps the rules of layer.md, and those of readers."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

import attrs

from lamina.data.blob import Blob
from lamina.data.compression import Decompressed
from lamina.errors import BadInput
from lamina.image.layer import Layer, read_through
from lamina.limits import LAYER_NAMES_BYTES
from lamina.oci.digest import Digest
from lamina.tar.headers import Head, heads
from lamina.tar.read import SPARSE
from lamina.tar.write import DIRECTORY, FILE, HARD_LINK, SYMLINK

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"

_MAX_COMPONENT = 255
_KINDS = (b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6")
_ROOT = (b"", b"root")


@attrs.define(eq=False)
class Survey:
    """A layer's names with their kinds, its links, and the first fault against each rule with how many there are.

    It is as large as the names in the layer. `digest` is that of the plain bytes, known at the end; `compression` is
    None for a layer that is stored plain.
    """

    where: str
    names: dict[str, bytes] = attrs.field(factory=dict)
    links: dict[str, str] = attrs.field(factory=dict)
    faults: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    digest: Digest | None = None
    compression: str | None = None
    length: int = 0

    def look(self, blob: Blob) -> Iterator[Head]:
        """Every header of a layer, looked at. Raises BadInput as reading tar does."""
        for head in heads(blob, self.where, need_end=False):
            self._look(head)
            yield head

    def _look(self, head: Head) -> None:
        name = posixpath.normpath(head.name).lstrip("/")
        self.length += len(name)
        if self.length > LAYER_NAMES_BYTES:
            raise BadInput(self.where, f"more than {LAYER_NAMES_BYTES} bytes of names", "the image is hostile")
        for rule, check in MEMBER_CHECKS.items():
            if what := check(self, name, head):
                first, count = self.faults.get(rule, (f"{head.name}: {what}", 0))
                self.faults[rule] = (first, count + 1)
        self.names[name] = head.entry.kind
        if head.entry.kind == SYMLINK:
            self.links[name] = head.link


def survey(layer: Layer, count: Callable[[int], None] = lambda _: None) -> tuple[Layer, Survey]:
    """The layer with diff ID and size, and its survey, of one reading. Raises BadInput."""
    found = Survey(layer.where, compression=layer.blob.kind if isinstance(layer.blob, Decompressed) else None)
    measured = read_through(layer, found.look, count)
    found.digest = measured.diff_id
    return measured, found


MemberCheck = Callable[[Survey, str, Head], str | None]
"""What is wrong with a member, given those before it, or nothing."""


def _name(_: Survey, name: str, head: Head) -> str | None:
    parts = head.name.split("/")
    if ".." in parts:
        return "leads out of the image"
    if any(len(part.encode(errors="surrogateescape")) > _MAX_COMPONENT for part in parts):
        return f"more than {_MAX_COMPONENT} bytes between slashes"
    return None


def _unique(survey: Survey, name: str, _: Head) -> str | None:
    return "stands twice" if name in survey.names else None


def _parent(survey: Survey, name: str, _: Head) -> str | None:
    parent = posixpath.dirname(name)
    return None if not parent or parent in survey.names else "its directory does not come before it"


def _below(survey: Survey, name: str, _: Head) -> str | None:
    kind = survey.names.get(posixpath.dirname(name), DIRECTORY)
    return None if kind == DIRECTORY else "lies in what is no directory"


def _hard_link(survey: Survey, _: str, head: Head) -> str | None:
    if head.entry.kind != HARD_LINK:
        return None
    if head.link.startswith(("/", "./")):
        return f"a hard link to {head.link}, which is no plain relative name"
    if survey.names.get(posixpath.normpath(head.link)) not in (FILE, HARD_LINK):
        return f"a hard link to {head.link}, which is no earlier file of this layer"
    return None


def _whiteout(survey: Survey, name: str, head: Head) -> str | None:
    parent, last = posixpath.split(name)
    if not last.startswith(WHITEOUT):
        return f"{WHITEOUT}{last} is there too" if posixpath.join(parent, WHITEOUT + last) in survey.names else None
    target = last.removeprefix(WHITEOUT)
    if last != OPAQUE and (target in ("", ".", "..") or target.startswith(WHITEOUT)):
        return "a whiteout of nothing"
    if head.entry.kind != FILE or head.entry.size:
        return "a whiteout that is no empty file"
    return f"{target} is there too" if posixpath.join(parent, target) in survey.names else None


def _owner(_: Survey, __: str, head: Head) -> str | None:
    """`root` is told by Docker's own layers, and is root everywhere."""
    for what, name, number in (("user", head.user, head.uid), ("group", head.group, head.gid)):
        if name not in _ROOT or (name and number):
            return f"the {what} {number} is called {name.decode(errors='backslashreplace')}"
    return None


def _global(_: Survey, __: str, head: Head) -> str | None:
    return "a global PAX header before it" if b"g" in head.extensions else None


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
