"""Processors: how system calls are numbered, and which registers they use.

Numbers: Linux' arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; registers: struct
user_regs_struct (arch/x86/include/asm/user_64.h) and struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h).
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping

import attrs

from lamina.errors import LaminaError

_GENERIC = {
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "fchmodat2": 452,
    "io_uring_setup": 425,
    "openat2": 437,
}
"""Calls that have one number everywhere."""

CREATING = {
    "open": 1, "openat": 2, "creat": None, "openat2": None, "mkdir": None, "mkdirat": None, "symlink": None,
    "symlinkat": None,
}  # fmt: skip
"""Calls that make a file, and which argument has the flags: without O_CREAT among them they do not."""

_X86_64 = {
    "stat": 4, "fstat": 5, "lstat": 6, "rename": 82, "rmdir": 84, "unlink": 87, "chmod": 90, "fchmod": 91,
    "chown": 92, "fchown": 93, "lchown": 94, "getuid": 102, "getgid": 104, "setuid": 105, "setgid": 106,
    "geteuid": 107, "getegid": 108, "setreuid": 113, "setregid": 114, "getgroups": 115, "setgroups": 116,
    "setresuid": 117, "getresuid": 118, "setresgid": 119, "getresgid": 120, "setfsuid": 122, "setfsgid": 123,
    "mknod": 133, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "getxattr": 191, "lgetxattr": 192,
    "fgetxattr": 193, "listxattr": 194, "llistxattr": 195, "flistxattr": 196, "removexattr": 197,
    "lremovexattr": 198, "fremovexattr": 199, "mknodat": 259, "fchownat": 260, "newfstatat": 262, "unlinkat": 263,
    "renameat": 264, "fchmodat": 268, "renameat2": 316, "statx": 332, "open": 2, "openat": 257, "creat": 85,
    "mkdir": 83, "mkdirat": 258, "symlink": 88, "symlinkat": 266, "seccomp": 317, "close": 3,
}  # fmt: skip

_AARCH64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "getxattr": 8, "lgetxattr": 9, "fgetxattr": 10, "listxattr": 11,
    "llistxattr": 12, "flistxattr": 13, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "mknodat": 33,
    "unlinkat": 35, "renameat": 38, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "newfstatat": 79,
    "fstat": 80, "setregid": 143, "setgid": 144, "setreuid": 145, "setuid": 146, "setresuid": 147,
    "getresuid": 148, "setresgid": 149, "getresgid": 150, "setfsuid": 151, "setfsgid": 152, "getgroups": 158,
    "setgroups": 159, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "renameat2": 276, "statx": 291,
    "openat": 56, "mkdirat": 34, "symlinkat": 36, "seccomp": 277, "close": 57,
}  # fmt: skip


@attrs.frozen
class Machine:
    """`registers` is how many 64-bit words PTRACE_GETREGSET gives; the rest are positions in them.

    `call` holds the number when a call is about to be made; `instruction` is the length of the one that makes it;
    `restart` (or None) is what must be -1 lest the kernel believes that a call was interrupted. `stat` is where
    struct stat has device, inode, mode, links, uid, gid and rdev, as a struct format.
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
    stat: struct.Struct
    stat_fields: tuple[str, ...]

    @property
    def always(self) -> dict[int, int | None]:
        """What every process is stopped at, by number; the argument whose flags count is None."""
        skipped = {*CREATING, "seccomp", "close"}
        return {number: None for name, number in self.numbers.items() if name not in skipped}

    @property
    def creating(self) -> dict[int, int | None]:
        """The same for processes that take themselves for somebody else than root: what they make is theirs."""
        return {self.numbers[name]: flags for name, flags in CREATING.items() if name in self.numbers}


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
        stat=struct.Struct("=QQIIIIQ"),
        stat_fields=("dev", "ino", "mode", "nlink", "uid", "gid", "rdev"),
    ),
}


def this_machine() -> Machine:
    """Raises LaminaError: another processor."""
    name = platform.machine()
    if name not in _MACHINES:
        remedy = f"build on {' or '.join(_MACHINES)}"
        raise LaminaError("scripts that run as root", f"this machine is {name}", remedy)
    return _MACHINES[name]
