"""Records of what the file system cannot store: owners, set-id bits, devices, extended attributes."""

from __future__ import annotations

import os
import stat

import attrs

SET_ID = stat.S_ISUID | stat.S_ISGID
"""The bits of a mode that no process in Nix's sandbox can set (libstore, linux-derivation-builder.cc)."""

Key = tuple[int, int]
"""Device and inode number. They identify a file, whichever of its names is used."""


@attrs.frozen
class Record:
    """A file without a record belongs to 0:0 and is what the file system shows.

    `special` are the set-id bits. For a device node `kind` is stat.S_IFCHR or stat.S_IFBLK and `device` its number;
    an empty file stands for it. For every other file both are 0. `xattrs` are the attributes that a script may set:
    file capabilities and `user.*`.
    """

    uid: int = 0
    gid: int = 0
    special: int = 0
    kind: int = 0
    device: int = 0
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


PLAIN = Record()


class Records:
    """Records by file. `attribute_bytes` is the length of all names and values of attributes."""

    def __init__(self) -> None:
        self.known: dict[Key, Record] = {}
        self.attribute_bytes = 0

    def __getitem__(self, key: Key) -> Record:
        return self.known.get(key, PLAIN)

    def __setitem__(self, key: Key, record: Record) -> None:
        self.forget(key)
        if record != PLAIN:
            self.known[key] = record
            self.attribute_bytes += _attribute_bytes(record)

    def forget(self, key: Key) -> None:
        """The file is gone. Another file may get its number."""
        former = self.known.pop(key, None)
        if former:
            self.attribute_bytes -= _attribute_bytes(former)


def _attribute_bytes(record: Record) -> int:
    return sum(len(name) + len(value) for name, value in record.xattrs)


def key_of(info: os.stat_result) -> Key:
    return info.st_dev, info.st_ino
