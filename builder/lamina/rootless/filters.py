"""Seccomp filters that a script's programs install themselves: sandboxes of `file`, `man`, browsers, servers.

A filter that the supervisor does not know could have a wrong result in two ways. The supervisor's own stop at a call
wins over the filter's refusal of that call. And the filter also applies to calls that the supervisor makes in the
thread's name. So the supervisor reads filters when they are installed, and evaluates them before it emulates or makes a
call. If the result could not be right, this is an error with the reason.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from lamina.errors import LaminaError
from lamina.rootless import seccomp
from lamina.rootless.kernel import Registers
from lamina.rootless.machine import Machine
from lamina.rootless.thread import Refused, Steps, Thread

_MAX_ERRNO = 4095
_ENOSYS = 38
_REMEDY = "run the program without that filter, often called its sandbox"


class Filters:
    """Emulates the calls that install filters. `threads` are all threads of the script."""

    def __init__(self, machine: Machine, threads: Mapping[int, Thread]) -> None:
        self._machine = machine
        self._threads = threads
        self.calls: dict[str, Callable[[Thread, str, tuple[int, ...]], Steps]] = {
            "seccomp": self._seccomp,
            "prctl": self._prctl,
        }

    def check_emulated(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> None:
        """Apply the program's own filters to an emulated call.

        Raises Refused: a filter refuses the call; LaminaError: it handles the call in another way.
        """
        if not thread.filters:
            return
        action, data = self._decision(thread, call, thread.registers, arguments)
        if action == seccomp.ERRNO:
            raise Refused(min(data, _MAX_ERRNO))
        if action == seccomp.TRACE:
            raise Refused(_ENOSYS)
        if action not in (seccomp.ALLOW, seccomp.LOG):
            raise unsupported(thread, f"its seccomp filter handles {call}, which is emulated", _REMEDY)

    def check_made(self, thread: Thread, call: str, registers: Registers) -> None:
        """Raises LaminaError: the program's own filters do not allow a call of the supervisor."""
        if not thread.filters:
            return
        arguments = tuple(registers.words[place] for place in self._machine.arguments)
        action, _ = self._decision(thread, call, registers, arguments)
        if action not in (seccomp.ALLOW, seccomp.LOG):
            raise unsupported(thread, f"its seccomp filter forbids {call}, which an emulated call needs", _REMEDY)

    def _decision(self, thread: Thread, call: str, registers: Registers, arguments: tuple[int, ...]) -> tuple[int, int]:
        pc = registers.words[self._machine.pc]
        return seccomp.decide(thread.filters, self._machine, self._machine.numbers[call], pc, arguments)

    def _seccomp(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> Steps:
        operation, flags, address = arguments[0] & 0xFFFFFFFF, arguments[1], arguments[2]
        if operation != seccomp.MODE_FILTER:
            return (yield call, arguments)
        return (yield from self._installed(thread, (call, arguments), address, flags))

    def _prctl(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> Steps:
        """Only PR_SET_SECCOMP is emulated."""
        if arguments[1] != seccomp.PRCTL_MODE_FILTER:
            return (yield call, arguments)
        return (yield from self._installed(thread, (call, arguments), arguments[2], 0))

    def _installed(self, thread: Thread, call: tuple[str, tuple[int, ...]], address: int, flags: int) -> Steps:
        length, program = struct.unpack("@HP", thread.read(address, struct.calcsize("@HP")))
        data = thread.read(program, 8 * min(length, seccomp.MAX_INSTRUCTIONS))
        result = yield call
        added = result == 0 or (result > 0 and flags & seccomp.FLAG_NEW_LISTENER)
        if added:
            thread.filters = (*thread.filters, seccomp.parse_filter(data))
            if flags & seccomp.FLAG_ALL_THREADS:
                self._share(thread)
        return result

    def _share(self, thread: Thread) -> None:
        process = _process(thread.number)
        for other in self._threads.values():
            if other is not thread and _process(other.number) == process:
                other.filters, other.watched = thread.filters, thread.watched


def unsupported(thread: Thread, what: str, remedy: str) -> LaminaError:
    """The error for a program that cannot be supervised."""
    name = "a program"
    with suppress(OSError):
        name = Path(f"/proc/{thread.number}/comm").read_text(errors="replace").strip()
    return LaminaError(f"the script's program {name}", what, remedy)


def _process(thread: int) -> str:
    """The process of a thread, as /proc names it."""
    with suppress(OSError):
        for line in Path(f"/proc/{thread}/status").read_text(errors="replace").splitlines():
            if line.startswith("Tgid:"):
                return line
    return ""
