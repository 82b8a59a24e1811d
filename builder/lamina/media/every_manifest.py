"""Everything that an OCI layout lists: each manifest of each index, for all platforms, and what is missing.

Readers choose one image for the machine on which they run. `lamina verify` checks all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import attrs

from lamina.errors import BadInput, LaminaError
from lamina.image.image import Image
from lamina.limits import IMAGE_NAMES, IMAGES, INDEXES
from lamina.media.files import Members
from lamina.media.oci_layout import (
    INDEXES_OF,
    MANIFESTS_OF,
    blob_where,
    descriptor_name,
    is_image,
    listed,
    manifests_in,
    read_image,
    read_manifest,
)
from lamina.oci.digest import Digest
from lamina.oci.documents import Descriptor
from lamina.oci.strict_json import Json, items_of


@attrs.define(eq=False)
class Listed:
    """A manifest. `names` are those of the entries of `index.json` that lead to it.

    `nested` says whether all of these entries lead to it through another index, which is how platforms are listed.
    """

    descriptor: Descriptor
    names: list[str] = attrs.field(factory=list)
    nested: bool = True
    indexes: list[Digest] = attrs.field(factory=list)

    def add(self, other: Listed) -> None:
        """Add the names and indexes of another entry for the same blob."""
        self.names += [name for name in other.names if name not in self.names]
        self.nested = self.nested and other.nested
        self.indexes += other.indexes

    @property
    def shown(self) -> str:
        """The text for messages: names, platform and digest."""
        platform = self.descriptor.platform or {}
        parts = [str(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key)]
        return " ".join([*dict.fromkeys(self.names), *(["/".join(parts)] if parts else []), self.descriptor.digest])


@attrs.frozen(eq=False)
class Contents:
    """The contents of a layout: images with functions that read them, `others` that are not images, and their `blobs`.

    `unchecked` are lines about entries that are not checked. `documents` are all indexes and manifests that could be
    read, with their names in errors. `problems` are errors in entries, whose images are then missing here.
    """

    images: tuple[tuple[Listed, Callable[[], Image]], ...]
    others: tuple[Listed, ...]
    blobs: tuple[Descriptor, ...]
    unchecked: tuple[str, ...]
    documents: tuple[tuple[str, Json], ...]
    problems: tuple[str, ...]


def contents(members: Members) -> Contents:
    """Walk through all indexes. Raises BadInput: `index.json` cannot be read, or lists too much."""
    found, documents, problems = _walk(members)
    images: list[tuple[Listed, Callable[[], Image]]] = []
    others: list[Listed] = []
    blobs: list[Descriptor] = []
    unchecked: list[str] = []
    partly = {index for each in found if members.path_of(each.descriptor.digest) in members for index in each.indexes}
    for each in found:
        descriptor = each.descriptor
        if members.path_of(descriptor.digest) not in members:
            if each.nested and partly.issuperset(each.indexes):
                unchecked.append(f"{each.shown}: not in the archive, which has other platforms of this image")
            else:
                problems.append(str(BadInput(members.where, f"lists {each.shown}, which is missing", "pull it again")))
        elif descriptor.media_type not in MANIFESTS_OF:
            unchecked.append(f"{each.shown}: of media type {descriptor.media_type!r:.80}, which is no image")
            others.append(each)
            blobs.append(descriptor)
        else:
            try:
                document = read_manifest(members, descriptor)
                documents.append((blob_where(members, descriptor.digest), document))
                if not is_image(document):
                    unchecked.append(f"{each.shown}: not an image, but an artifact")
                    others.append(each)
                    blobs += _descriptors(document, members.where)
                    continue
            except LaminaError as error:
                problems.append(str(error))
                continue
            images.append((each, functools.partial(read_image, members, document, each.names)))
    return Contents(tuple(images), tuple(others), tuple(blobs), tuple(unchecked), tuple(documents), tuple(problems))


def _walk(members: Members) -> tuple[list[Listed], list[tuple[str, Json]], list[str]]:
    """What is listed and is not an index, in order, each once; the indexes; and the problems of the indexes."""
    found: dict[Digest, Listed] = {}
    indexes: list[tuple[str, Json]] = []
    problems: list[str] = []
    level = _grouped((Listed(descriptor, _names(descriptor), nested=False) for descriptor in listed(members)), members)
    for depth in range(INDEXES + 1):
        below: list[Listed] = []
        for each in level:
            descriptor = each.descriptor
            if descriptor.media_type not in INDEXES_OF or members.path_of(descriptor.digest) not in members:
                known = found.setdefault(descriptor.digest, each)
                if known is not each:
                    known.add(each)
                continue
            if depth == INDEXES:
                raise BadInput(members.where, f"more than {INDEXES} indexes in each other", "the image is hostile")
            try:
                where = blob_where(members, descriptor.digest)
                document = read_manifest(members, descriptor)
                inner = manifests_in(document, where)
            except LaminaError as error:
                problems.append(str(error))
                continue
            indexes.append((where, document))
            below += [Listed(child, list(each.names), indexes=[descriptor.digest]) for child in inner]
        level = _grouped(below, members)
    return list(found.values()), indexes, problems


def _grouped(entries: Iterable[Listed], members: Members) -> list[Listed]:
    """Each blob once, with the names of all entries. Raises BadInput: there are too many."""
    found: dict[Digest, Listed] = {}
    for each in entries:
        known = found.setdefault(each.descriptor.digest, each)
        members.budget.spend(IMAGE_NAMES, len(each.names), members.where)
        if known is not each:
            known.add(each)
        if len(found) > IMAGES:
            raise BadInput(members.where, f"more than {IMAGES} manifests", f"at most {IMAGES} are read")
    return list(found.values())


def _names(descriptor: Descriptor) -> list[str]:
    name = descriptor_name(descriptor)
    return [name] if name else []


def _descriptors(document: Json, where: str) -> Iterable[Descriptor]:
    values = [document.get("config"), *items_of(document.get("layers"))]
    return [Descriptor.from_json(value, where) for value in values if value is not None]
