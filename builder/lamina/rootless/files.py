"""Calls on files: what the kernel would refuse is recorded, and what was recorded is shown."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable, Generator

import attrs

from lamina.rootless.records import SPECIAL, Record, Records
from lamina.rootless.thread import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    Call,
    Refused,
    Stat,
    Steps,
    Thread,
    is_directory,
    refuse_unless,
)

Arguments = tuple[int, ...]
_KEEP = 0xFFFFFFFF
_RENAME_EXCHANGE = 2
_XATTR_CREATE, _XATTR_REPLACE = 1, 2
_MAX_XATTR = 64 << 10
_CAPABILITY = b"security.capability"


class Files:
    """Emulates the calls, on one table of records."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.calls: dict[str, Callable[[Thread, str, Arguments], Steps]] = {
            **dict.fromkeys(("stat", "lstat", "fstat", "newfstatat"), self._stat),
            "statx": self._statx,
            **dict.fromkeys(("chown", "lchown", "fchown", "fchownat"), self._chown),
            **dict.fromkeys(("chmod", "fchmod", "fchmodat", "fchmodat2"), self._chmod),
            **dict.fromkeys(("mknod", "mknodat"), self._mknod),
            **dict.fromkeys(("open", "openat", "openat2", "creat"), self._open),
            **dict.fromkeys(("mkdir", "mkdirat", "symlink", "symlinkat"), self._make),
            **dict.fromkeys(("unlink", "rmdir", "unlinkat"), self._unlink),
            **dict.fromkeys(("rename", "renameat", "renameat2"), self._rename),
            **{prefix + "setxattr": self._setxattr for prefix in ("", "l", "f")},
            **{prefix + "getxattr": self._getxattr for prefix in ("", "l", "f")},
            **{prefix + "listxattr": self._listxattr for prefix in ("", "l", "f")},
            **{prefix + "removexattr": self._removexattr for prefix in ("", "l", "f")},
        }

    def _stat(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        result = yield call, arguments
        address = arguments[2 if call == "newfstatat" else 1]
        if result == 0:
            machine = thread.machine
            fields = thread.stat_fields(thread.read(address, machine.stat.size))
            record = self.records[fields["dev"], fields["ino"]]
            shown = fields | {
                "mode": _mode(fields["mode"], record),
                "uid": record.uid,
                "gid": record.gid,
                "rdev": record.device if record.kind else fields["rdev"],
            }
            if shown != fields:
                thread.write(address, machine.stat.pack(*shown.values()))
        return result

    def _statx(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """struct statx: include/uapi/linux/stat.h."""
        result = yield call, arguments
        if result == 0:
            address = arguments[4]
            data = bytearray(thread.read(address, 144))
            inode: int = struct.unpack_from("=Q", data, 32)[0]
            major, minor = struct.unpack_from("=II", data, 136)
            record = self.records[os.makedev(major, minor), inode]
            mode: int = struct.unpack_from("=H", data, 28)[0]
            struct.pack_into("=IIH", data, 20, record.uid, record.gid, _mode(mode, record))
            if record.kind:
                struct.pack_into("=II", data, 128, *_major_minor(record.device))
            thread.write(address, bytes(data))
        return result

    def _chown(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        place = {"chown": 1, "lchown": 1, "fchown": 1, "fchownat": 2}[call]
        uid, gid = (value & _KEEP for value in arguments[place : place + 2])
        info = yield from _target(thread, call, arguments, flags=arguments[4] if call == "fchownat" else 0)
        before = self.records[info.key]
        after = attrs.evolve(
            before,
            uid=before.uid if uid == _KEEP else uid,
            gid=before.gid if gid == _KEEP else gid,
            special=_kept_by_chown(info.mode, before.special),
            xattrs=tuple(item for item in before.xattrs if item[0] != _CAPABILITY),
        )
        mine = before.uid == thread.owners.users[1] and after.uid == before.uid
        refuse_unless(thread.owners.is_root or mine)
        self._record(info, after)
        return 0

    def _chmod(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """The set-id bits are recorded, the rest is done."""
        place = 2 if call.startswith("fchmodat") else 1
        mode = arguments[place]
        result = yield call, (*arguments[:place], mode & ~SPECIAL, *arguments[place + 1 :])
        if result == 0:
            info = yield from _target(thread, call, arguments, flags=arguments[3] if call == "fchmodat2" else 0)
            self._record(info, attrs.evolve(self.records[info.key], special=mode & SPECIAL))
        return result

    def _mknod(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """An empty file stands for a device; pipes and sockets are what they are."""
        place = 1 if call == "mknodat" else 0
        mode, device = arguments[place + 1], arguments[place + 2] & 0xFFFFFFFF
        kind = stat.S_IFMT(mode)
        is_device = kind in (stat.S_IFCHR, stat.S_IFBLK)
        refuse_unless(thread.owners.is_root or not is_device)
        real = (stat.S_IFREG if is_device else kind) | stat.S_IMODE(mode) & ~SPECIAL
        result = yield call, (*arguments[: place + 1], real, 0 if is_device else device, *arguments[place + 3 :])
        owner = thread.owners.of_new_files
        if result == 0 and (is_device or mode & SPECIAL or owner != (0, 0)):
            directory = arguments[0] if place else AT_FDCWD
            info = yield from thread.look("newfstatat", directory, arguments[place], 0, AT_SYMLINK_NOFOLLOW)
            record = Record(*owner, special=mode & SPECIAL)
            self._record(info, attrs.evolve(record, kind=kind, device=device) if is_device else record)
        return result

    def _open(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """A file that was not there belongs to whom the thread takes itself for."""
        directory, path = arguments[:2] if call in ("openat", "openat2") else (AT_FDCWD, arguments[0])
        before = yield from _look_if_there(thread, directory, path, 0)
        result = yield call, arguments
        if result >= 0 and before is None:
            info = yield from thread.look("fstat", result, 0)
            self._record(info, Record(*thread.owners.of_new_files))
        return result

    def _make(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        result = yield call, arguments
        if result == 0:
            place = {"mkdir": 0, "mkdirat": 1, "symlink": 1, "symlinkat": 2}[call]
            directory = arguments[place - 1] if call.endswith("at") else AT_FDCWD
            info = yield from thread.look("newfstatat", directory, arguments[place], 0, AT_SYMLINK_NOFOLLOW)
            self._record(info, Record(*thread.owners.of_new_files))
        return result

    def _unlink(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        directory, path = arguments[:2] if call == "unlinkat" else (AT_FDCWD, arguments[0])
        info = yield from _look_if_there(thread, directory, path)
        return (yield from self._taking(thread, info, (directory, path), (call, arguments)))

    def _rename(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """A file that another one takes the name of may be gone."""
        one, other = ((AT_FDCWD, arguments[0]), (AT_FDCWD, arguments[1]))
        if call != "rename":
            one, other = arguments[:2], arguments[2:4]  # type: ignore[assignment]
        moved = yield from _look_if_there(thread, *one)
        replaced = yield from _look_if_there(thread, *other)
        exchanged = call == "renameat2" and arguments[4] & _RENAME_EXCHANGE
        if not (moved and replaced) or replaced.key == moved.key or exchanged:
            return (yield call, arguments)
        return (yield from self._taking(thread, replaced, other, (call, arguments)))

    def _taking(self, thread: Thread, info: Stat | None, place: tuple[int, ...], call: Call) -> Steps:
        """Make a call that takes the name at a place from a file, and forget a file that has none left.

        Others may take its other names at the same time, so a file that has some is held open and asked afterwards.
        """
        held = -1
        if info and info.links > 1 and not is_directory(info):
            held = yield "openat", (*place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0)
        result = yield call
        if held >= 0:
            now = yield from thread.look("fstat", held, 0)
            if now.is_gone:
                self.records.forget(now.key)
            yield "close", (held,)
        elif result == 0 and info and (info.links <= 1 or is_directory(info)):
            self.records.forget(info.key)
        return result

    def _setxattr(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        info = yield from _target(thread, call, arguments)
        name = thread.text(arguments[1])
        refuse_unless(arguments[3] <= _MAX_XATTR, errno.E2BIG)
        value = thread.read(arguments[2], arguments[3])
        flags = arguments[4]
        _check_settable(name, info)
        before = self.records[info.key]
        held = dict(before.xattrs)
        refuse_unless(not (flags & _XATTR_CREATE and name in held), errno.EEXIST)
        refuse_unless(not (flags & _XATTR_REPLACE and name not in held), errno.ENODATA)
        held[name] = value
        self._record(info, attrs.evolve(before, xattrs=tuple(sorted(held.items()))))
        return 0

    def _getxattr(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        name = thread.text(arguments[1])
        if not _is_recorded(name):
            return (yield call, arguments)
        info = yield from _target(thread, call, arguments)
        held = dict(self.records[info.key].xattrs)
        refuse_unless(name in held, errno.ENODATA)
        return _give(thread, held[name], arguments[2], arguments[3])

    def _listxattr(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        info = yield from _target(thread, call, arguments)
        names = b"".join(name + b"\0" for name, _ in self.records[info.key].xattrs)
        return _give(thread, names, arguments[1], arguments[2])

    def _removexattr(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        name = thread.text(arguments[1])
        if not _is_recorded(name):
            return (yield call, arguments)
        info = yield from _target(thread, call, arguments)
        before = self.records[info.key]
        refuse_unless(name in dict(before.xattrs), errno.ENODATA)
        left = tuple(item for item in before.xattrs if item[0] != name)
        self._record(info, attrs.evolve(before, xattrs=left))
        return 0

    def _record(self, info: Stat, record: Record) -> None:
        """A file without a name cannot come into a layer, and nobody would tell when its number is free again."""
        if not info.is_gone:
            self.records[info.key] = record


def _target(thread: Thread, call: str, arguments: Arguments, flags: int = 0) -> Generator[Call, int, Stat]:
    """The file that a call is about. Raises Refused."""
    if call.startswith("f") and not call.endswith(("at", "at2")):
        return (yield from thread.look("fstat", arguments[0], 0))
    if call.endswith(("at", "at2")):
        directory, path = arguments[0], arguments[1]
    else:
        directory, path = AT_FDCWD, arguments[0]
    if call.startswith("l") and call != "listxattr":
        flags |= AT_SYMLINK_NOFOLLOW
    flags &= AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH
    return (yield from thread.look("newfstatat", directory, path, 0, flags))


def _look_if_there(
    thread: Thread, directory: int, path: int, flags: int = AT_SYMLINK_NOFOLLOW
) -> Generator[Call, int, Stat | None]:
    try:
        return (yield from thread.look("newfstatat", directory, path, 0, flags))
    except Refused:
        return None


def _mode(real: int, record: Record) -> int:
    return (record.kind or stat.S_IFMT(real)) | stat.S_IMODE(real) | record.special


def _kept_by_chown(mode: int, special: int) -> int:
    """A program loses its set-id bits when it changes hands (chown(2)); set-gid without x means something else."""
    if not stat.S_ISREG(mode):
        return special
    return special & (0 if mode & stat.S_IXGRP else stat.S_ISGID)


def _is_recorded(name: bytes) -> bool:
    return name == _CAPABILITY or name.startswith(b"user.")


def _check_settable(name: bytes, info: Stat) -> None:
    """Other attributes mean something to this machine only; `user.*` is for files and directories (xattr(7))."""
    refuse_unless(_is_recorded(name), errno.EOPNOTSUPP)
    if name.startswith(b"user."):
        refuse_unless(stat.S_ISREG(info.mode) or is_directory(info))
    else:
        refuse_unless(stat.S_ISREG(info.mode), errno.EINVAL)


def _give(thread: Thread, data: bytes, address: int, room: int) -> int:
    if room:
        refuse_unless(room >= len(data), errno.ERANGE)
        thread.write(address, data)
    return len(data)


def _major_minor(device: int) -> tuple[int, int]:
    """A device number as mknod(2) takes it (include/linux/kdev_t.h, new_decode_dev)."""
    return (device & 0xFFF00) >> 8, (device & 0xFF) | (device >> 12) & 0xFFF00
