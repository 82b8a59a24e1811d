"""Store paths and their references, as Nix passes them to a derivation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lamina.errors import BadInput
from lamina.limits import GRAPH_PATHS
from lamina.oci.strict_json import expect, file_name, strings

HASH_LENGTH = 32
"""Digits of the hash with which the name of a store path's file begins."""

HASH = f"[0-9a-df-np-sv-z]{{{HASH_LENGTH}}}"
"""A regular expression: digits of Nix's base-32, which has no e, o, t and u (Nix manual, "Store Path")."""

_STORE_PATH = rf"(?P<store>/(?:[^/]+/)*[^/]+)/(?P<hash>{HASH})-(?P<name>[0-9a-zA-Z+._?=-]+)"
_STORE_NAME = rf"{HASH}-.+"
_IN_STORE = rf"(/(?:[^/]+/)*{HASH}-[^/]+)(?:/|$)"


class PathInfo(NamedTuple):
    """A store path with the hash of its content as Nix prints it, and the size of its NAR in bytes."""

    path: str
    nar_hash: str
    nar_size: int
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The part after the hash: `hello-2.12`."""
        return split_store_path(self.path, self.path)[2]


Graph = Mapping[str, PathInfo]
"""The store paths of a closure, by path."""


def split_store_path(text: str, where: object) -> tuple[str, str, str]:
    """Store directory, hash and name. Raises BadInput: the text is not a complete store path."""
    match = re.fullmatch(_STORE_PATH, text)
    if not match or ".." in match["store"].split("/"):
        raise BadInput(where, f"{text!r:.120} is no store path", "it should look like /nix/store/HASH-NAME")
    return match["store"], match["hash"], match["name"]


def base_name(path: str) -> str:
    """The name of a store path's file: `HASH-NAME`."""
    return path.rpartition("/")[2]


def hash_of(path: str) -> str:
    """The hash in a store path."""
    return base_name(path)[:HASH_LENGTH]


def name_of(path: str) -> str:
    """The part of a store path after the hash: `hello-2.12`."""
    return base_name(path)[HASH_LENGTH + 1 :]


def store_path_in(path: str) -> str | None:
    """The store path that contains a path below it; None if no store path contains it. A store path contains itself."""
    match = re.match(_IN_STORE, path)
    return match[1] if match else None


def is_store_name(name: str) -> bool:
    """Whether a file with this name in a store directory is a store path: `HASH-NAME`."""
    return re.fullmatch(_STORE_NAME, name) is not None


def parse_graph(value: object, where: object) -> dict[str, PathInfo]:
    """The graph that `exportReferencesGraph` writes with `__structuredAttrs`.

    Shape: `[{"path", "narHash", "narSize", "references", ...}]` (Nix manual, "Advanced Attributes"). Raises BadInput.
    """
    graph: dict[str, PathInfo] = {}
    items = expect(value, list, "a closure graph", where)
    if len(items) > GRAPH_PATHS:
        raise BadInput(where, f"a closure graph of {len(items)} paths", f"at most {GRAPH_PATHS} are planned for")
    for item in items:
        info = parse_path_info(expect(item, dict, "an item of a closure graph", where), where)
        split_store_path(info.path, where)
        graph[info.path] = info
    return graph


def parse_path_info(item: dict[str, Any], where: object) -> PathInfo:
    """One item of a graph or of a recipe. In a recipe, the path need not be in a store. Raises BadInput."""
    nar_size = expect(item.get("narSize"), int, "narSize", where)
    if not 0 <= nar_size < 1 << 63:
        raise BadInput(where, f"narSize is {nar_size}", "the file is damaged")
    return PathInfo(
        path=file_name(item.get("path"), "path", where),
        nar_hash=expect(item.get("narHash"), str, "narHash", where),
        nar_size=nar_size,
        references=tuple(sorted(strings(item.get("references"), "references", where))),
    )


def reachable(graph: Graph, start: Iterable[str], where: object) -> list[PathInfo]:
    """The closure of some paths: these paths and everything that they refer to, directly or not, sorted by path.

    Raises BadInput: the graph does not contain a path that another refers to.
    """
    found: dict[str, PathInfo] = {}
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        if path not in graph:
            raise BadInput(where, f"the closure graph does not contain {path}", "the graph is damaged")
        found[path] = graph[path]
        waiting.extend(graph[path].references)
    return [found[path] for path in sorted(found)]
