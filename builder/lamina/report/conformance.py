"""Checks an archive against the specifications: the documents of its OCI layout, and the members of each layer."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterable, Iterator

import attrs

from lamina.data.budget import Budget, Meter
from lamina.data.compression import detect
from lamina.errors import BadInput, LaminaError
from lamina.media.files import Members, read_document
from lamina.media.oci_layout import INDEX, blob_where, is_image, read_linked
from lamina.oci.config import Fault
from lamina.oci.documents import Descriptor
from lamina.oci.spelling import CONFIG_DOCUMENT, MANIFEST
from lamina.oci.strict_json import Json, expect
from lamina.report.specification import config_rules, document_rules, layer_rules
from lamina.tar.read import Entry
from lamina.tar.whiteout import Effect, read_whiteout
from lamina.tar.write import DIRECTORY, HARD_LINK, SYMLINK

_SHOWN = 20
"""Faults that are shown of one document or one layer."""

_COMPONENT = 255
"""Bytes of a file's name on every file system of Linux."""

_REMEDY = "make the image again"


def as_lines(faults: Iterable[Fault], where: str) -> list[str]:
    """The first faults, each as a line that names the document."""
    first = itertools.islice(faults, _SHOWN)
    return [str(BadInput(where, f"{fault.field} {fault.what}", fault.remedy)) for fault in first]


def layout_problems(members: Members, documents: Iterable[tuple[str, Json]]) -> Iterator[str]:
    """What is wrong with `index.json`, these indexes and manifests, and the configs and layers of images."""
    if INDEX in members:
        where = f"{members.where}({INDEX})"
        index = expect(read_document(members, INDEX, MANIFEST), dict, "the index", where)
        yield from as_lines(document_rules(index, is_top=True), where)
    for where, document in documents:
        yield from as_lines(document_rules(document), where)
        if is_image(document):
            yield from _image_problems(members, document, where)


def _image_problems(members: Members, manifest: Json, where: str) -> Iterator[str]:
    """Problems of the config and the layers. What cannot be read is skipped: reading the image reports it."""
    try:
        config = Descriptor.from_json(manifest.get("config"), where)
        layers = [Descriptor.from_json(value, where) for value in expect(manifest.get("layers"), list, "layers", where)]
        document = read_linked(members, config, CONFIG_DOCUMENT)[1]
    except LaminaError:
        return
    yield from as_lines(config_rules(document), blob_where(members, config.digest))
    for layer in layers:
        path, place = members.path_of(layer.digest), blob_where(members, layer.digest)
        if path not in members:
            continue
        try:
            compression = detect(members.blob(path), place)
        except LaminaError:
            continue
        yield from as_lines(layer_rules(layer.media_type, compression), place)


_WHITEOUTS_OF_DIRECTORIES = [(Effect.HIDES, name) for name in (b"", b".", b"..")]


@attrs.define(eq=False)
class MemberRules:
    """The rules for the members of one layer, in their order: names stay below the root, and occur once.

    A directory may occur again, as tar -r writes it. If another member occurs twice, some readers keep the first one. A
    member that unpackers cannot create in this order is a fault, too. `length` counts the names of all layers. Source:
    OCI image spec, layer.md.
    """

    where: str
    budget: Budget | None
    length: Meter
    faults: list[str] = attrs.field(factory=list)
    _seen: dict[bytes, bytes] = attrs.field(factory=dict)
    _awaited: set[bytes] = attrs.field(factory=set)

    def see(self, entry: Entry) -> None:
        """Look at the next member. Raises BadInput: the names are too long together."""
        name = posixpath.normpath(entry.name).lstrip(b"/")
        self.length.count(len(name), self.budget, self.where)
        fault = self._fault(entry, name)
        self._seen[name] = entry.kind
        if fault and len(self.faults) < _SHOWN:
            shown = entry.name.decode(errors="surrogateescape")
            self.faults.append(str(BadInput(self.where, f"the member {shown!r:.100} {fault}", _REMEDY)))

    def _fault(self, entry: Entry, name: bytes) -> str | None:
        parts = entry.name.split(b"/")
        if b".." in parts:
            return "leaves the root"
        if len(max(parts, key=len)) > _COMPONENT:
            return f"has more than {_COMPONENT} bytes between slashes, which no file system takes"
        if name in self._seen and (self._seen[name], entry.kind) != (DIRECTORY, DIRECTORY):
            return "occurs twice"
        if self._seen.get(posixpath.dirname(name), DIRECTORY) not in (DIRECTORY, SYMLINK):
            return "is below a member that is no directory"
        if name in self._awaited:
            return "comes after a hard link to it"
        if read_whiteout(posixpath.basename(name)) in _WHITEOUTS_OF_DIRECTORIES:
            return "is a whiteout without a name, which some readers take for its directory"
        return self._link_fault(entry, name) if entry.kind == HARD_LINK else None

    def _link_fault(self, entry: Entry, name: bytes) -> str | None:
        """Unpackers make the link when they come to it. It may refer to a file of a layer below."""
        target = posixpath.normpath(entry.link).lstrip(b"/")
        self.length.count(len(target), self.budget, self.where)
        if b".." in entry.link.split(b"/"):
            return "is a hard link that leaves the root"
        if target == name:
            return "is a hard link to itself"
        if self._seen.get(target) == DIRECTORY:
            return "is a hard link to a directory"
        if target not in self._seen:
            self._awaited.add(target)
        return None
