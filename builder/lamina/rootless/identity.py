"""System calls that change or return the identity of a process. The kernel's own view of it never changes."""

from __future__ import annotations

import errno
import struct

from lamina.rootless.thread import Identity, Refused, Thread, numbers, refuse_unless

_KEEP = 0xFFFFFFFF
_REAL, _EFFECTIVE, _SAVED = 0, 1, 2
_MAX_GROUPS = 65536

CALLS = (
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid", "setgid",
    "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups",
)  # fmt: skip


def emulate(thread: Thread, call: str, arguments: tuple[int, ...]) -> int:
    """The call's result. Raises Refused, or OSError: an address is not in the thread's memory."""
    field = "users" if call.endswith("uid") else "groups"
    current: tuple[int, int, int] = getattr(thread.identity, field)
    if call in ("getuid", "getgid"):
        return current[_REAL]
    if call in ("geteuid", "getegid", "setfsuid", "setfsgid"):
        return current[_EFFECTIVE]
    if call in ("getresuid", "getresgid"):
        for address, value in zip(arguments, current, strict=False):
            thread.write(address, struct.pack("=I", value))
        return 0
    if call == "getgroups":
        return _get_groups(thread, arguments[0], arguments[1])
    if call == "setgroups":
        refuse_unless(thread.identity.is_root)
        refuse_unless(arguments[0] <= _MAX_GROUPS, errno.EINVAL)
        thread.identity.supplementary = numbers(thread.read(arguments[1], 4 * arguments[0]))
        return 0
    requested = [value & 0xFFFFFFFF for value in arguments]
    setattr(thread.identity, field, _changed(thread.identity, call, current, requested))
    return 0


def _changed(
    identity: Identity, call: str, current: tuple[int, int, int], requested: list[int]
) -> tuple[int, int, int]:
    """Real, effective and saved number after the call (credentials(7)). Raises Refused."""
    if call in ("setuid", "setgid"):
        refuse_unless(identity.is_root or requested[0] in (current[_REAL], current[_SAVED]))
        return (requested[0],) * 3 if identity.is_root else (current[_REAL], requested[0], current[_SAVED])
    count = 3 if "res" in call else 2
    if not identity.is_root and any(value not in (_KEEP, *current) for value in requested[:count]):
        raise Refused(errno.EPERM)
    real, effective = (old if new == _KEEP else new for old, new in zip(current, requested[:2], strict=False))
    if count == 3:
        return real, effective, current[_SAVED] if requested[_SAVED] == _KEEP else requested[_SAVED]
    changes = requested[_REAL] != _KEEP or (requested[_EFFECTIVE] != _KEEP and effective != current[_REAL])
    return real, effective, effective if changes else current[_SAVED]


def _get_groups(thread: Thread, room: int, address: int) -> int:
    groups = thread.identity.supplementary
    if room == 0:
        return len(groups)
    refuse_unless(room >= len(groups), errno.EINVAL)
    thread.write(address, struct.pack(f"={len(groups)}I", *groups))
    return len(groups)
