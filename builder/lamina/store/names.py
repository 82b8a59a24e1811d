"""Names and versions in the names of store paths, as Nix separates them."""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"-(?=[^a-zA-Z])", re.ASCII)
"""A version begins after the first dash that no letter follows (Nix manual, `builtins.parseDrvName`)."""

_OUTPUTS = frozenset(
    (
        "bin",
        "data",
        "debug",
        "dev",
        "devdoc",
        "dist",
        "doc",
        "info",
        "lib",
        "libgcc",
        "man",
        "out",
        "static",
        "terminfo",
    )
)
"""Names of outputs in nixpkgs, which Nix adds to a store path's name. Other names of outputs are not recognized."""


class PackageName(NamedTuple):
    """`openssl-3.0.12-dev` is the output `dev` of `openssl` in version `3.0.12`. Missing parts are empty."""

    name: str
    version: str = ""
    output: str = ""

    @property
    def label(self) -> str:
        """The name with its output: what stays the same when the version changes."""
        return f"{self.name}-{self.output}" if self.output else self.name


def package_name(text: str) -> PackageName:
    """The parts of a store path's name, without the hash."""
    found = next((match for match in _VERSION.finditer(text) if 0 < match.start() < len(text) - 1), None)
    name, version = (text[: found.start()], text[found.end() :]) if found else (text, "")
    rest, dash, last = (version or name).rpartition("-")
    if not dash or last not in _OUTPUTS or not rest:
        return PackageName(name, version)
    return PackageName(name, rest, last) if version else PackageName(rest, "", last)
