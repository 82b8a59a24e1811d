"""Running a program whose processes appear to be root, and whose files appear to have the owners and modes it sets.

A seccomp filter stops a process at calls that are emulated (`seccomp`). The supervisor reads the call, makes parts of
it in the process's name, and lets the process go on with the result. That works for every program, also for statically
linked ones and for those of another libc, unlike a library that is loaded into them (fakeroot).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from lamina.errors import LaminaError
from lamina.rootless import identity, kernel, seccomp
from lamina.rootless.attributes import Attributes
from lamina.rootless.files import Files
from lamina.rootless.filters import Filters, unsupported
from lamina.rootless.kernel import Registers
from lamina.rootless.machine import Machine, this_machine
from lamina.rootless.processes import WAIT_ALL, Processes, started
from lamina.rootless.records import Records
from lamina.rootless.thread import Identity, Refused, Steps, Thread

_EFAULT, _ENOSYS = 14, 38
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_WHERE = "the script's supervisor"


def supervise(
    command: Sequence[str], records: Records, prepare: Callable[[], None], enter: Callable[[], None] = lambda: None
) -> int:
    """Run a program to its end; returns its exit status, or 128 + signal if it was killed.

    `prepare` runs before the program exists, `enter` in its process. Owners and modes that the program sets are in
    `records` afterwards. None of its processes is left. Raises LaminaError: the kernel forbids this, or a program
    needs what cannot be emulated.
    """
    machine = this_machine()
    magic, mark = secrets.randbits(64), secrets.randbits(16)

    def become() -> None:
        try:
            enter()
            kernel.install_filter(seccomp.base_program(machine, magic, mark))
            os.execvp(command[0], list(command))
        except OSError as error:
            os.write(2, f"lamina: {error.filename or command[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    try:
        with started(prepare, become) as processes:
            _seize(processes.program)
            supervisor = _Supervisor(machine, magic, mark, Files(records))
            return supervisor.run(processes)
    except MemoryError:
        raise LaminaError(_WHERE, "out of memory", "give the build more memory") from None
    except (ArithmeticError, LookupError, TypeError, ValueError, struct.error) as error:
        what = f"a system call that it cannot read: {type(error).__name__}: {error}"
        raise LaminaError(_WHERE, what, "this is a fault of Lamina's: please report it") from error


def _seize(number: int) -> None:
    try:
        kernel.ptrace(kernel.PTRACE_SEIZE, number, 0, kernel.OPTIONS)
    except OSError as error:
        remedy = "allow it: kernel.yama.ptrace_scope must be below 3"
        raise LaminaError("ptrace", f"refused: {error.strerror}", remedy) from None


@attrs.define(eq=False)
class _Supervisor:
    machine: Machine
    magic: int
    mark: int
    files: Files
    attributes: Attributes = attrs.field(init=False)
    filters: Filters = attrs.field(init=False)
    names: dict[int, str] = attrs.field(init=False)
    threads: dict[int, Thread] = attrs.field(factory=dict)
    guessed: dict[int, Identity] = attrs.field(factory=dict)
    """Threads that stopped before their creation was reported, and the identity that they were given then."""
    last_ended: Thread | None = None

    def __attrs_post_init__(self) -> None:
        self.attributes = Attributes(self.files)
        self.filters = Filters(self.machine, self.threads)
        self.names = {number: name for name, number in self.machine.numbers.items()}

    def run(self, processes: Processes) -> int:
        """Supervise until the program ends; returns its exit status. `started` kills the processes that are left."""
        first = processes.program
        self._adopt(first)
        processes.go()
        while True:
            number, status = os.waitpid(-1, WAIT_ALL)
            if os.WIFSTOPPED(status):
                with contextlib.suppress(ProcessLookupError):
                    self._stopped(number, os.WSTOPSIG(status), status >> 16)
                continue
            self.last_ended = self.threads.pop(number, None) or self.last_ended
            if number == first:
                return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _adopt(self, number: int, creator: Thread | None = None) -> Thread:
        thread = Thread(number, self.machine, Identity(), Registers(self.machine))
        if creator:
            thread.inherit(creator)
        self.threads[number] = thread
        return thread

    def _adopt_early(self, number: int) -> Thread:
        """A new thread whose creation was not reported yet; it never is if the creator was killed in that moment."""
        thread = self._adopt(number, self.threads.get(_creator(number)) or self.last_ended)
        self.guessed[number] = attrs.evolve(thread.identity)
        return thread

    def _created(self, creator: Thread, number: int) -> None:
        guess = self.guessed.pop(number, None)
        if guess is None:
            self._adopt(number, creator)
        elif number in self.threads and self.threads[number].identity == guess:
            self.threads[number].inherit(creator)

    def _stopped(self, number: int, stop: int, event: int) -> None:
        thread = self.threads.get(number) or self._adopt_early(number)
        if event:
            self._event(thread, event, stop)
        elif stop == _SYSCALL_STOP and thread.steps:
            self._call_stop(thread, thread.steps)
        elif stop == signal.SIGSYS and (trap := kernel.trap_of(number)).by_filter:
            self._trapped(thread, trap)
        elif thread.steps:
            thread.held.append(stop)
            kernel.ptrace(kernel.PTRACE_SYSCALL, number)
        else:
            kernel.ptrace(kernel.PTRACE_CONT, number, 0, stop)

    def _event(self, thread: Thread, event: int, stop: int) -> None:
        if event in (kernel.EVENT_FORK, kernel.EVENT_VFORK, kernel.EVENT_CLONE):
            self._created(thread, kernel.event_message(thread.number))
        elif event == kernel.EVENT_EXEC:
            former = kernel.event_message(thread.number)
            if former != thread.number and former in self.threads:
                thread.inherit(self.threads.pop(former))
            thread.steps = None
        elif event == kernel.EVENT_STOP and stop in _STOPS and not thread.steps:
            kernel.ptrace(kernel.PTRACE_LISTEN, thread.number)
            return
        kernel.ptrace(kernel.PTRACE_SYSCALL if thread.steps else kernel.PTRACE_CONT, thread.number)

    def _trapped(self, thread: Thread, trap: kernel.Trap) -> None:
        """A filter stopped the thread: our filter at an emulated call, or a filter of the program's own."""
        if thread.steps:
            raise unsupported(thread, "its seccomp filter traps a call of the supervisor", "run it without that filter")
        registers, machine = thread.registers, self.machine
        is_ours = trap.mark == self.mark
        if is_ours and trap.audit != machine.audit:
            raise unsupported(thread, "a 32-bit program runs as another user", "use a 64-bit program")
        registers.load(thread.number)
        words = registers.words
        call = self.names.get(words[machine.call])
        if not is_ours or call is None:
            kernel.ptrace(kernel.PTRACE_CONT, thread.number, 0, signal.SIGSYS)
            return
        arguments = tuple(words[place] for place in machine.arguments[:5])
        thread.steps = self._emulation(thread, call, arguments)
        self._go_on(thread, thread.steps, None)

    def _emulation(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> Steps:
        self.filters.check_emulated(thread, call, arguments)
        for emulated in (self.files.calls, self.attributes.calls, self.filters.calls):
            if call in emulated:
                return (yield from emulated[call](thread, call, arguments))
        if call not in identity.CALLS:
            return -_ENOSYS
        result = identity.emulate(thread, call, arguments)
        if thread.identity.owner_of_new_files != (0, 0) and not thread.watched:
            yield from thread.watch(self.magic, self.mark)
        return result

    def _go_on(self, thread: Thread, steps: Steps, result: int | None) -> None:
        """Make the thread's next call, or let the thread go on with the result of the emulated call."""
        try:
            call, arguments = next(steps) if result is None else steps.send(result)
        except StopIteration as end:
            self._finish(thread, end.value)
        except Refused as refused:
            self._finish(thread, -refused.number)
        except OSError as error:
            self._finish(thread, -(error.errno or _EFAULT))
        else:
            self._make(thread, call, arguments)

    def _make(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> None:
        """Send the thread back to the instruction that makes a call, with this call in its registers."""
        machine, registers = self.machine, thread.registers.copy()
        words = registers.words
        words[machine.pc] -= machine.instruction
        for place, value in zip(machine.arguments, arguments, strict=False):
            words[place] = value
        words[machine.arguments[5]] = self.magic
        words[machine.call] = machine.numbers[call]
        if machine.restart is not None:
            words[machine.restart] = -1
        self.filters.check_made(thread, call, registers)
        registers.store(thread.number)
        thread.entered = False
        kernel.ptrace(kernel.PTRACE_SYSCALL, thread.number)

    def _call_stop(self, thread: Thread, steps: Steps) -> None:
        if not thread.entered:
            thread.entered = True
            kernel.ptrace(kernel.PTRACE_SYSCALL, thread.number)
            return
        registers = Registers(self.machine)
        registers.load(thread.number)
        value: int = registers.words[self.machine.result]
        self._go_on(thread, steps, value - (1 << 64) if value >> 63 else value)

    def _finish(self, thread: Thread, result: int) -> None:
        words = thread.registers.words
        words[self.machine.result] = result
        if self.machine.restart is not None:
            words[self.machine.restart] = -1
        thread.registers.store(thread.number)
        thread.steps = None
        held, thread.held = thread.held, []
        for number in held:
            os.kill(thread.number, number)
        kernel.ptrace(kernel.PTRACE_CONT, thread.number)


def _creator(number: int) -> int:
    """The process that most likely created a thread: its own process, or the parent of a new process."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        text = Path(f"/proc/{number}/status").read_text(errors="replace")
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        process = int(fields["Tgid"])
        return process if process != number else int(fields["PPid"])
    return 0
