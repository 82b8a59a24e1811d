"""Whiteouts: members of a layer that delete what the layers below have (OCI image spec, layer.md, "Whiteouts").

`.wh.NAME` deletes NAME from its directory, and `.wh..wh..opq` everything in it. Names that start with `.wh..wh.` are
aufs' own files, which docker and podman skip (moby pkg/archive/diff.go, WhiteoutMetaPrefix).
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Set
from typing import NamedTuple

PREFIX = b".wh."
_OPAQUE = b".wh..wh..opq"
_METADATA = b".wh..wh."


class Effect(enum.Enum):
    """What a member of this name does."""

    NONE = "a member like others"
    SKIPPED = "aufs' own file, which means nothing"
    HIDES = "deletes one name"
    EMPTIES = "deletes everything in its directory"


def read_whiteout(last: bytes) -> tuple[Effect, bytes]:
    """The effect of a member by the last part of its name, and the name that it deletes.

    The names "", "." and ".." can be deleted, too: for docker they are the directory itself, and the one above.
    """
    if not last.startswith(PREFIX):
        return Effect.NONE, b""
    if last == _OPAQUE:
        return Effect.EMPTIES, b""
    if last.startswith(_METADATA):
        return Effect.SKIPPED, b""
    return Effect.HIDES, last.removeprefix(PREFIX)


def is_metadata(path: str) -> bool:
    """Whether the member is one of aufs' own files, which readers skip."""
    return read_whiteout(posixpath.basename(path).encode(errors="surrogateescape"))[0] is Effect.SKIPPED


class Hidden(NamedTuple):
    """A path that a whiteout deletes, relative to the root, which is ""; with `inside` only what is in it."""

    path: str
    inside: bool

    def covers(self, path: str) -> bool:
        """Whether the path is deleted, too."""
        return (not self.inside and path == self.path) or not self.path or path.startswith(self.path + "/")


def clean_path(name: bytes) -> str:
    """The path of a member as unpackers clean it: relative to the root, and inside it. "" is the root."""
    return posixpath.normpath("/" + name.decode(errors="surrogateescape")).lstrip("/")


def hidden_path(path: str) -> Hidden | None:
    """What a member at this clean path deletes; None for a member that deletes nothing."""
    directory, last = posixpath.split(path)
    effect, target = read_whiteout(last.encode(errors="surrogateescape"))
    if effect is Effect.EMPTIES:
        return Hidden(directory, inside=True)
    if effect is Effect.HIDES:
        joined = posixpath.join("/", directory, target.decode(errors="surrogateescape"))
        return Hidden(posixpath.normpath(joined).lstrip("/"), inside=False)
    return None


def is_hidden(path: str, gone: Set[str], emptied: Set[str]) -> bool:
    """Whether higher layers delete the clean path: it or a directory above it is in `gone`, or is below `emptied`."""
    if not gone and not emptied:
        return False
    if "" in emptied or path in gone:
        return True
    while path := path.rpartition("/")[0]:
        if path in gone or path in emptied:
            return True
    return False
