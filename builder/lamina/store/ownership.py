"""Owner, time and mode of the members of a layer, which replace those of the file system."""

from __future__ import annotations

from typing import NamedTuple


class Stamp(NamedTuple):
    """Owner and time (seconds since 1970) of every member of a layer. The time of files in a Nix store is 1."""

    uid: int = 0
    gid: int = 0
    mtime: int = 1


class Rule(NamedTuple):
    """Owner and mode of files at the root. `pattern` is a regular expression for a whole path that starts with `/`."""

    pattern: str
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
