"""Starting a program in a process namespace of its own, and ending everything in it.

    supervisor          in the builder's process namespace: traces the program
      launcher          makes the namespace, waits for its first process
        init            process 1: prepares mounts, becomes the parent of orphans, ends with the supervisor
          program       and everything that it starts

When process 1 of a namespace ends, the kernel kills all other processes in it, and no new one can start
(pid_namespaces(7)). So nothing of the program is left at the end, whatever it did. Before the program starts, init and
program send one message each. It carries their process number, which the kernel translates (SCM_CREDENTIALS, unix(7)).
Afterwards nothing is read from them but the program's exit status.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import attrs

from lamina.errors import LaminaError
from lamina.rootless import kernel
from lamina.rootless.machine import this_machine
from lamina.rootless.settings import namespace_remedy

WAIT_ALL = 0x40000000
"""__WALL: waitpid(2) reports threads too, and traced children of all kinds."""
_CREDENTIALS = struct.Struct("=iII")
_MESSAGE = 4096
_INIT, _PROGRAM = "init", "program"


@attrs.frozen
class Processes:
    """`init` and `program` are process numbers in the supervisor's namespace. The program starts after `go`."""

    init: int
    program: int
    _gate: int

    def go(self) -> None:
        os.write(self._gate, b"!")


@contextmanager
def started(prepare: Callable[[], None], become: Callable[[], None]) -> Iterator[Processes]:
    """Start a program; at the end of the block all processes end.

    `prepare` runs in init, before the program exists. `become` runs in the program's process after `go`, and must
    replace this process by the program. Raises LaminaError: a process could not be prepared.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    gate_out, gate_in = os.pipe()
    numbers: dict[str, int] = {}
    try:
        _child(lambda: _launch(theirs, gate_out, prepare, become), theirs)
        theirs.close()
        while len(numbers) < 2:
            role, number = _received(ours)
            numbers[role] = number
        yield Processes(numbers[_INIT], numbers[_PROGRAM], gate_in)
    finally:
        ours.close()  # init ends when it reads the end of the channel
        theirs.close()
        os.close(gate_out)
        os.close(gate_in)
        _end(numbers.get(_INIT))


def _end(init: int | None) -> None:
    """Kill all processes, and return when the last one has ended."""
    if init:
        with suppress(ProcessLookupError):
            os.kill(init, signal.SIGKILL)
    while True:
        try:
            number, status = os.waitpid(-1, WAIT_ALL)
        except ChildProcessError:
            return
        if os.WIFSTOPPED(status):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


def _child(work: Callable[[], None], channel: socket.socket) -> int:
    """Run `work` in a new process, which then ends. An error goes through the channel."""
    number = os.fork()
    if number:
        return number
    try:
        work()
    except OSError as error:
        _send(channel, error=[str(error.filename or "")[-1000:], error.strerror or str(error)])
    except BaseException as error:
        _send(channel, error=["", type(error).__name__])
    finally:
        os._exit(1)


def _launch(channel: socket.socket, gate: int, prepare: Callable[[], None], become: Callable[[], None]) -> None:
    os.setsid()  # Ctrl-C in the terminal is for the supervisor
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python handles the first, and ignores the others
    _close_all_but(channel.fileno(), gate)
    kernel.unshare(kernel.CLONE_NEWPID)
    init = _child(lambda: _init(channel, gate, prepare, become), channel)
    channel.close()
    os.waitpid(init, 0)


def _close_all_but(*kept: int) -> None:
    """Standard input becomes empty; standard output and error stay."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))


def _init(channel: socket.socket, gate: int, prepare: Callable[[], None], become: Callable[[], None]) -> None:
    """Process 1 of the namespace. It handles no signal, so none from inside reaches it (pid_namespaces(7))."""
    prepare()
    _child(lambda: _program(channel, gate, become), channel)
    os.close(gate)
    kernel.forbid_inspection()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans do not become zombies
    _send(channel, ready=_INIT)
    channel.recv(1)  # until the supervisor closes its end, or is killed


def _program(channel: socket.socket, gate: int, become: Callable[[], None]) -> None:
    os.setsid()  # no terminal, and a process group that contains none of the supervisor's processes
    kernel.leave_keyring(this_machine())
    _send(channel, ready=_PROGRAM)
    if os.read(gate, 1):
        become()


def _send(channel: socket.socket, **message: object) -> None:
    with suppress(OSError):
        channel.send(json.dumps(message).encode())


def _received(channel: socket.socket) -> tuple[str, int]:
    """The role and the number of the process that sent a message. Raises LaminaError."""
    data, ancillary, _, _ = channel.recvmsg(_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
    if not data:
        raise LaminaError("the script's supervisor", "a process was killed", "give it more memory")
    message = json.loads(data)
    if "error" in message:
        place, reason = map(str, message["error"])
        what = f"refused: {place}: {reason}" if place else f"failed: {reason}"
        raise LaminaError("the script's namespaces", what, namespace_remedy())
    credentials = [data for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
    return message["ready"], _CREDENTIALS.unpack(credentials[0])[0]
