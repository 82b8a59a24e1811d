"""Reads files at a few known paths of an image's file system, with limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

from lamina.data.blob import Stream
from lamina.data.budget import Budget, Meter
from lamina.image.layer import Layer
from lamina.limits import LAYER_MEMBERS, PACKAGE_DATABASES, PACKAGES
from lamina.tar.read import Entry, entries
from lamina.tar.whiteout import clean_path, hidden_path, is_hidden
from lamina.tar.write import DIRECTORY, FILE


@attrs.frozen
class FoundFile:
    """A regular file of the image: its data, the number of its layer, from 0, and its name in errors."""

    data: bytes
    layer: int
    where: str
    budget: Budget | None = None


def found_files(layers: Sequence[Layer], asked: Callable[[str], bool]) -> dict[str, FoundFile]:
    """The regular files at the requested paths, as the image's file system shows them.

    Layers that are made of store paths are not read. Raises BadInput: a layer cannot be read, or a file is too large.
    """
    found: dict[str, FoundFile] = {}
    decided: set[str] = set()
    gone: set[str] = set()
    emptied: set[str] = set()
    headers, size, packages = Meter(LAYER_MEMBERS), Meter(PACKAGE_DATABASES), Meter(PACKAGES)
    for number, layer in reversed(list(enumerate(layers))):
        if layer.origin and layer.origin.kind == "store":
            continue
        members: dict[str, Entry] = {}
        own_gone: set[str] = set()
        own_emptied: set[str] = set()
        for entry in entries(layer.blob, layer.where):
            headers.count(1, layer.budget, layer.where)
            path = clean_path(entry.name)
            if hidden := hidden_path(path):
                (own_emptied if hidden.inside else own_gone).add(hidden.path)
            elif asked(path):
                members[path] = entry
            elif entry.kind != DIRECTORY:
                own_gone.add(path)  # also hides what lower layers have below it
        visible = {path: entry for path, entry in members.items()
                   if path not in decided and not is_hidden(path, gone, emptied)}  # fmt: skip
        packages.count(len(members.keys() - decided), layer.budget, layer.where)
        decided |= set(members)
        files = {path: entry for path, entry in visible.items() if entry.kind == FILE}
        for path, data in _data(layer, files, size):
            found[path] = FoundFile(data, number, f"{layer.where}({path})", layer.budget)
        gone |= own_gone
        emptied |= own_emptied
    return found


def _data(layer: Layer, files: dict[str, Entry], size: Meter) -> Iterable[tuple[str, bytes]]:
    stream = Stream(layer.blob)
    for path, entry in sorted(files.items(), key=lambda item: item[1].offset):
        size.count(entry.size, layer.budget, f"{layer.where}({path})")
        stream.skip(entry.offset - stream.position)
        yield path, stream.read(entry.size)
