"""Processors: the numbers of their system calls, and the registers that the calls use.

Numbers: Linux' arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; registers: struct
user_regs_struct (arch/x86/include/asm/user_64.h) and struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h).
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Mapping

import attrs

from lamina.errors import LaminaError
from lamina.rootless.records import SET_ID

_GENERIC = {
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "fchmodat2": 452,
    "io_uring_setup": 425,
    "openat2": 437,
    "clone3": 435,
}
"""Calls that have the same number on every processor."""

Test = tuple[int, int]
"""An argument's position and a mask: the test holds if the argument has a bit of the mask."""
Condition = tuple[tuple[Test, ...], ...]
"""Alternatives, each a list of tests that must all hold. `ALWAYS` holds for every call."""

ALWAYS: Condition = ((),)
O_TMPFILE = 0o20000000
"""The bit that sets it apart from O_DIRECTORY, which Python's os.O_TMPFILE includes (asm-generic/fcntl.h)."""
AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x400, 0x1000


def _opening(flags: int, mode: int) -> Condition:
    """Files that never had a name, and files that are created with set-id bits."""
    return ((flags, O_TMPFILE),), ((flags, os.O_CREAT), (mode, SET_ID))


_PARTLY_EMULATED: Mapping[str, Condition] = {
    "open": _opening(1, 2),
    "openat": _opening(2, 3),
    "creat": (((1, SET_ID),),),
    "linkat": (((4, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH),),),
}
"""Calls that are emulated for some arguments only. The other calls are emulated always."""

_CREATING: Mapping[str, Condition] = {
    "open": (((1, os.O_CREAT),),),
    "openat": (((2, os.O_CREAT),),),
    **dict.fromkeys(("creat", "mkdir", "mkdirat", "symlink", "symlinkat"), ALWAYS),
}
"""Calls that create files, and the arguments with which they do."""

_NOT_EMULATED = {"mkdir", "mkdirat", "symlink", "symlinkat", "close", "prctl", "clone", "clone3"}
"""Calls in the tables that the supervisor makes itself, or that have a rule of their own in the filter."""

_X86_64 = {
    "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "clone": 56, "rename": 82, "mkdir": 83, "rmdir": 84,
    "creat": 85, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94,
    "getuid": 102, "getgid": 104, "setuid": 105, "setgid": 106, "geteuid": 107, "getegid": 108, "setreuid": 113,
    "setregid": 114, "getgroups": 115, "setgroups": 116, "setresuid": 117, "getresuid": 118, "setresgid": 119,
    "getresgid": 120, "setfsuid": 122, "setfsgid": 123, "mknod": 133, "prctl": 157, "setxattr": 188,
    "lsetxattr": 189, "fsetxattr": 190, "getxattr": 191, "lgetxattr": 192, "fgetxattr": 193, "listxattr": 194,
    "llistxattr": 195, "flistxattr": 196, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
    "openat": 257, "mkdirat": 258, "mknodat": 259, "fchownat": 260, "newfstatat": 262, "unlinkat": 263,
    "renameat": 264, "linkat": 265, "symlinkat": 266, "fchmodat": 268, "renameat2": 316, "seccomp": 317,
    "statx": 332,
}  # fmt: skip

_AARCH64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "getxattr": 8, "lgetxattr": 9, "fgetxattr": 10, "listxattr": 11,
    "llistxattr": 12, "flistxattr": 13, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "mknodat": 33,
    "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "fchmod": 52, "fchmodat": 53,
    "fchownat": 54, "fchown": 55, "openat": 56, "close": 57, "newfstatat": 79, "fstat": 80, "setregid": 143,
    "setgid": 144, "setreuid": 145, "setuid": 146, "setresuid": 147, "getresuid": 148, "setresgid": 149,
    "getresgid": 150, "setfsuid": 151, "setfsgid": 152, "getgroups": 158, "setgroups": 159, "prctl": 167,
    "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "clone": 220, "renameat2": 276, "seccomp": 277,
    "statx": 291,
}  # fmt: skip


@attrs.frozen
class Machine:
    """`registers` is the number of 64-bit words of PTRACE_GETREGSET. The fields below it are positions in them.

    `call` holds the call's number before the call is made. `instruction` is the length in bytes of the instruction
    that makes it. `restart` (or None) must be set to -1, or the kernel would treat the call as interrupted.
    `foreign_calls` is the first number of another table of calls, or None. `keyctl` is the number of that call.
    `stat` is the format of struct stat's fields for device, inode, mode, links, uid, gid and rdev.
    """

    audit: int
    numbers: Mapping[str, int]
    registers: int
    call: int
    arguments: tuple[int, int, int, int, int, int]
    result: int
    pc: int
    stack: int
    instruction: int
    restart: int | None
    foreign_calls: int | None
    keyctl: int
    stat: struct.Struct
    stat_fields: tuple[str, ...]

    @property
    def emulated(self) -> dict[int, Condition]:
        """The calls, by number, at which every process stops."""
        return {
            number: _PARTLY_EMULATED.get(name, ALWAYS)
            for name, number in self.numbers.items()
            if name not in _NOT_EMULATED
        }

    @property
    def creating(self) -> dict[int, Condition]:
        """The calls at which a process stops as well if it is not root: the files that it creates are not root's."""
        return {self.numbers[name]: condition for name, condition in _CREATING.items() if name in self.numbers}


_MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        numbers=_X86_64 | _GENERIC,
        registers=27,
        call=10,
        arguments=(14, 13, 12, 7, 9, 8),
        result=10,
        pc=16,
        stack=19,
        instruction=2,
        restart=15,
        foreign_calls=0x40000000,
        keyctl=250,
        stat=struct.Struct("=QQQIIIIQ"),
        stat_fields=("dev", "ino", "nlink", "mode", "uid", "gid", "pad", "rdev"),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        numbers=_AARCH64 | _GENERIC,
        registers=34,
        call=8,
        arguments=(0, 1, 2, 3, 4, 5),
        result=0,
        pc=32,
        stack=31,
        instruction=4,
        restart=None,
        foreign_calls=None,
        keyctl=219,
        stat=struct.Struct("=QQIIIIQ"),
        stat_fields=("dev", "ino", "mode", "nlink", "uid", "gid", "rdev"),
    ),
}


def this_machine() -> Machine:
    """Raises LaminaError: the processor is not supported."""
    name = platform.machine()
    if name not in _MACHINES:
        remedy = f"build on {' or '.join(_MACHINES)}"
        raise LaminaError("scripts that run as root", f"this machine is {name}", remedy)
    return _MACHINES[name]
