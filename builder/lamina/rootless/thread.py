"""One thread of a script: its identity, its memory, and the system calls that the supervisor makes in its name."""

from __future__ import annotations

import errno
import stat
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import attrs

from lamina.rootless import seccomp
from lamina.rootless.kernel import Registers, program_header, read_memory, read_string, write_memory
from lamina.rootless.machine import Machine
from lamina.rootless.records import Key

AT_FDCWD = -100 & (1 << 64) - 1
AT_SYMLINK_NOFOLLOW = 0x100

Call = tuple[str, tuple[int, ...]]
Steps = Generator[Call, int, int]
"""The emulation of a call. It yields the calls that the thread must make, receives their results, and returns the
result of the emulated call."""

_RED_ZONE = 128
"""Bytes below the stack pointer that a function may use without moving it (x86-64 psABI 3.2.2)."""


class Refused(Exception):
    """The emulated call fails with this error number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@attrs.define
class Identity:
    """The user and group numbers that a thread sees: real, effective and saved. The kernel knows one user only."""

    users: tuple[int, int, int] = (0, 0, 0)
    groups: tuple[int, int, int] = (0, 0, 0)
    supplementary: tuple[int, ...] = ()

    @property
    def is_root(self) -> bool:
        return self.users[1] == 0

    @property
    def owner_of_new_files(self) -> tuple[int, int]:
        """User and group of a file that the thread creates."""
        return self.users[1], self.groups[1]


@attrs.frozen
class Stat:
    """The kernel's view of a file."""

    key: Key
    mode: int
    links: int

    @property
    def has_no_name(self) -> bool:
        """The file was deleted, or it never had a name (O_TMPFILE)."""
        return self.links == 0


@attrs.define(eq=False)
class Thread:
    """A traced thread. During an emulation `registers` are those at the emulated call, and `steps` does the work.

    `entered` is true between the start and the end of a call that the supervisor makes. `watched` is true if the
    thread also stops when it creates files. `held` are signals that arrived during an emulation. `filters` are the
    seccomp filters that the program installed itself.
    """

    number: int
    machine: Machine
    identity: Identity
    registers: Registers
    steps: Steps | None = None
    entered: bool = False
    watched: bool = False
    held: list[int] = attrs.field(factory=list)
    filters: tuple[seccomp.Filter, ...] = ()

    def inherit(self, other: Thread) -> None:
        """Take over what a new thread gets from the thread that creates it."""
        self.identity = attrs.evolve(other.identity)
        self.watched, self.filters = other.watched, other.filters

    def read(self, address: int, size: int) -> bytes:
        """Raises OSError."""
        return read_memory(self.number, address, size)

    def write(self, address: int, data: bytes) -> None:
        """Raises OSError."""
        write_memory(self.number, address, data)

    def text(self, address: int) -> bytes:
        """Raises OSError."""
        return read_string(self.number, address)

    @contextmanager
    def scratch(self, size: int) -> Iterator[int]:
        """The address of a buffer in the thread's memory, below the part of the stack that it uses.

        The memory gets its former content back. Raises OSError.
        """
        address = self.registers.words[self.machine.stack] - _RED_ZONE - size & ~15
        before = self.read(address, size)
        yield address
        self.write(address, before)

    def look(self, call: str, *arguments: int) -> Generator[Call, int, Stat]:
        """The result of `fstat` or `newfstatat`; `arguments` have a 0 in place of the buffer. Raises Refused."""
        place = {"fstat": 1, "newfstatat": 2}[call]
        with self.scratch(self.machine.stat.size + 128) as buffer:
            result = yield call, (*arguments[:place], buffer, *arguments[place + 1 :])
            data = self.read(buffer, self.machine.stat.size)
        if result < 0:
            raise Refused(-result)
        fields = self.stat_fields(data)
        return Stat((fields["dev"], fields["ino"]), fields["mode"], fields["nlink"])

    def watch(self, magic: int, mark: int) -> Generator[Call, int, None]:
        """From here on, stop this thread and its children when they create files, too."""
        program = seccomp.creating_program(self.machine, magic, mark)
        with self.scratch(len(program) + 16) as address:
            self.write(address, program_header(program, address + 16).ljust(16, b"\0") + program)
            result = yield "seccomp", (seccomp.MODE_FILTER, 0, address)
        refuse_unless(result == 0)
        self.watched = True

    def stat_fields(self, data: bytes) -> dict[str, int]:
        machine = self.machine
        return dict(zip(machine.stat_fields, machine.stat.unpack_from(data), strict=True))


def refuse_unless(condition: bool, number: int = errno.EPERM) -> None:
    if not condition:
        raise Refused(number)


def is_directory(info: Stat) -> bool:
    return stat.S_ISDIR(info.mode)


def numbers(data: bytes) -> tuple[int, ...]:
    """Consecutive 32-bit numbers."""
    return struct.unpack(f"={len(data) // 4}I", data)
