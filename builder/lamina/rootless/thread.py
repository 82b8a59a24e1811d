"""One thread of a script: whom it takes itself for, its memory, and the calls that are made in its name."""

from __future__ import annotations

import errno
import stat
import struct
from collections.abc import Generator

import attrs

from lamina.rootless.kernel import Registers, filter_header, filter_program, read_memory, read_string, write_memory
from lamina.rootless.machine import Machine
from lamina.rootless.records import Key

AT_FDCWD = -100 & (1 << 64) - 1
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = 0x100, 0x1000

Call = tuple[str, tuple[int, ...]]
Steps = Generator[Call, int, int]
"""A call's emulation: yields calls that the thread is to make, is sent their results, returns the call's own."""

_RED_ZONE = 128
"""Bytes below the stack pointer that a function may use without saying so (x86-64 psABI 3.2.2)."""


class Refused(Exception):
    """The call fails with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@attrs.define
class Owners:
    """Whom a thread takes itself for: real, effective and saved numbers."""

    users: tuple[int, int, int] = (0, 0, 0)
    groups: tuple[int, int, int] = (0, 0, 0)
    others: tuple[int, ...] = ()

    @property
    def is_root(self) -> bool:
        return self.users[1] == 0

    @property
    def of_new_files(self) -> tuple[int, int]:
        """Whom a file belongs to that the thread makes."""
        return self.users[1], self.groups[1]


@attrs.frozen
class Stat:
    """What the kernel says of a file."""

    key: Key
    mode: int
    links: int

    @property
    def is_gone(self) -> bool:
        """No name leads to it."""
        return self.links == 0


@attrs.define(eq=False)
class Thread:
    """`registers` are those at the call that is being emulated, which `steps` does; `held` are signals for later.

    A thread is `watched` that also stops when it makes files.
    """

    number: int
    machine: Machine
    owners: Owners
    registers: Registers
    steps: Steps | None = None
    entered: bool = False
    watched: bool = False
    held: list[int] = attrs.field(factory=list)

    def read(self, address: int, size: int) -> bytes:
        """Raises OSError."""
        return read_memory(self.number, address, size)

    def write(self, address: int, data: bytes) -> None:
        """Raises OSError."""
        write_memory(self.number, address, data)

    def text(self, address: int) -> bytes:
        """Raises OSError."""
        return read_string(self.number, address)

    def look(self, call: str, *arguments: int) -> Generator[Call, int, Stat]:
        """What `fstat` or `newfstatat` tell; `arguments` with a 0 where the buffer goes. Raises Refused.

        The buffer lies on the thread's stack, below what it uses; what was there is put back.
        """
        size = self.machine.stat.size + 128
        buffer = self.registers.words[self.machine.stack] - _RED_ZONE - size & ~15
        before = self.read(buffer, size)
        place = {"fstat": 1, "newfstatat": 2}[call]
        result = yield call, (*arguments[:place], buffer, *arguments[place + 1 :])
        data = self.read(buffer, size)
        self.write(buffer, before)
        if result < 0:
            raise Refused(-result)
        fields = self.stat_fields(data)
        return Stat((fields["dev"], fields["ino"]), fields["mode"], fields["nlink"])

    def watch(self, magic: int) -> Generator[Call, int, None]:
        """Stop this thread and its children at calls that make files, too."""
        program = filter_program(self.machine, magic, self.machine.creating)
        size = len(program) + 16
        address = self.registers.words[self.machine.stack] - _RED_ZONE - size & ~15
        before = self.read(address, size)
        self.write(address, filter_header(program, address + 16).ljust(16, b"\0") + program)
        result = yield "seccomp", (1, 0, address)  # SECCOMP_SET_MODE_FILTER
        self.write(address, before)
        self.watched = result == 0

    def stat_fields(self, data: bytes) -> dict[str, int]:
        machine = self.machine
        return dict(zip(machine.stat_fields, machine.stat.unpack_from(data), strict=True))


def refuse_unless(condition: bool, number: int = errno.EPERM) -> None:
    if not condition:
        raise Refused(number)


def is_directory(info: Stat) -> bool:
    return stat.S_ISDIR(info.mode)


def numbers(data: bytes) -> tuple[int, ...]:
    """32-bit numbers one after the other."""
    return struct.unpack(f"={len(data) // 4}I", data)
