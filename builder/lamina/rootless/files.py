"""System calls on files. What the kernel would refuse is recorded instead, and records are shown to the script."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable, Generator

import attrs

from lamina.limits import FILES
from lamina.rootless.machine import AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, O_TMPFILE
from lamina.rootless.records import PLAIN, SET_ID, Key, Record, Records
from lamina.rootless.thread import (
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
CAPABILITY = b"security.capability"
_KEEP = 0xFFFFFFFF
_UINT, _MODE = 0xFFFFFFFF, 0xFFFF
"""How much of a register the kernel reads: as unsigned int, as umode_t."""
_RENAME_EXCHANGE = 2
_OPEN_HOW = struct.Struct("=QQQ")
"""struct open_how: flags, mode, resolve (linux/openat2.h)."""


@attrs.frozen
class _Opening:
    """An open call: where, how, and the position or address of the mode."""

    directory: int
    path: int
    flags: int
    mode: int

    @property
    def is_nameless(self) -> bool:
        return bool(self.flags & O_TMPFILE)

    @property
    def creates(self) -> bool:
        return self.is_nameless or bool(self.flags & os.O_CREAT)


class Files:
    """Emulates the calls, with one table of records.

    `nameless` are records of files that have no name. Such a file is not in a layer, but a name can be given to it.
    """

    def __init__(self, records: Records) -> None:
        self.records = records
        self.nameless: dict[Key, Record] = {}
        self.calls: dict[str, Callable[[Thread, str, Arguments], Steps]] = {
            **dict.fromkeys(("stat", "lstat", "fstat", "newfstatat"), self._stat),
            "statx": self._statx,
            **dict.fromkeys(("chown", "lchown", "fchown", "fchownat"), self._chown),
            **dict.fromkeys(("chmod", "fchmod", "fchmodat", "fchmodat2"), self._chmod),
            **dict.fromkeys(("mknod", "mknodat"), self._mknod),
            **dict.fromkeys(("open", "openat", "openat2", "creat"), self._open),
            "linkat": self._linkat,
            **dict.fromkeys(("mkdir", "mkdirat", "symlink", "symlinkat"), self._make),
            **dict.fromkeys(("unlink", "rmdir", "unlinkat"), self._unlink),
            **dict.fromkeys(("rename", "renameat", "renameat2"), self._rename),
        }

    def record_of(self, info: Stat) -> Record:
        return self._record(info.key, info.links)

    def set_record(self, info: Stat, record: Record) -> None:
        """Raises Refused: too many files without a name have a record."""
        if not info.has_no_name:
            self.records[info.key] = record
        elif record == PLAIN:
            self.nameless.pop(info.key, None)
        else:
            refuse_unless(len(self.nameless) < FILES.most or info.key in self.nameless, errno.ENOSPC)
            self.nameless[info.key] = record

    def _record(self, key: Key, links: int) -> Record:
        return self.records[key] if links else self.nameless.get(key, PLAIN)

    def _stat(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        result = yield call, arguments
        address = arguments[2 if call == "newfstatat" else 1]
        if result == 0:
            machine = thread.machine
            fields = thread.stat_fields(thread.read(address, machine.stat.size))
            record = self._record((fields["dev"], fields["ino"]), fields["nlink"])
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
            links: int = struct.unpack_from("=I", data, 16)[0]
            major, minor = struct.unpack_from("=II", data, 136)
            record = self._record((os.makedev(major, minor), inode), links)
            mode: int = struct.unpack_from("=H", data, 28)[0]
            struct.pack_into("=IIH", data, 20, record.uid, record.gid, _mode(mode, record))
            if record.kind:
                struct.pack_into("=II", data, 128, *_major_minor(record.device))
            thread.write(address, bytes(data))
        return result

    def _chown(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        place = {"chown": 1, "lchown": 1, "fchown": 1, "fchownat": 2}[call]
        uid, gid = (value & _KEEP for value in arguments[place : place + 2])
        info = yield from target(thread, call, arguments, flags=arguments[4] if call == "fchownat" else 0)
        before = self.record_of(info)
        after = attrs.evolve(
            before,
            uid=before.uid if uid == _KEEP else uid,
            gid=before.gid if gid == _KEEP else gid,
            special=_kept_by_chown(info.mode, before.special),
            xattrs=tuple(item for item in before.xattrs if item[0] != CAPABILITY),
        )
        is_own = before.uid == thread.identity.users[1] and after.uid == before.uid
        refuse_unless(thread.identity.is_root or is_own)
        self.set_record(info, after)
        return 0

    def _chmod(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """The set-id bits are recorded, the other bits are set."""
        place = 2 if call.startswith("fchmodat") else 1
        mode = arguments[place] & _MODE
        result = yield call, (*arguments[:place], mode & ~SET_ID, *arguments[place + 1 :])
        if result == 0:
            info = yield from target(thread, call, arguments, flags=arguments[3] if call == "fchmodat2" else 0)
            self.set_record(info, attrs.evolve(self.record_of(info), special=mode & SET_ID))
        return result

    def _mknod(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """An empty file stands for a device. Pipes and sockets are made as they are."""
        place = 1 if call == "mknodat" else 0
        mode, device = arguments[place + 1] & _MODE, arguments[place + 2] & _UINT
        kind = stat.S_IFMT(mode)
        is_device = kind in (stat.S_IFCHR, stat.S_IFBLK)
        refuse_unless(thread.identity.is_root or not is_device)
        real = (stat.S_IFREG if is_device else kind) | stat.S_IMODE(mode) & ~SET_ID
        result = yield call, (*arguments[: place + 1], real, 0 if is_device else device, *arguments[place + 3 :])
        owner = thread.identity.owner_of_new_files
        if result == 0 and (is_device or mode & SET_ID or owner != (0, 0)):
            directory = arguments[0] if place else AT_FDCWD
            info = yield from thread.look("newfstatat", directory, arguments[place], 0, AT_SYMLINK_NOFOLLOW)
            record = Record(*owner, special=mode & SET_ID)
            self.set_record(info, attrs.evolve(record, kind=kind, device=device) if is_device else record)
        return result

    def _open(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """A new file belongs to the thread's user. Set-id bits of its mode are recorded."""
        opening = _opening(thread, call, arguments)
        special = opening.mode & SET_ID
        record = Record(*thread.identity.owner_of_new_files, special=special)
        if not opening.creates or (record == PLAIN and not opening.is_nameless):
            return (yield call, arguments)
        is_new = opening.is_nameless or not (yield from _look_if_present(thread, opening.directory, opening.path, 0))
        result = yield from _opened(thread, call, arguments, opening) if special else _same(call, arguments)
        if result >= 0 and is_new:
            info = yield from thread.look("fstat", result, 0)
            self.set_record(info, record)
        return result

    def _linkat(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """A file that had no name gets one, and keeps its record."""
        flags = arguments[4] & AT_EMPTY_PATH
        if not arguments[4] & AT_SYMLINK_FOLLOW:
            flags |= AT_SYMLINK_NOFOLLOW
        info = yield from _look_if_present(thread, arguments[0], arguments[1], flags)
        result = yield call, arguments
        if result == 0 and info and info.has_no_name:
            self.records[info.key] = self.nameless.pop(info.key, PLAIN)
        return result

    def _make(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        result = yield call, arguments
        if result == 0:
            place = {"mkdir": 0, "mkdirat": 1, "symlink": 1, "symlinkat": 2}[call]
            directory = arguments[place - 1] if call.endswith("at") else AT_FDCWD
            info = yield from thread.look("newfstatat", directory, arguments[place], 0, AT_SYMLINK_NOFOLLOW)
            self.set_record(info, Record(*thread.identity.owner_of_new_files))
        return result

    def _unlink(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        directory, path = arguments[:2] if call == "unlinkat" else (AT_FDCWD, arguments[0])
        info = yield from _look_if_present(thread, directory, path)
        return (yield from self._removing(thread, info, (directory, path), (call, arguments)))

    def _rename(self, thread: Thread, call: str, arguments: Arguments) -> Steps:
        """If the new name belonged to another file, that file may be gone afterwards."""
        source, destination = ((AT_FDCWD, arguments[0]), (AT_FDCWD, arguments[1]))
        if call != "rename":
            source, destination = arguments[:2], arguments[2:4]  # type: ignore[assignment]
        moved = yield from _look_if_present(thread, *source)
        replaced = yield from _look_if_present(thread, *destination)
        exchanged = call == "renameat2" and arguments[4] & _RENAME_EXCHANGE
        if not (moved and replaced) or replaced.key == moved.key or exchanged:
            return (yield call, arguments)
        return (yield from self._removing(thread, replaced, destination, (call, arguments)))

    def _removing(self, thread: Thread, info: Stat | None, place: tuple[int, ...], call: Call) -> Steps:
        """Make a call that removes a name of a file, and forget the file if that was its last name.

        Other threads may remove its other names at the same time. So a file with several names is kept open and
        looked at again after the call.
        """
        held = -1
        if info and info.links > 1 and not is_directory(info):
            held = yield "openat", (*place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0)
        result = yield call
        if held >= 0:
            now = yield from thread.look("fstat", held, 0)
            if now.has_no_name:
                self.records.forget(now.key)
            yield "close", (held,)
        elif result == 0 and info and (info.links <= 1 or is_directory(info)):
            self.records.forget(info.key)
        return result


def _same(call: str, arguments: Arguments) -> Steps:
    return (yield call, arguments)


def _opening(thread: Thread, call: str, arguments: Arguments) -> _Opening:
    if call == "openat2":
        refuse_unless(arguments[3] >= _OPEN_HOW.size, errno.EINVAL)
        flags, mode, _ = _OPEN_HOW.unpack(thread.read(arguments[2], _OPEN_HOW.size))
        return _Opening(arguments[0], arguments[1], flags, mode)
    if call == "openat":
        return _Opening(arguments[0], arguments[1], arguments[2] & _UINT, arguments[3] & _MODE)
    if call == "open":
        return _Opening(AT_FDCWD, arguments[0], arguments[1] & _UINT, arguments[2] & _MODE)
    return _Opening(AT_FDCWD, arguments[0], os.O_CREAT, arguments[1] & _MODE)


def _opened(thread: Thread, call: str, arguments: Arguments, opening: _Opening) -> Steps:
    """Make the call without the set-id bits, which would be on the disk otherwise."""
    mode = opening.mode & ~SET_ID
    if call != "openat2":
        place = {"open": 2, "openat": 3, "creat": 1}[call]
        return (yield call, (*arguments[:place], mode, *arguments[place + 1 :]))
    size = min(arguments[3], 4096)
    how = bytearray(thread.read(arguments[2], size))
    struct.pack_into("=Q", how, 8, mode)
    with thread.scratch(size) as address:
        thread.write(address, bytes(how))
        result = yield call, (*arguments[:2], address, *arguments[3:])
    return result


def target(thread: Thread, call: str, arguments: Arguments, flags: int = 0) -> Generator[Call, int, Stat]:
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


def _look_if_present(
    thread: Thread, directory: int, path: int, flags: int = AT_SYMLINK_NOFOLLOW
) -> Generator[Call, int, Stat | None]:
    try:
        return (yield from thread.look("newfstatat", directory, path, 0, flags))
    except Refused:
        return None


def _mode(real: int, record: Record) -> int:
    return (record.kind or stat.S_IFMT(real)) | stat.S_IMODE(real) | record.special


def _kept_by_chown(mode: int, special: int) -> int:
    """A program loses its set-id bits when its owner changes (chown(2)). Set-gid without x is not a set-id bit."""
    if not stat.S_ISREG(mode):
        return special
    return special & (0 if mode & stat.S_IXGRP else stat.S_ISGID)


def _major_minor(device: int) -> tuple[int, int]:
    """A device number as mknod(2) takes it (include/linux/kdev_t.h, new_decode_dev)."""
    return (device & 0xFFF00) >> 8, (device & 0xFF) | (device >> 12) & 0xFFF00
