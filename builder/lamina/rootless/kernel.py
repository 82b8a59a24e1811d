"""The kernel's calls that Python has not: ptrace, seccomp filters, memory of other processes, namespaces, mounts."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from lamina.rootless.machine import Machine

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_libc.process_vm_readv.restype = ctypes.c_ssize_t
_libc.process_vm_writev.restype = ctypes.c_ssize_t

# linux/ptrace.h
PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SEIZE, PTRACE_LISTEN = 7, 24, 0x4206, 0x4208
PTRACE_GETEVENTMSG, PTRACE_GETSIGINFO = 0x4201, 0x4202
PTRACE_GETREGSET, PTRACE_SETREGSET = 0x4204, 0x4205
EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_STOP = 1, 2, 3, 4, 128
OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100000
"""TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, EXITKILL."""
_NT_PRSTATUS = 1

# linux/prctl.h, linux/seccomp.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 36, 22, 2
_RET_TRAP, _RET_ALLOW = 0x00030000, 0x7FFF0000

# sched.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000

# sys/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _checked(result: int, what: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what or None)
    return result


def ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> int:
    """Raises ProcessLookupError: the thread was killed meanwhile."""
    return _checked(int(_libc.ptrace(request, thread, address, data)))


class Registers:
    """The registers of a stopped thread: a copy until `store`."""

    def __init__(self, machine: Machine, words: Iterable[int] = ()) -> None:
        self.machine = machine
        self.words = (ctypes.c_uint64 * machine.registers)(*words)
        self._vector = _Vector(ctypes.addressof(self.words), ctypes.sizeof(self.words))

    def load(self, thread: int) -> None:
        ptrace(PTRACE_GETREGSET, thread, _NT_PRSTATUS, ctypes.addressof(self._vector))

    def store(self, thread: int) -> None:
        ptrace(PTRACE_SETREGSET, thread, _NT_PRSTATUS, ctypes.addressof(self._vector))

    def copy(self) -> Registers:
        return Registers(self.machine, self.words)


def event_message(thread: int) -> int:
    """For a fork: the number of the new thread."""
    value = ctypes.c_ulong()
    ptrace(PTRACE_GETEVENTMSG, thread, 0, ctypes.addressof(value))
    return value.value


def signal_code(thread: int) -> int:
    """`si_code` of the signal that a thread is stopped with; 1 (SYS_SECCOMP) comes of a filter."""
    buffer = ctypes.create_string_buffer(128)
    ptrace(PTRACE_GETSIGINFO, thread, 0, ctypes.addressof(buffer))
    code: int = struct.unpack_from("=i", buffer, 8)[0]
    return code


def read_memory(thread: int, address: int, size: int) -> bytes:
    """Raises OSError: no such memory."""
    buffer = ctypes.create_string_buffer(size)
    _move(_libc.process_vm_readv, thread, buffer, address, size)
    return buffer.raw


def write_memory(thread: int, address: int, data: bytes) -> None:
    """Raises OSError: no such memory."""
    _move(_libc.process_vm_writev, thread, ctypes.create_string_buffer(data, len(data)), address, len(data))


def _move(call: Any, thread: int, buffer: ctypes.Array[ctypes.c_char], address: int, size: int) -> None:
    if not size:
        return
    here, there = _Vector(ctypes.addressof(buffer), size), _Vector(address, size)
    one, nothing = ctypes.c_ulong(1), ctypes.c_ulong(0)
    moved = call(thread, ctypes.byref(here), one, ctypes.byref(there), one, nothing)
    if _checked(moved) != size:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))


def read_string(thread: int, address: int, limit: int = 4096) -> bytes:
    """A string that ends with a NUL, page by page: what follows its page may not be there. Raises OSError."""
    found = b""
    while len(found) < limit:
        piece = read_memory(thread, address + len(found), 4096 - (address + len(found)) % 4096)
        text, end, _ = piece.partition(b"\0")
        found += text
        if end:
            return found
    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def filter_program(machine: Machine, magic: int, stopped: Mapping[int, int | None]) -> bytes:
    """A seccomp filter: SIGSYS instead of the calls in `stopped`, which may have an argument that needs O_CREAT in it.

    A call whose sixth argument (which none of them has) is `magic` goes through. Why SECCOMP_RET_TRAP: where several
    filters differ the strictest answer counts, and Nix' own filter refuses some of the calls; a trap counts more.
    """
    load, equal, has, give = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JSET|K, BPF_RET|K
    tests: list[tuple[int, str, str, int]] = []
    for number, flags in sorted(stopped.items()):
        if flags is None:
            tests.append((equal, "stop", "next", number))
        else:
            tests += [(equal, "next", "over", number), (load, "", "", 16 + 8 * flags), (has, "stop", "go", os.O_CREAT)]
    start = 9
    go = start + len(tests)
    places = {"go": go, "stop": go + 1}
    program = [
        (load, 0, 0, 4),  # seccomp_data.arch: 32-bit programs go their own way
        (equal, 1, 0, machine.audit),
        (give, 0, 0, _RET_ALLOW),
        (load, 0, 0, 56),  # args[5], low half
        (equal, 0, 3, magic & 0xFFFFFFFF),
        (load, 0, 0, 60),
        (equal, 0, 1, magic >> 32),
        (give, 0, 0, _RET_ALLOW),
        (load, 0, 0, 0),  # nr
    ]
    for here, (code, yes, no, value) in enumerate(tests, start + 1):
        jumps = [{"": 0, "next": 0, "over": 2}.get(word, places.get(word, here) - here) for word in (yes, no)]
        program.append((code, jumps[0], jumps[1], value))
    program += [(give, 0, 0, _RET_ALLOW), (give, 0, 0, _RET_TRAP)]
    return b"".join(struct.pack("=HBBI", *line) for line in program)


def filter_header(program: bytes, address: int) -> bytes:
    """struct sock_fprog, for a program that lies at an address."""
    return struct.pack("@HP", len(program) // 8, address)


def trap(machine: Machine, magic: int) -> None:
    """From here on, this process and its children stop with SIGSYS instead of making one of `machine.always`."""
    program = filter_program(machine, magic, machine.always)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(filter_header(program, ctypes.addressof(buffer)))
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header), 0, 0))


def adopt_orphans() -> None:
    """Children of our children that lose their parent become ours, and do not stay as zombies."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def unshare(flags: int) -> None:
    """Raises OSError."""
    _checked(_libc.unshare(flags))


def mount(source: bytes, target: bytes, kind: bytes = b"", flags: int = 0) -> None:
    """Raises OSError naming the target."""
    _checked(_libc.mount(source, target, kind, flags, None), os.fsdecode(target))
