"""Running a program whose every process seems to be root, and whose files what it says they are.

A filter stops a process at calls that are emulated (`kernel.trap`); here the calls are looked at, parts of them are
made in the process' own name, and it goes on with the result. That reaches every program, statically linked ones
and those of another libc too, which a library laid under them (fakeroot) does not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Callable, Sequence

import attrs

from lamina.errors import LaminaError
from lamina.rootless import kernel, owners
from lamina.rootless.files import Files
from lamina.rootless.kernel import Registers
from lamina.rootless.machine import Machine, this_machine
from lamina.rootless.records import Records
from lamina.rootless.thread import Owners, Refused, Steps, Thread

_ENOSYS = 38
_SYS_SECCOMP = 1
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_WALL = 0x40000000


def supervise(command: Sequence[str], records: Records, prepare: Callable[[], None] = lambda: None) -> int:
    """Run a program to its end; its exit status (128 + signal when it was killed).

    `prepare` runs in the new process, before the program. What the program does to owners and modes is in `records`
    afterwards. None of its processes outlives this call. Raises LaminaError: the kernel does not let us trace.
    """
    machine = this_machine()
    kernel.adopt_orphans()
    magic = secrets.randbits(64)
    ready, go = os.pipe()
    first = os.fork()
    if first == 0:
        _become(command, prepare, machine, magic, ready, go)
    os.close(ready)
    try:
        kernel.ptrace(kernel.PTRACE_SEIZE, first, 0, kernel.OPTIONS)
    except OSError as error:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        remedy = "allow it: kernel.yama.ptrace_scope must be below 3"
        raise LaminaError("ptrace", f"refused: {error.strerror}", remedy) from None
    os.write(go, b"!")
    os.close(go)
    return _Supervisor(machine, magic, Files(records)).run(first)


def _become(
    command: Sequence[str], prepare: Callable[[], None], machine: Machine, magic: int, ready: int, go: int
) -> None:
    """In the child: wait until the parent traces it, then turn into the program."""
    try:
        os.close(go)
        if os.read(ready, 1):
            prepare()
            kernel.trap(machine, magic)
            os.execvp(command[0], list(command))
    except OSError as error:
        os.write(2, f"lamina: {error.filename or command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


@attrs.define(eq=False)
class _Supervisor:
    machine: Machine
    magic: int
    files: Files
    threads: dict[int, Thread] = attrs.field(factory=dict)
    early: dict[int, int] = attrs.field(factory=dict)
    """Threads that stopped before the fork that they come from was told."""
    names: dict[int, str] = attrs.field(factory=dict)

    def run(self, first: int) -> int:
        self.names = {number: name for name, number in self.machine.numbers.items()}
        self._adopt(first, Owners())
        status = 0
        while self.threads or self.early:
            try:
                number, told = os.waitpid(-1, _WALL)
            except ChildProcessError:
                break
            if os.WIFSTOPPED(told):
                with contextlib.suppress(ProcessLookupError):
                    self._stopped(number, told)
                continue
            self.threads.pop(number, None)
            self.early.pop(number, None)
            if number == first:
                status = 128 + os.WTERMSIG(told) if os.WIFSIGNALED(told) else os.WEXITSTATUS(told)
                self._kill_all()
        return status

    def _kill_all(self) -> None:
        for number in (*self.threads, *self.early):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def _adopt(self, number: int, whom: Owners) -> Thread:
        thread = Thread(number, self.machine, whom, Registers(self.machine))
        self.threads[number] = thread
        return thread

    def _stopped(self, number: int, told: int) -> None:
        thread = self.threads.get(number)
        if thread is None:
            self.early[number] = told
            return
        what, event = os.WSTOPSIG(told), told >> 16
        if event:
            self._event(thread, event, what)
        elif what == _SYSCALL_STOP and thread.steps:
            self._call_stop(thread, thread.steps)
        elif what == signal.SIGSYS and kernel.signal_code(number) == _SYS_SECCOMP:
            self._begin(thread)
        elif thread.steps:
            thread.held.append(what)
            kernel.ptrace(kernel.PTRACE_SYSCALL, number)
        else:
            kernel.ptrace(kernel.PTRACE_CONT, number, 0, what)

    def _event(self, thread: Thread, event: int, what: int) -> None:
        if event in (kernel.EVENT_FORK, kernel.EVENT_VFORK, kernel.EVENT_CLONE):
            child = kernel.event_message(thread.number)
            self._adopt(child, attrs.evolve(thread.owners)).watched = thread.watched
            if child in self.early:
                del self.early[child]
                with contextlib.suppress(ProcessLookupError):
                    kernel.ptrace(kernel.PTRACE_CONT, child)
        elif event == kernel.EVENT_EXEC:
            former = kernel.event_message(thread.number)
            if former != thread.number and former in self.threads:
                caller = self.threads.pop(former)
                thread.owners, thread.watched = caller.owners, caller.watched
            thread.steps = None
        elif event == kernel.EVENT_STOP and what in _STOPS and not thread.steps:
            kernel.ptrace(kernel.PTRACE_LISTEN, thread.number)
            return
        kernel.ptrace(kernel.PTRACE_SYSCALL if thread.steps else kernel.PTRACE_CONT, thread.number)

    def _begin(self, thread: Thread) -> None:
        """A thread is about to make a call that is emulated."""
        registers, machine = thread.registers, self.machine
        registers.load(thread.number)
        words = registers.words
        call = self.names[words[machine.call]]
        arguments = tuple(words[place] for place in machine.arguments[:5])
        thread.steps = self._emulation(thread, call, arguments)
        self._go_on(thread, thread.steps, None)

    def _emulation(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> Steps:
        if call in self.files.calls:
            return self.files.calls[call](thread, call, arguments)
        return self._at_once(thread, call, arguments)

    def _at_once(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> Steps:
        if call not in owners.CALLS:
            return -_ENOSYS
        result = owners.emulate(thread, call, arguments)
        if thread.owners.of_new_files != (0, 0) and not thread.watched:
            yield from thread.watch(self.magic)
        return result

    def _go_on(self, thread: Thread, steps: Steps, result: int | None) -> None:
        """Make the thread's next call, or let it go with the result of its own."""
        try:
            call, arguments = next(steps) if result is None else steps.send(result)
        except StopIteration as end:
            self._finish(thread, end.value)
        except Refused as refused:
            self._finish(thread, -refused.number)
        except OSError as error:
            self._finish(thread, -(error.errno or 14))
        else:
            self._make(thread, call, arguments)

    def _make(self, thread: Thread, call: str, arguments: tuple[int, ...]) -> None:
        """Send the thread back to the instruction that makes a call, with another one."""
        machine, registers = self.machine, thread.registers.copy()
        words = registers.words
        words[machine.pc] -= machine.instruction
        for place, value in zip(machine.arguments, arguments, strict=False):
            words[place] = value
        words[machine.arguments[5]] = self.magic
        words[machine.call] = machine.numbers[call]
        if machine.restart is not None:
            words[machine.restart] = -1
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
