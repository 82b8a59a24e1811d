"""What files are said to be, where the file system cannot hold it: owners, set-id bits, devices, attributes."""

from __future__ import annotations

import os
import stat

import attrs

SPECIAL = stat.S_ISUID | stat.S_ISGID
"""The bits of a mode that Nix' sandbox does not let anybody set (libstore, linux-derivation-builder.cc)."""

Key = tuple[int, int]
"""Device and inode number: what one file is known by, whatever its names."""


@attrs.frozen
class Record:
    """A file whose record is missing belongs to 0:0 and is what the file system shows.

    `special` are set-id bits; `device` is the device number of a node, whose `kind` (stat.S_IFCHR or S_IFBLK) is 0
    for everything else: an empty file stands for a node. `xattrs` hold what the script may set: file capabilities
    and `user.*`.
    """

    uid: int = 0
    gid: int = 0
    special: int = 0
    kind: int = 0
    device: int = 0
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


PLAIN = Record()


class Records:
    """Records by file; those that say nothing are not kept."""

    def __init__(self) -> None:
        self.known: dict[Key, Record] = {}

    def __getitem__(self, key: Key) -> Record:
        return self.known.get(key, PLAIN)

    def __setitem__(self, key: Key, record: Record) -> None:
        if record == PLAIN:
            self.known.pop(key, None)
        else:
            self.known[key] = record

    def forget(self, key: Key) -> None:
        """The file is gone, and another one may get its number."""
        self.known.pop(key, None)


def key_of(info: os.stat_result) -> Key:
    return info.st_dev, info.st_ino
