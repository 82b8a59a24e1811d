"""What differs between two images: the config, the store paths with their versions, and files in no store path."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import attrs

from lamina.oci.strict_json import Json
from lamina.report.contents import Contents, StorePath
from lamina.report.members import File
from lamina.report.references import file_digests, searched
from lamina.tar.whiteout import hidden_path


@attrs.frozen
class ConfigChange:
    """A field of the config, a variable of Env or an item of a map, with its values; None where it is missing."""

    field: str
    old: str | None
    new: str | None


@attrs.frozen
class PathChange:
    """A package whose store path differs. `because`: dependencies whose own change is the reason of a rebuild."""

    old: StorePath
    new: StorePath
    because: tuple[str, ...] = ()

    @property
    def is_rebuild(self) -> bool:
        """Whether the version is the same."""
        return self.old.package.version == self.new.package.version


@attrs.frozen
class Comparison:
    """What differs from the image `old` to the image `new`. File names are without a slash before them."""

    old: Contents
    new: Contents
    config: tuple[ConfigChange, ...]
    added: tuple[StorePath, ...]
    removed: tuple[StorePath, ...]
    changed: tuple[PathChange, ...]
    files_added: tuple[str, ...]
    files_removed: tuple[str, ...]
    files_changed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether both are the same image: the same config and the same layers."""
        return self.old.image.document() == self.new.image.document()


def compare(old: Contents, new: Contents) -> Comparison:
    """The differences. Reads files that can differ only in content, and new store paths with unknown references.

    Raises BadInput: a layer cannot be read.
    """
    gone = {path: known for path, known in old.paths.items() if path not in new.paths}
    came = {path: known for path, known in new.paths.items() if path not in old.paths}
    new = searched(new, came)
    came = {path: new.paths[path] for path in came}
    pairs = list(_pairs(gone.values(), came.values()))
    matched = {path.path for pair in pairs for path in pair}
    changed = [PathChange(first, second, _causes(second, new, came)) for first, second in pairs]
    return Comparison(
        old,
        new,
        tuple(_config_changes(old.image.config, new.image.config)),
        tuple(sorted((path for path in came.values() if path.path not in matched), key=_by_name)),
        tuple(sorted((path for path in gone.values() if path.path not in matched), key=_by_name)),
        tuple(sorted(changed, key=lambda change: (change.is_rebuild, _by_name(change.new)))),
        *_file_changes(old, new),
    )


def _by_name(path: StorePath) -> tuple[str, str]:
    return path.full_name, path.path


def _pairs(gone: Iterable[StorePath], came: Iterable[StorePath]) -> Iterator[tuple[StorePath, StorePath]]:
    """Old and new store path of the same package and output: first those of the same version, then by version."""
    old: dict[str, list[StorePath]] = {}
    for path in gone:
        old.setdefault(path.package.label, []).append(path)
    new: dict[str, list[StorePath]] = {}
    for path in came:
        new.setdefault(path.package.label, []).append(path)
    for label in sorted(old.keys() & new.keys()):
        before, after = sorted(old[label], key=_by_name), sorted(new[label], key=_by_name)
        by_version: dict[str, list[StorePath]] = {}
        for path in reversed(before):
            by_version.setdefault(path.package.version, []).append(path)
        left = []
        for path in after:
            if same := by_version.get(path.package.version):
                yield same.pop(), path
            else:
                left.append(path)
        remaining = {path.path for paths in by_version.values() for path in paths}
        yield from zip((path for path in before if path.path in remaining), left, strict=False)


def _causes(path: StorePath, image: Contents, came: Mapping[str, StorePath]) -> tuple[str, ...]:
    """The names of the changed dependencies that do not refer to another changed path: the causes of a rebuild."""
    found: set[str] = set()
    seen = {path.path}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        below = [image.paths[name] for name in current.references or () if name in came and name != current.path]
        if not below and current is not path:
            found.add(current.full_name)
        for dependency in below:
            if dependency.path not in seen:
                seen.add(dependency.path)
                waiting.append(dependency)
    return tuple(sorted(found))


def _config_changes(old: Json, new: Json) -> Iterator[ConfigChange]:
    before, after = dict(_fields(old)), dict(_fields(new))
    for field in sorted(before.keys() | after.keys()):
        if before.get(field) != after.get(field):
            yield ConfigChange(field, before.get(field), after.get(field))


def _fields(document: Json) -> Iterator[tuple[str, str]]:
    """The config document as names and values: `Env.PATH`, `Labels.x`, `Cmd`, `architecture`."""
    for key, value in document.items():
        if key in ("config", "rootfs", "history"):
            continue
        yield key, _text(value)
    config = document.get("config")
    for key, value in config.items() if isinstance(config, dict) else ():
        if key == "Env" and isinstance(value, list):
            for variable in map(str, value):
                name, _, content = variable.partition("=")
                yield f"Env.{name}", content
        elif isinstance(value, dict):
            for name, item in value.items():
                yield f"{key}.{name}", "" if item in ({}, None) else _text(item)
        elif value not in (None, [], ""):
            yield key, _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_Place = tuple[int, File]


def _file_changes(old: Contents, new: Contents) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The names of files in no store path that were added, removed, changed."""
    before, after = visible_files(old), visible_files(new)
    changed = set()
    unsure: list[str] = []
    for path in before.keys() & after.keys():
        (below, first), (above, second) = before[path], after[path]
        if (first.kind, first.size, first.link) != (second.kind, second.size, second.link):
            changed.add(path)
        elif first.size and old.layers[below].diff_id != new.layers[above].diff_id:
            unsure.append(path)
    digests = [_digests(side, places, unsure) for side, places in ((old, before), (new, after))]
    changed |= {path for path in unsure if digests[0].get(path) != digests[1].get(path)}
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    return tuple(sorted(added)), tuple(sorted(removed)), tuple(sorted(changed))


def _digests(side: Contents, places: Mapping[str, _Place], paths: Iterable[str]) -> dict[str, bytes]:
    by_layer: dict[int, set[str]] = {}
    for path in paths:
        by_layer.setdefault(places[path][0], set()).add(path)
    found: dict[str, bytes] = {}
    for layer, names in by_layer.items():
        found |= file_digests(side.image.layers[layer], names)
    return found


def visible_files(contents: Contents) -> dict[str, _Place]:
    """The files in no store path that the image shows, with their layers: the highest that has one counts."""
    found: dict[str, _Place] = {}
    hidden: set[str] = set()
    emptied: set[str] = set()
    for number in reversed(range(len(contents.layers))):
        deleted: list[str] = []
        opaque: list[str] = []
        for file in contents.layers[number].files or ():
            if effect := hidden_path(file.path):
                (opaque if effect.inside else deleted).append(effect.path)
            elif file.path not in found and not _is_hidden(file.path, hidden, emptied):
                found[file.path] = number, file
        hidden.update(deleted)
        emptied.update(opaque)
    return found


def _is_hidden(path: str, hidden: set[str], emptied: set[str]) -> bool:
    """Whether a layer above deletes the path or a directory above it."""
    if not hidden and not emptied:
        return False
    if path in hidden:
        return True
    while path:
        path = path.rpartition("/")[0]
        if path in hidden or path in emptied:
            return True
    return False
