"""System calls that Python does not offer: ptrace, memory of other processes, namespaces and mounts."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from typing import Any

import attrs

from lamina.rootless.machine import Machine

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.pivot_root.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
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
_SYS_SECCOMP = 1

# linux/prctl.h
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_SECCOMP_MODE_FILTER = 2

# linux/keyctl.h
_JOIN_SESSION_KEYRING = 1

# sched.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000

# sys/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _checked(result: int, path: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path or None)
    return result


def ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> int:
    """Raises ProcessLookupError: the thread was killed meanwhile."""
    return _checked(int(_libc.ptrace(request, thread, address, data)))


class Registers:
    """A copy of the registers of a stopped thread. `store` writes the copy back."""

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
    """The number that belongs to a ptrace event. For a fork it is the number of the new thread."""
    value = ctypes.c_ulong()
    ptrace(PTRACE_GETEVENTMSG, thread, 0, ctypes.addressof(value))
    return value.value


@attrs.frozen
class Trap:
    """The data of a SIGSYS signal (sigaction(2)). `mark` is the filter's number, `audit` the processor's."""

    by_filter: bool
    mark: int
    audit: int


def trap_of(thread: int) -> Trap:
    """Details of the signal that a thread is stopped with."""
    buffer = ctypes.create_string_buffer(128)
    ptrace(PTRACE_GETSIGINFO, thread, 0, ctypes.addressof(buffer))
    _, mark, code = struct.unpack_from("=iii", buffer, 0)
    return Trap(code == _SYS_SECCOMP, mark, struct.unpack_from("=I", buffer, 28)[0])


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
    local, remote = _Vector(ctypes.addressof(buffer), size), _Vector(address, size)
    one, no_flags = ctypes.c_ulong(1), ctypes.c_ulong(0)
    moved = call(thread, ctypes.byref(local), one, ctypes.byref(remote), one, no_flags)
    if _checked(moved) != size:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))


def read_string(thread: int, address: int, limit: int = 4096) -> bytes:
    """A string that ends with a NUL. It is read page by page: the next page may not exist. Raises OSError."""
    text = b""
    while len(text) < limit:
        page = read_memory(thread, address + len(text), 4096 - (address + len(text)) % 4096)
        part, end, _ = page.partition(b"\0")
        text += part
        if end:
            return text
    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def program_header(program: bytes, address: int) -> bytes:
    """struct sock_fprog for a seccomp filter at an address."""
    return struct.pack("@HP", len(program) // 8, address)


def install_filter(program: bytes) -> None:
    """Install a seccomp filter for this process and its children. Raises OSError."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(program_header(program, ctypes.addressof(buffer)))
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header), 0, 0))


def forbid_inspection() -> None:
    """Close this process to others of the same user: they can neither trace it nor open its files in /proc."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def leave_keyring(machine: Machine) -> None:
    """Give this process an empty session keyring, instead of the one with the user's keys (keyrings(7))."""
    _libc.syscall(ctypes.c_long(machine.keyctl), ctypes.c_long(_JOIN_SESSION_KEYRING), None)


def unshare(flags: int) -> None:
    """Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: bytes, target: bytes, kind: bytes = b"", flags: int = 0, options: bytes = b"") -> None:
    """Raises OSError with the target's path."""
    _checked(_libc.mount(source, target, kind, flags, options or None), os.fsdecode(target))


def change_root(directory: bytes) -> None:
    """Make a mounted directory the root of this mount namespace, and take the old root away. Raises OSError.

    The old root is stacked on the new one and then unmounted (pivot_root(2), NOTES), so no path leads to it.
    """
    os.chdir(directory)
    _checked(_libc.pivot_root(b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")
