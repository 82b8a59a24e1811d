"""The images of an OCI layout, and the choice of the image for one platform.

`index.json` and every index in it list the platforms of an image, or further indexes (OCI image spec, image-index.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from lamina.errors import BadInput
from lamina.image.document import parse_names
from lamina.image.image import Image
from lamina.image.index import ImageIndex
from lamina.limits import IMAGES, INDEXES
from lamina.media.choice import Candidate
from lamina.media.files import Members
from lamina.media.oci_layout import (
    INDEX,
    INDEXES_OF,
    MANIFESTS_OF,
    blob_where,
    check_version,
    descriptor_name,
    is_image,
    listed,
    manifests_in,
    own_annotations,
    read_image,
    read_linked,
    read_manifest,
    texts_in,
    with_manifest,
)
from lamina.oci.digest import Digest
from lamina.oci.documents import NO_ANNOTATIONS, Annotations, Descriptor, Document
from lamina.oci.platform import for_platform, is_for
from lamina.oci.spelling import CONFIG_DOCUMENT, MANIFEST
from lamina.oci.strict_json import Json, items_of


def candidates(members: Members, architecture: str, *, exact: bool = False) -> list[Candidate]:
    """The images of a layout. Entries for the same image are one candidate, and so are the platforms of one name.

    Artifacts, signatures and attestations beside the images are left out. Without `exact`, an image that exists only
    for another architecture is used. Raises BadInput.
    """
    check_version(members)
    entries = listed(members)
    images = [entry for entry in entries if _may_be_image(members, entry)]
    names: dict[Digest, list[str]] = {}
    found: dict[Digest, Descriptor] = {}
    for entry in images or entries:
        found.setdefault(entry.digest, entry)
        name = descriptor_name(entry)
        names.setdefault(entry.digest, []).extend([name] if name else [])
    groups: dict[tuple[str, ...], list[Descriptor]] = {}
    for digest, entry in found.items():
        groups.setdefault(tuple(names[digest]), []).append(entry)
    return [
        _candidate(members, group_names, alternatives, architecture, exact)
        for group_names, group in groups.items()
        for alternatives in _by_platform(members, group)
    ]


def _by_platform(members: Members, entries: list[Descriptor]) -> list[list[Descriptor]]:
    """The entries as one list if they are the platforms of one image, as in an index; else a list for each.

    apko and go-containerregistry list the platforms of an image in `index.json` itself.
    """
    if len(entries) == 1:
        return [entries]
    platforms = {str(sorted(platform.items())) for entry in entries if (platform := _platform(members, entry))}
    return [entries] if len(platforms) == len(entries) else [[entry] for entry in entries]


def _candidate(
    members: Members, names: tuple[str, ...], entries: list[Descriptor], architecture: str, exact: bool
) -> Candidate:
    def read() -> Image:
        top = entries[0]
        where = f"{members.where}({INDEX})" if len(entries) > 1 else blob_where(members, top.digest)
        chosen = _Choice(members, where).of(entries, architecture, exact)
        document = read_manifest(members, chosen)
        if chosen.media_type not in MANIFESTS_OF:
            what = f"media type {chosen.media_type!r:.80}"
            raise BadInput(blob_where(members, chosen.digest), what, "give an image, not an artifact")
        return with_manifest(members, chosen, read_image(members, document, names))

    tags = frozenset(name for name in names if ":" not in name and "/" not in name)
    is_one = len(entries) == 1 and entries[0].media_type not in INDEXES_OF
    return Candidate(names, read, tags, None if is_one else lambda: _all_platforms(members, entries, names))


def _all_platforms(members: Members, entries: list[Descriptor], names: tuple[str, ...]) -> ImageIndex:
    """The images of all platforms, from one index or from entries of `index.json`. Raises BadInput: one is missing."""
    known, original, annotations = parse_names(list(names)), None, NO_ANNOTATIONS
    children = entries
    if len(entries) == 1:
        data, document = read_linked(members, entries[0], MANIFEST)
        children = manifests_in(read_manifest(members, entries[0]), blob_where(members, entries[0].digest))
        original = Document(entries[0].media_type, data)
        annotations = Annotations(texts_in(document), own_annotations(entries[0]))
    images = []
    for child in children:
        platform = child.platform or {}
        if platform.get("os") == "unknown":
            continue  # an attestation
        if members.path_of(child.digest) not in members:
            what = f"the image for {platform.get('os')}/{platform.get('architecture')} is missing"
            raise BadInput(members.where, what, "copy it with all its platforms, or choose one that is there")
        if child.media_type in INDEXES_OF:
            raise BadInput(members.where, "an index within an index", "choose a platform")
        if _may_be_image(members, child):
            images.append(with_manifest(members, child, read_image(members, read_manifest(members, child), [])))
    whole = original if len(images) == len(children) else None
    return ImageIndex(tuple(images), known, annotations, whole, tuple(child.digest for child in children))


@attrs.define(eq=False)
class _Choice:
    """The choice of one of the manifests that indexes list. `where` is the name of the index in errors."""

    members: Members
    where: str
    _seen: set[Digest] = attrs.field(factory=set)

    def of(self, entries: Sequence[Descriptor], architecture: str, exact: bool) -> Descriptor:
        """The first manifest for Linux on the architecture whose blobs all exist.

        Without `exact`, if there is none, the only manifest for another platform whose blobs all exist. Raises
        BadInput, also if a manifest before the chosen one is damaged, because other readers could use that.
        """
        manifests = list(self._manifests(entries, 0, None))
        if len(entries) == 1 and manifests == list(entries):
            return entries[0]  # an image without an index is what it is
        described = [each._replace(platform=_platform(self.members, each)) for each in manifests]
        matching = [each for each in described if is_for(each, "linux", architecture)]
        for each in matching:
            if self._is_whole(each):
                return each
        others = [] if exact else [each for each in described if self._can_be_read(each)]
        if len(others) == 1:
            return others[0]
        return for_platform(described, "linux", architecture, self.where)

    def _manifests(self, entries: Sequence[Descriptor], depth: int, platform: Json | None) -> Iterator[Descriptor]:
        """The manifests that the entries refer to, directly or through indexes, in order, each once.

        An entry without a platform gets the platform of its index.
        """
        for entry in entries:
            if entry.digest in self._seen:
                continue
            self._seen.add(entry.digest)
            if len(self._seen) > IMAGES:
                raise BadInput(self.where, f"more than {IMAGES} manifests", f"at most {IMAGES} are read")
            own = entry.platform or platform
            if entry.media_type not in INDEXES_OF or self.members.path_of(entry.digest) not in self.members:
                yield entry._replace(platform=own)
                continue
            if depth == INDEXES:
                raise BadInput(self.members.where, f"more than {INDEXES} indexes in each other", "the image is hostile")
            index = read_manifest(self.members, entry)
            inner = manifests_in(index, blob_where(self.members, entry.digest))
            yield from self._manifests(inner, depth + 1, own)

    def _can_be_read(self, descriptor: Descriptor) -> bool:
        try:
            return self._is_whole(descriptor)
        except BadInput:
            return False

    def _is_whole(self, descriptor: Descriptor) -> bool:
        """Whether it is an image, and all its blobs exist that are not kept elsewhere by design. Raises BadInput."""
        if descriptor.media_type not in MANIFESTS_OF or self.members.path_of(descriptor.digest) not in self.members:
            return False
        manifest = read_manifest(self.members, descriptor)
        if not is_image(manifest):
            return False
        where = blob_where(self.members, descriptor.digest)
        parts = [manifest.get("config"), *items_of(manifest.get("layers"))]
        blobs = [Descriptor.from_json(part, where) for part in parts]
        return all(blob.is_foreign or self.members.path_of(blob.digest) in self.members for blob in blobs)


def _platform(members: Members, descriptor: Descriptor) -> Json | None:
    """The platform of an entry: its own, or else that in the manifest's config, as containerd does."""
    stated = descriptor.platform or {}
    if (stated.get("os") and stated.get("architecture")) or descriptor.media_type not in MANIFESTS_OF:
        return descriptor.platform
    try:
        config = Descriptor.from_json(read_manifest(members, descriptor).get("config"), members.where)
        document = read_linked(members, config, CONFIG_DOCUMENT)[1]
    except BadInput:
        return descriptor.platform
    return {"os": "linux"} | {key: document[key] for key in ("os", "architecture") if document.get(key)} | stated


def _may_be_image(members: Members, entry: Descriptor) -> bool:
    """Whether the entry refers to an index or an image; also if it cannot be read, since reading raises the error."""
    if entry.media_type in INDEXES_OF or members.path_of(entry.digest) not in members:
        return True
    if entry.media_type not in MANIFESTS_OF:
        return False
    try:
        return is_image(read_manifest(members, entry))
    except BadInput:
        return True
