"""References between the store paths of an image that no recipe describes: from its Nix database, or by searching.

A search looks for the hashes of the image's store paths in the names, the links and the data of each path's files, as
Nix does when it builds a path (libstore, references.cc).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import attrs

from lamina.data.blob import FileRange
from lamina.data.compression import spool
from lamina.data.progress import Progress
from lamina.image.contents import name_in_store
from lamina.image.layer import Layer
from lamina.report.contents import Contents
from lamina.report.members import STORE
from lamina.store.references import HASH_LENGTH, file_data, hashes_in, overlapping
from lamina.store.tree_blob import TreeBlob
from lamina.tar.read import entries
from lamina.tar.whiteout import clean_path
from lamina.tar.write import FILE


def searched(contents: Contents) -> Contents:
    """The contents with the references of all store paths: those that are not known are searched for.

    Reads every layer that has such a path. Raises BadInput: a layer cannot be read.
    """
    unknown = {path for path, known in contents.paths.items() if known.references is None}
    if not unknown:
        return contents
    hashes = {path.rpartition("/")[2][:HASH_LENGTH].encode(): path for path in contents.paths}
    found: dict[str, set[str]] = {path: set() for path in unknown}
    layers = [
        layer
        for layer, described in zip(contents.image.layers, contents.layers, strict=True)
        if any(held.path in unknown for held in described.paths)
    ]
    sizes = [layer.size for layer in layers]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    with Progress("searching for references", total) as progress:
        for layer in layers:
            for member, data in _data(layer, progress):
                path = f"/{STORE}/{name_in_store(member, STORE)}"
                if path in unknown:
                    found[path] |= {hashes[digest] for digest in hashes_in(data, hashes)}
    known = {path: attrs.evolve(contents.paths[path], references=tuple(sorted(found[path]))) for path in unknown}
    return attrs.evolve(contents, paths={**contents.paths, **known})


def referred_by_files(contents: Contents) -> Iterator[tuple[int, str, set[str]]]:
    """Layer, path and store paths of each file outside the store that refers to some. Reads the layers with such files.

    Raises BadInput: a layer cannot be read.
    """
    hashes = {path.rpartition("/")[2][:HASH_LENGTH].encode(): path for path in contents.paths}
    for number, (layer, described) in enumerate(zip(contents.image.layers, contents.layers, strict=True)):
        found: dict[str, set[str]] = {}
        if described.file_count and hashes:
            with Progress(f"searching {layer.where}", layer.size) as progress:
                for path, data in _data(layer, progress):
                    if not _is_nix(path) and (named := {hashes[digest] for digest in hashes_in(data, hashes)}):
                        found.setdefault(path, set()).update(named)
        for path, names in found.items():
            yield number, path, names


def _is_nix(path: str) -> bool:
    """Whether the file is a store path's, deletes one, or is Nix's own list of store paths."""
    return path.startswith((f"{STORE}/", "nix/var/nix/"))


def _names(path: str) -> bytes:
    """The part of a member's path that is in its store path."""
    base = name_in_store(path, STORE)
    return os.fsencode(path[len(STORE) + 1 + len(base) :] if base else path)


def _data(layer: Layer, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """The path of each member with its name and link, and then with each piece of its data. Raises BadInput."""
    if isinstance(layer.blob, TreeBlob):
        yield from _data_of_tree(layer.blob, progress)
        return
    # Data is read where a header says it is: a compressed layer becomes a temporary file first.
    blob = layer.blob if isinstance(layer.blob, FileRange) else spool(layer.blob, layer.where)
    for entry in entries(blob, layer.where):
        path = clean_path(entry.name)
        yield path, _names(path) + b"\0" + entry.link
        if entry.kind == FILE:
            data = FileRange(blob.source, blob.offset + entry.offset, entry.size)
            for piece in overlapping(data.chunks()):
                yield path, piece
        progress(entry.size)


def _data_of_tree(blob: TreeBlob, progress: Progress) -> Iterator[tuple[str, bytes]]:
    for item in blob.find():
        path = clean_path(item.member.name)
        yield path, _names(path) + b"\0" + item.member.link
        if item.member.kind == FILE:
            data = item.part.chunks() if item.part else file_data(item.source)
            for piece in overlapping(data):
                yield path, piece
        progress(item.member.size)
