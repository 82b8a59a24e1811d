"""The members of each layer, by the store path that contains them: names, sizes, and what a layer deletes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import attrs

from lamina.data.budget import Meter
from lamina.data.progress import Progress
from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.contents import deleted_from_store, name_in_store
from lamina.image.layer import Layer
from lamina.limits import FILES, LAYER_MEMBERS, LAYER_NAMES, STORE_PATHS
from lamina.oci.strict_json import Json
from lamina.report.remembered import are_texts, key_of, pairs_in
from lamina.store.tree_blob import TreeBlob
from lamina.tar.read import entries
from lamina.tar.whiteout import clean_path, hidden_path
from lamina.tar.write import BLOCK, DIRECTORY, stored_size

STORE = "nix/store"
_DATABASE = "nix/var/nix/db/db.sqlite"


@attrs.frozen
class HeldPath:
    """A store path in a layer: its bytes in the tar, headers and padding too, and the number of its members.

    Both are None if the path's files are not on this machine. `hidden`: a layer above deletes it, or parts of it.
    """

    path: str
    size: int | None = None
    count: int | None = None
    hidden: bool = False


@attrs.frozen
class File:
    """A member that is in no store path: its path without a slash before it, its type in tar, and its size.

    `stored` is its bytes in the tar. `link` is what a link refers to. A whiteout is a file.
    """

    path: str
    kind: bytes
    size: int
    stored: int
    link: str = ""


@attrs.define
class Members:
    """The members of one layer. `deleted` has names in the store, "" for everything in it."""

    paths: list[HeldPath] = attrs.field(factory=list)
    files: list[File] | None = None
    file_bytes: int = 0
    file_count: int = 0
    deleted: set[str] = attrs.field(factory=set)
    has_database: bool = False


@attrs.define
class Seen:
    """The members read so far, with common limits. The images of an archive share it, so each layer is read once."""

    headers: Meter = attrs.field(factory=lambda: Meter(LAYER_MEMBERS))
    kept: Meter = attrs.field(factory=lambda: Meter(FILES))
    names: Meter = attrs.field(factory=lambda: Meter(LAYER_NAMES))
    total: int = 0
    members: dict[tuple[object, bool], Members] = attrs.field(factory=dict)


@attrs.define
class _Reader:
    """Reads layers. A layer that occurs twice is read once."""

    files: bool
    cache: Cache | None
    progress: Progress
    seen: Seen

    def read(self, layer: Layer) -> Members:
        known = self.seen.members
        key = (layer.identity, self.files)
        if key not in known:
            known[key] = self._members(layer)
        return known[key]

    def _members(self, layer: Layer) -> Members:
        if layer.origin and layer.origin.kind == "store":
            return Members(paths=_in_the_store(layer, self.cache), files=[] if self.files else None)
        key = key_of(layer, "members")
        known = _from_json(self.cache.report(key)) if self.cache and key else None
        if known and (not self.files or not known.file_count):
            return attrs.evolve(known, files=[] if self.files else None)
        found = self._read(layer)
        if self.cache and key and known is None:
            self.cache.remember_report(key, _to_json(found))
        return found

    def _read(self, layer: Layer) -> Members:
        found = Members(files=[] if self.files else None)
        sizes: dict[str, list[int]] = {}
        for path, kind, size, stored, link in _items(layer):
            self.seen.headers.count(1, layer.budget, layer.where)
            self._add(found, sizes, layer, File(path, kind, size, stored, link))
            self.progress(stored)
        found.paths = [HeldPath(f"/{STORE}/{base}", size, count) for base, (size, count) in sizes.items()]
        self.seen.total += len(found.paths) + len(found.deleted)
        if self.seen.total > STORE_PATHS:
            remedy = "no store contains so many: it is hostile"
            raise BadInput(layer.where, f"more than {STORE_PATHS} store paths", remedy)
        return found

    def _add(self, found: Members, sizes: dict[str, list[int]], layer: Layer, file: File) -> None:
        if hidden := hidden_path(file.path):
            found.deleted |= deleted_from_store(hidden, STORE)
        elif base := name_in_store(file.path, STORE):
            numbers = sizes.setdefault(base, [0, 0])
            numbers[0] += file.stored
            numbers[1] += 1
            return
        elif file.kind == DIRECTORY:
            return
        elif file.path == STORE or STORE.startswith(file.path + "/"):
            found.deleted.add("")
        found.has_database |= file.path == _DATABASE
        found.file_bytes += file.stored
        found.file_count += 1
        if found.files is not None:
            self.seen.kept.count(1, layer.budget, layer.where)
            self.seen.names.count(len(file.path) + len(file.link), layer.budget, layer.where)
            found.files.append(file)


def members_of(
    layers: Iterable[Layer], *, files: bool, cache: Cache | None = None, seen: Seen | None = None
) -> list[Members]:
    """The members of each layer; with `files`, also the list of those in no store path. Raises BadInput."""
    with Progress("reading the contents of layers") as progress:
        reader = _Reader(files, cache, progress, seen or Seen())
        return [reader.read(layer) for layer in layers]


def every_file(layers: Iterable[Layer], headers: Meter) -> Iterator[tuple[int, File]]:
    """Every member of all layers, in store paths or not, with the number of its layer, from 0. Raises BadInput.

    `headers` counts them, for all images that are shown.
    """
    for number, layer in enumerate(layers):
        for path, kind, size, stored, link in _items(layer):
            headers.count(1, layer.budget, layer.where)
            yield number, File(path, kind, size, stored, link)


def _items(layer: Layer) -> Iterator[tuple[str, bytes, int, int, str]]:
    """Path, type, size, bytes in the tar and link of each member. A layer from the store is not built for it."""
    if isinstance(layer.blob, TreeBlob):
        for item in layer.blob.find():
            member = item.member
            link = os.fsdecode(member.link)
            yield clean_path(member.name), member.kind, member.size, stored_size(member), link
        return
    start = 0
    for entry in entries(layer.blob, layer.where):
        end = entry.offset + entry.size
        end += -end % BLOCK
        yield clean_path(entry.name), entry.kind, entry.size, end - start, os.fsdecode(entry.link)
        start = end


def _in_the_store(layer: Layer, cache: Cache | None) -> list[HeldPath]:
    """The paths of a layer that is made from the store, with their sizes: remembered, or from looking at each file."""
    assert layer.origin
    paths = sorted({info.path for info in layer.origin.paths})
    key = key_of(layer, "sizes")
    pairs = pairs_in(cache.report(key).get("sizes"), len(paths)) if cache and key else None
    if pairs is None:
        try:
            pairs = _sizes(layer, paths)
        except BadInput:  # a file is not on this machine
            return [HeldPath(path) for path in paths]
        if cache and key:
            cache.remember_report(key, {"sizes": [list(pair) for pair in pairs]})
    return [HeldPath(path, *pair) for path, pair in zip(paths, pairs, strict=True)]


def _from_json(value: Json) -> Members | None:
    """The members from the JSON of `_to_json`; None if the value has another form."""
    paths, deleted = value.get("paths"), value.get("deleted")
    size, count = value.get("fileBytes"), value.get("fileCount")
    if not are_texts(paths) or not are_texts(deleted) or type(size) is not int or type(count) is not int:
        return None
    pairs = pairs_in(value.get("sizes"), len(paths))
    if pairs is None:
        return None
    held = [HeldPath(path, *pair) for path, pair in zip(paths, pairs, strict=True)]
    return Members(held, None, size, count, set(deleted), value.get("hasDatabase") is True)


def _to_json(members: Members) -> Json:
    return {
        "paths": [held.path for held in members.paths],
        "sizes": [[held.size, held.count] for held in members.paths],
        "deleted": sorted(members.deleted),
        "fileBytes": members.file_bytes,
        "fileCount": members.file_count,
        "hasDatabase": members.has_database,
    }


def _sizes(layer: Layer, paths: list[str]) -> list[tuple[int, int]]:
    """Bytes and number of the members of each path. Members have the paths' order. Raises BadInput."""
    assert isinstance(layer.blob, TreeBlob)
    found = {os.fsencode(path): [0, 0] for path in paths}
    top, numbers = b"", [0, 0]
    for item in layer.blob.find():
        source = item.source
        if source in found:
            top, numbers = source, found[source]
        elif not source.startswith(top + b"/"):
            continue  # a directory above the paths
        numbers[0] += stored_size(item.member)
        numbers[1] += 1
    return [(bytes_, count) for bytes_, count in found.values()]
