"""System calls on extended attributes: file capabilities and `user.*` are recorded, others are refused."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable

import attrs

from lamina.limits import FILES_BYTES
from lamina.rootless.files import CAPABILITY, Arguments, Files, target
from lamina.rootless.records import Record
from lamina.rootless.thread import Stat, Steps, Thread, is_directory, refuse_unless

_XATTR_CREATE, _XATTR_REPLACE = 1, 2
_MAX_VALUE = 64 << 10
"""XATTR_SIZE_MAX."""
_MAX_OF_FILE = 128 << 10
"""Bytes of all names and values of one file. Linux allows 64 KiB of names, and ext4 64 KiB of values."""


class Attributes:
    """Emulates the calls, on the records of `files`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.calls: dict[str, Callable[[Thread, str, Arguments], Steps]] = {
            **{prefix + "setxattr": self._set for prefix in ("", "l", "f")},
            **{prefix + "getxattr": self._get for prefix in ("", "l", "f")},
            **{prefix + "listxattr": self._list for prefix in ("", "l", "f")},
            **{prefix + "removexattr": self._remove for prefix in ("", "l", "f")},
        }

    def _set(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        info = yield from target(thread, call, arguments)
        name = thread.text(arguments[1])
        refuse_unless(arguments[3] <= _MAX_VALUE, errno.E2BIG)
        value = thread.read(arguments[2], arguments[3])
        flags = arguments[4]
        _check_settable(name, info)
        record = self._files.record_of(info)
        present = dict(record.xattrs)
        refuse_unless(not (flags & _XATTR_CREATE and name in present), errno.EEXIST)
        refuse_unless(not (flags & _XATTR_REPLACE and name not in present), errno.ENODATA)
        present[name] = value
        self._check_room(present)
        self._put(info, record, present)
        return 0

    def _check_room(self, attributes: dict[bytes, bytes]) -> None:
        """Raises Refused: the records are in memory, so they have limits."""
        size = sum(len(name) + len(value) for name, value in attributes.items())
        refuse_unless(size <= _MAX_OF_FILE, errno.ENOSPC)
        refuse_unless(self._files.records.attribute_bytes + size <= FILES_BYTES.most, errno.ENOSPC)

    def _get(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        name = thread.text(arguments[1])
        if not _is_recorded(name):
            return (yield call, arguments)
        info = yield from target(thread, call, arguments)
        present = dict(self._files.record_of(info).xattrs)
        refuse_unless(name in present, errno.ENODATA)
        return _returned(thread, present[name], arguments[2], arguments[3])

    def _list(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        info = yield from target(thread, call, arguments)
        names = b"".join(name + b"\0" for name, _ in self._files.record_of(info).xattrs)
        return _returned(thread, names, arguments[1], arguments[2])

    def _remove(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        name = thread.text(arguments[1])
        if not _is_recorded(name):
            return (yield call, arguments)
        info = yield from target(thread, call, arguments)
        record = self._files.record_of(info)
        present = dict(record.xattrs)
        refuse_unless(name in present, errno.ENODATA)
        del present[name]
        self._put(info, record, present)
        return 0

    def _put(self, info: Stat, record: Record, attributes: dict[bytes, bytes]) -> None:
        self._files.set_record(info, attrs.evolve(record, xattrs=tuple(sorted(attributes.items()))))


def _is_recorded(name: bytes) -> bool:
    return name == CAPABILITY or name.startswith(b"user.")


def _check_settable(name: bytes, info: Stat) -> None:
    """Raises Refused: an attribute that cannot be set. `user.*` is for files and directories only (xattr(7)).

    Attributes that are not recorded would concern the build machine.
    """
    refuse_unless(_is_recorded(name), errno.EOPNOTSUPP)
    if name.startswith(b"user."):
        refuse_unless(stat.S_ISREG(info.mode) or is_directory(info))
    else:
        refuse_unless(stat.S_ISREG(info.mode), errno.EINVAL)


def _returned(thread: Thread, data: bytes, address: int, room: int) -> int:
    """Write a value to the caller's buffer, unless `room` is 0; returns its size. Raises Refused: it does not fit."""
    if room:
        refuse_unless(room >= len(data), errno.ERANGE)
        thread.write(address, data)
    return len(data)
