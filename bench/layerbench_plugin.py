"""Lamina's planners as plug-ins of layerbench, a simulator of updates: `--plugin bench/layerbench_plugin.py:plan`.

The simulator's paths are tuples of its own. Its names lose what would look like a version, and its hashes the digits
that Nix' base-32 does not have, so that they become store paths one to one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "builder"))

from lamina.planning import plan as planner
from lamina.planning.lock import Lock
from lamina.store.closure import PathInfo

Layers = list[list[Any]]

_DIGITS = str.maketrans("e", "z")


def plan(paths: Sequence[Any], max_layers: int, hint: object = None) -> Layers:
    """Without history: what users get who ask for nothing."""
    return _planned(paths, max_layers, None)


def plan_locked(paths: Sequence[Any], max_layers: int, hint: Sequence[Sequence[str]] | None = None) -> Layers:
    """With a lock, at first an empty one; `hint` is the simulator's word for the previous plan, in its own names."""
    lock = Lock(tuple(tuple(_name(name) for name in layer) for layer in hint or ()))
    return _planned(paths, max_layers, lock)


plan_locked.wants_hint = True  # type: ignore[attr-defined]


def store_paths(paths: Sequence[Any]) -> list[PathInfo]:
    """The simulator's paths as Lamina's, in the same order."""
    names = {path.path: _store_path(path) for path in paths}
    return [PathInfo(names[path.path], "", path.size, tuple(names[ref] for ref in path.refs)) for path in paths]


def _planned(paths: Sequence[Any], max_layers: int, lock: Lock | None) -> Layers:
    infos = store_paths(paths)
    original = {info.path: path for info, path in zip(infos, paths, strict=True)}
    layers = planner.plan(infos, max_layers, previous=lock)
    return [[original[info.path] for info in layer.paths] for layer in layers]


def _store_path(path: Any) -> str:
    digest = path.path[len("/nix/store/") :].partition("-")[0].translate(_DIGITS)
    version = re.sub(r"[^0-9a-zA-Z+.]", "_", path.path.partition(f"-{path.name}-")[2])
    return f"/nix/store/{digest}-{_name(path.name)}-0{version}"


def _name(name: str) -> str:
    return re.sub(r"-(?=[0-9])", "_", name)
