"""Calls that change or tell whom a process takes itself for. The kernel knows one user, who never changes."""

from __future__ import annotations

import errno
import struct

from lamina.rootless.thread import Owners, Refused, Thread, numbers, refuse_unless

_KEEP = 0xFFFFFFFF
_REAL, _EFFECTIVE = 0, 1
_MAX_GROUPS = 65536

CALLS = (
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid", "setgid",
    "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups",
)  # fmt: skip


def emulate(thread: Thread, call: str, arguments: tuple[int, ...]) -> int:
    """The call's result. Raises Refused, or OSError for memory that is not there."""
    field = "users" if call.endswith("uid") else "groups"
    told: tuple[int, int, int] = getattr(thread.owners, field)
    if call in ("getuid", "getgid"):
        return told[_REAL]
    if call in ("geteuid", "getegid", "setfsuid", "setfsgid"):
        return told[_EFFECTIVE]
    if call in ("getresuid", "getresgid"):
        for address, value in zip(arguments, told, strict=False):
            thread.write(address, struct.pack("=I", value))
        return 0
    if call == "getgroups":
        return _get_groups(thread, arguments[0], arguments[1])
    if call == "setgroups":
        refuse_unless(thread.owners.is_root)
        refuse_unless(arguments[0] <= _MAX_GROUPS, errno.EINVAL)
        thread.owners.others = numbers(thread.read(arguments[1], 4 * arguments[0]))
        return 0
    wanted = [value & 0xFFFFFFFF for value in arguments]
    setattr(thread.owners, field, _changed(thread.owners, call, told, wanted))
    return 0


def _changed(owners: Owners, call: str, told: tuple[int, int, int], wanted: list[int]) -> tuple[int, int, int]:
    """Real, effective and saved after the call (credentials(7)). Raises Refused."""
    if call in ("setuid", "setgid"):
        refuse_unless(owners.is_root or wanted[0] in (told[0], told[2]))
        return (wanted[0],) * 3 if owners.is_root else (told[0], wanted[0], told[2])
    count = 3 if "res" in call else 2
    if not owners.is_root and any(value not in (_KEEP, *told) for value in wanted[:count]):
        raise Refused(errno.EPERM)
    real, effective = (old if new == _KEEP else new for old, new in zip(told, wanted[:2], strict=False))
    if count == 3:
        return real, effective, told[2] if wanted[2] == _KEEP else wanted[2]
    changes = wanted[0] != _KEEP or (wanted[1] != _KEEP and effective != told[_REAL])
    return real, effective, effective if changes else told[2]


def _get_groups(thread: Thread, room: int, address: int) -> int:
    others = thread.owners.others
    if room == 0:
        return len(others)
    refuse_unless(room >= len(others), errno.EINVAL)
    thread.write(address, struct.pack(f"={len(others)}I", *others))
    return len(others)
