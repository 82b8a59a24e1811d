"""What the members of a layer get in place of what the file system says: owner, time and mode."""

from __future__ import annotations

from typing import NamedTuple


class Stamp(NamedTuple):
    """Owner and time (seconds since 1970) that every member of a layer gets. Nix's own time is 1."""

    uid: int = 0
    gid: int = 0
    mtime: int = 1


class Rule(NamedTuple):
    """Owner and mode of the files at the root whose whole path, from `/` on, fits a regular expression."""

    pattern: str
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
