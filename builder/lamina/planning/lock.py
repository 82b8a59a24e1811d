"""Lock files: an earlier plan, with names of paths that stay the same when hashes and versions change."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import attrs

from lamina.data.destination import open_output
from lamina.errors import BadInput
from lamina.oci.strict_json import expect, read_json_file, strings
from lamina.store.closure import PathInfo

VERSION = 1
"""Version of the format."""


_VERSION_PART = re.compile(r"(?<=.)-[0-9][^-]*")
"""A part of a store path's name that begins with a digit, with the dash before it."""


@attrs.frozen
class Lock:
    """An earlier plan: for each layer the names of its paths (`lock_names`). Without layers, there is no plan yet."""

    layers: tuple[tuple[str, ...], ...] = ()


def lock_names(infos: Iterable[PathInfo]) -> dict[str, str]:
    """For each path its name in a lock, which stays the same when the hash or the version changes.

    It is the store path's name without the parts that begin with a digit: `openssl-3.0.13-dev` becomes `openssl-dev`.
    If several paths have the same name, the second is `NAME~2` (no store path has a tilde in its name).
    """
    by_name: dict[str, list[PathInfo]] = defaultdict(list)
    for info in infos:
        by_name[_VERSION_PART.sub("", info.name)].append(info)
    result: dict[str, str] = {}
    for name, several in by_name.items():
        several.sort(key=lambda info: (info.name, info.nar_size, info.nar_hash, info.path))
        for count, info in enumerate(several, 1):
            result[info.path] = name if count == 1 else f"{name}~{count}"
    return result


def lock_of(layers: Iterable[Iterable[PathInfo]]) -> Lock:
    """The lock of a plan, given the paths of each layer."""
    grouped = [list(paths) for paths in layers]
    names = lock_names(info for paths in grouped for info in paths)
    return Lock(tuple(tuple(sorted(names[info.path] for info in paths)) for paths in grouped))


def lock_bytes(lock: Lock) -> bytes:
    """The content of a lock file: JSON with one name per line, so that a diff shows which paths have moved."""
    value = {"version": VERSION, "layers": lock.layers}
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def write_lock(lock: Lock, path: str | os.PathLike[str]) -> None:
    """Write a lock file. Raises LaminaError: it cannot be written."""
    with open_output(path) as out:
        out.file.write(lock_bytes(lock))


def read_lock(path: Path) -> Lock:
    """Read a lock file. Raises BadInput: not a lock, another version, or unknown fields."""
    return parse_lock(read_json_file(path, "give a lock file that lamina plan wrote"), path)


def parse_lock(value: object, where: object) -> Lock:
    """The lock in a JSON value. Raises BadInput as `read_lock`."""
    fields = expect(value, dict, "a lock", where)
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        remedy = f"this Lamina reads version {VERSION}: write the lock again"
        raise BadInput(where, f"lock of version {version!r:.20}", remedy)
    if unknown := sorted(set(fields) - {"version", "layers"}):
        raise BadInput(where, f"the lock has the unknown field {unknown[0]!r:.60}", "write the lock again")
    layers = expect(fields.get("layers"), list, "layers", where)
    lock = Lock(tuple(tuple(strings(layer, "a layer of a lock", where)) for layer in layers))
    names = [name for layer in lock.layers for name in layer]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(where, f"{twice!r:.120} occurs twice in the lock", "write the lock again")
    return lock
