"""Searches an image for references between its store paths that neither a recipe nor a Nix database describes.

The search looks for the hashes of the image's store paths in the names, the links and the data of each path's files, as
Nix does when it builds a path (libstore, references.cc).
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, TypeGuard

import attrs

from lamina.data.blob import FileRange
from lamina.data.budget import Meter
from lamina.data.compression import spool
from lamina.data.progress import Progress
from lamina.image.cache import Cache
from lamina.image.contents import name_in_store
from lamina.image.layer import Layer
from lamina.limits import SEARCHED, SEARCHED_DATA
from lamina.oci.digest import sha256
from lamina.report.contents import Contents
from lamina.report.members import STORE
from lamina.report.remembered import are_texts, key_of
from lamina.store.references import file_data, hashes_in, overlapping
from lamina.store.tree_blob import TreeBlob
from lamina.tar.read import entries
from lamina.tar.whiteout import clean_path
from lamina.tar.write import FILE


@attrs.define
class Searches:
    """The references found so far. The images of an archive share it, and its limits are for all of them together."""

    places: Meter = attrs.field(factory=lambda: Meter(SEARCHED))
    data: Meter = attrs.field(factory=lambda: Meter(SEARCHED_DATA))
    found: dict[tuple[object, str], dict[str, list[str]]] = attrs.field(factory=dict)


def searched(
    contents: Contents,
    only: Collection[str] | None = None,
    cache: Cache | None = None,
    searches: Searches | None = None,
) -> Contents:
    """The contents with the references of all store paths, or of `only` some: unknown ones are searched for.

    Reads every layer that has such a path, unless the cache has its references. Raises BadInput: a layer cannot
    be read.
    """
    unknown = {path for path, known in contents.paths.items() if known.references is None}
    unknown &= unknown if only is None else set(only)
    if not unknown:
        return contents
    hashes = contents.by_hash()
    candidates = sha256("\0".join(sorted(contents.paths)).encode())
    found: dict[str, set[str]] = {path: set() for path in unknown}
    searches = searches or Searches()
    with Progress("searching for references") as progress:
        for layer, described in zip(contents.image.layers, contents.layers, strict=True):
            if unknown.isdisjoint(held.path for held in described.paths):
                continue
            key = key_of(layer, "references", among=candidates)
            remembered = cache.report(key).get("references") if cache and key else None
            if not _is_graph(remembered, contents.paths):
                if (layer.identity, candidates) not in searches.found:
                    searches.found[layer.identity, candidates] = _search(layer, hashes, searches, progress)
                remembered = searches.found[layer.identity, candidates]
                if cache and key:
                    cache.remember_report(key, {"references": remembered})
            for path, names in remembered.items():
                if path in found:
                    found[path].update(names)
    known = {path: attrs.evolve(contents.paths[path], references=tuple(sorted(found[path]))) for path in unknown}
    return attrs.evolve(contents, paths={**contents.paths, **known})


def _search(layer: Layer, hashes: Mapping[bytes, str], searches: Searches, progress: Progress) -> dict[str, list[str]]:
    """For each store path in the layer the store paths whose hashes occur in its files."""
    found: dict[str, set[str]] = {}
    count = _counter(searches.places, layer)
    for member in _opened(layer):
        searches.data.count(member.size, layer.budget, layer.where)
        if base := name_in_store(member.path, STORE):
            names = found.setdefault(f"/{STORE}/{base}", set())
            for data in member.pieces():
                names.update(hashes[digest] for digest in hashes_in(data, hashes, count))
        progress(member.size)
    return {path: sorted(names) for path, names in found.items()}


def _counter(places: Meter, layer: Layer) -> Callable[[int], None]:
    return lambda number: places.count(number, layer.budget, layer.where)


def _is_graph(value: object, paths: Collection[str]) -> TypeGuard[dict[str, list[str]]]:
    """Whether a remembered value has references between these paths."""
    return isinstance(value, dict) and all(
        are_texts(names) and all(name in paths for name in names) for names in value.values()
    )


def referred_by_files(contents: Contents) -> Iterator[tuple[int, str, set[str]]]:
    """Layer, path and store paths of each file outside the store that refers to some. Reads the layers with such files.

    Raises BadInput: a layer cannot be read.
    """
    hashes, places = contents.by_hash(), Meter(SEARCHED)
    for number, (layer, described) in enumerate(zip(contents.image.layers, contents.layers, strict=True)):
        found: dict[str, set[str]] = {}
        if described.file_count and hashes:
            count = _counter(places, layer)
            with Progress(f"searching {layer.where}", layer.size) as progress:
                for member in _opened(layer):
                    for data in () if _is_nix(member.path) else member.pieces():
                        if named := {hashes[digest] for digest in hashes_in(data, hashes, count)}:
                            found.setdefault(member.path, set()).update(named)
                    progress(member.size)
        for path, names in found.items():
            yield number, path, names


def file_digests(layer: Layer, files: Collection[str]) -> dict[str, bytes]:
    """The SHA-256 of the data of these files. Reads the layer. Raises BadInput: it cannot be read."""
    found = {}
    with Progress("comparing files", layer.size) as progress:
        for member in _opened(layer):
            if member.data and member.path in files:
                state = hashlib.sha256()
                for chunk in member.data():
                    state.update(chunk)
                found[member.path] = state.digest()
            progress(member.size)
    return found


def _is_nix(path: str) -> bool:
    """Whether the file is a store path's, deletes one, or is Nix's own list of store paths."""
    return path.startswith((f"{STORE}/", "nix/var/nix/"))


def _names(path: str) -> bytes:
    """The part of a member's path that is in its store path."""
    base = name_in_store(path, STORE)
    return os.fsencode(path[len(STORE) + 1 + len(base) :] if base else path)


class _Opened(NamedTuple):
    """A member of a layer whose data can be read."""

    path: str
    link: bytes
    size: int
    data: Callable[[], Iterator[bytes]] | None

    def pieces(self) -> Iterator[bytes]:
        """Everything that can contain a reference: its name within the store path, its link, its data."""
        yield _names(self.path) + b"\0" + self.link
        if self.data:
            yield from overlapping(self.data())


def _opened(layer: Layer) -> Iterator[_Opened]:
    """The members. If a layer is made from the store, its files are read there. Raises BadInput."""
    if isinstance(layer.blob, TreeBlob):
        for item in layer.blob.find():
            member, part = item.member, item.part
            data = part.chunks if part else functools.partial(file_data, item.source)
            is_file = member.kind == FILE
            yield _Opened(clean_path(member.name), member.link, member.size, data if is_file else None)
        return
    # Data is read where a header says it is: a compressed layer becomes a temporary file first.
    blob = layer.blob if isinstance(layer.blob, FileRange) else spool(layer.blob, layer.where)
    for entry in entries(blob, layer.where):
        place = FileRange(blob.source, blob.offset + entry.offset, entry.size)
        is_file = entry.kind == FILE
        yield _Opened(clean_path(entry.name), entry.link, entry.size, place.chunks if is_file else None)
