"""The files that an image shows, with their modes: all layers, without the data of any file."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping

import attrs

from lamina.data.budget import Meter
from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.limits import FILES, LAYER_MEMBERS, LAYER_NAMES, PATH_LINKS, STEPS
from lamina.store.tree_blob import TreeBlob
from lamina.tar.links import follow
from lamina.tar.read import SPARSE, entries, member
from lamina.tar.whiteout import clean_path, hidden_path, is_hidden, is_metadata
from lamina.tar.write import DIRECTORY, SYMLINK


@attrs.frozen
class SeenFile:
    """A file by its type in tar, mode, size, and what it refers to as a link; `layer` counts from 0."""

    kind: bytes
    mode: int
    size: int
    link: str
    layer: int


def seen_files(image: Image) -> dict[str, SeenFile]:
    """The image's files by their paths without a slash before them, directories included.

    Store paths that are not on this machine have no files. Raises BadInput: a layer cannot be read.
    """
    found: dict[str, SeenFile] = {}
    gone: set[str] = set()
    emptied: set[str] = set()
    headers, kept, names, steps = Meter(LAYER_MEMBERS), Meter(FILES), Meter(LAYER_NAMES), Meter(STEPS)
    for number, layer in reversed(list(enumerate(image.layers))):
        own_gone: set[str] = set()
        own_emptied: set[str] = set()
        members: dict[str, SeenFile] = {}
        for path, seen in _members(layer, number):
            headers.count(1, layer.budget, layer.where)
            if hidden := hidden_path(path):
                (own_emptied if hidden.inside else own_gone).add(hidden.path)
            elif not is_metadata(path):
                names.count(len(path) + len(seen.link), layer.budget, layer.where)
                members[path] = seen
        for path, seen in members.items():
            if gone or emptied:
                steps.count(path.count("/"), layer.budget, layer.where)
            if path not in found and not is_hidden(path, gone, emptied):
                kept.count(1, layer.budget, layer.where)
                found[path] = seen
            if seen.kind != DIRECTORY:
                own_gone.add(path)
        gone |= own_gone
        emptied |= own_emptied
    return found


def _members(layer: Layer, number: int) -> Iterator[tuple[str, SeenFile]]:
    if isinstance(layer.blob, TreeBlob):
        try:
            for item in layer.blob.find():
                about = item.member
                yield (
                    clean_path(about.name),
                    SeenFile(about.kind, about.mode, about.size, os.fsdecode(about.link), number),
                )
        except BadInput:
            if not layer.origin or layer.origin.kind != "store":
                raise
        return
    for entry in entries(layer.blob, layer.where):
        mode = 0o644 if entry.kind == SPARSE else member(entry, layer.where).mode
        yield clean_path(entry.name), SeenFile(entry.kind, mode, entry.size, os.fsdecode(entry.link), number)


def resolved(files: Mapping[str, SeenFile], path: str) -> str | None:
    """The path behind all links, within the root; None if it does not exist."""
    parts: list[str] = []

    def enter(part: bytes, _: bool) -> bytes | None:
        name = "/".join([*parts, os.fsdecode(part)])
        seen = files.get(name)
        if seen and seen.kind == SYMLINK:
            return os.fsencode(seen.link)
        parts.append(os.fsdecode(part))
        return None

    def leave() -> None:
        del parts[-1:]

    words = [os.fsencode(part) for part in path.split("/") if part]
    if not follow(words, enter, leave, parts.clear, limit=PATH_LINKS, count=lambda _: None):
        return None
    name = posixpath.join(*parts) if parts else ""
    return name if name in files or any(other.startswith(f"{name}/") for other in files) else None
