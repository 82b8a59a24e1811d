"""Closures for tests of planning."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from lamina.planning.plan import PlannedLayer
from lamina.store.closure import PathInfo

_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"  # Nix's base-32

MIB = 1 << 20


def store_path(name: str, salt: object = "") -> str:
    """The path has the name; the salt changes its hash, as a change of anything it refers to would."""
    digest = hashlib.sha256(f"{salt} {name}".encode()).digest()
    return "/nix/store/" + "".join(_DIGITS[byte % 32] for byte in digest) + "-" + name


def closure(paths: Mapping[str, tuple[int, Collection[str]]], salt: object = "") -> list[PathInfo]:
    """From `{name: (bytes, names that it refers to)}`."""
    return [
        PathInfo(store_path(name, salt), f"sha256:{name}", size, tuple(sorted(store_path(r, salt) for r in references)))
        for name, (size, references) in paths.items()
    ]


def names(layers: Sequence[PlannedLayer]) -> list[list[str]]:
    """Each layer's paths by name, sorted."""
    return [sorted(info.name for info in layer.paths) for layer in layers]
