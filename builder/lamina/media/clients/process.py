"""Runs the clients of daemons: queries that run in the background, and loads that read an archive.

Answers may be hostile: they are read up to a limit, and a program that does not end is stopped.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, NamedTuple

from lamina.data.output import temporary_directory, widen
from lamina.errors import LaminaError
from lamina.limits import ANSWER_BYTES, ERROR_BYTES

if TYPE_CHECKING:
    from lamina.data.span import Piece

_TIMEOUT = 120
"""Seconds for a query. Loading has no time limit."""

_NO_REASON = ("time=", "level=", "Run '", "See '", "Usage:")
"""Beginnings of lines that clients print to standard error beside the reason: log lines, and hints at `--help`."""


class Answer(NamedTuple):
    """The exit status of a client, and what it printed."""

    status: int
    output: str
    errors: str

    def reason(self) -> str:
        """The client's own error, on one line: all lines of it, without log lines and hints."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        reasons = [line for line in lines if not line.startswith(_NO_REASON)] or lines or self.output.split("\n")[-1:]
        return " ".join(reasons).strip() or f"it failed with exit status {self.status} and printed no reason"


class Question:
    """A query: a command of a client that runs in the background. Raises NoClient.

    `request` is written to its standard input, which stays open until the answer is complete.
    """

    def __init__(self, *command: str, request: bytes = b"") -> None:
        self._client = command[0]
        pipe = subprocess.PIPE
        stdin = pipe if request else subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(command, stdin=stdin, stdout=pipe, stderr=pipe)
        except OSError:
            raise no_program(self._client) from None
        assert self._process.stdout and self._process.stderr
        widen(self._process.stdout)
        if self._process.stdin:
            with contextlib.suppress(OSError):  # if the client has already ended, its exit status says why
                self._process.stdin.write(request)
                self._process.stdin.flush()

    def answer(self) -> str | None:
        """The output of the client; None if it fails, or prints too much. Raises LaminaError: no answer in time."""
        answer = self.full_answer()
        return answer.output if answer and answer.status == 0 else None

    def full_answer(self) -> Answer | None:
        """The answer whatever the exit status; None if it is too long. Raises LaminaError: no answer in time."""
        deadline = time.monotonic() + _TIMEOUT
        printed = self._read(deadline)
        if printed is None:
            self._process.kill()
            return None
        try:
            status = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._late() from None
        output, errors = printed
        _read_available(self._process.stderr, errors)
        return Answer(status, output.decode(errors="replace"), errors.decode(errors="replace"))

    def _read(self, deadline: float) -> tuple[bytearray, bytearray] | None:
        """The output up to its end, and error output meanwhile; None if the output is too long.

        The end of error output is not waited for: a background process of the client may keep it open.
        """
        assert self._process.stdout and self._process.stderr
        output, errors = bytearray(), bytearray()
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        poll.register(self._process.stderr, select.POLLIN)
        while ready := poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            for file, _ in ready:
                chunk = os.read(file, 1 << 20)
                if file == self._process.stderr.fileno():
                    errors += chunk
                    del errors[:-ERROR_BYTES]
                    if not chunk:
                        poll.unregister(file)
                elif not chunk:
                    return output, errors
                else:
                    output += chunk
            if len(output) > ANSWER_BYTES:
                return None
        raise self._late()

    def _late(self) -> LaminaError:
        return LaminaError(self._client, f"no answer in {_TIMEOUT} s", "check that the daemon is running")

    def drop(self) -> None:
        """End the client; its answer is not needed any more."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


def _read_available(pipe: IO[bytes] | None, errors: bytearray) -> None:
    """Append what is in the pipe now."""
    assert pipe
    os.set_blocking(pipe.fileno(), False)
    with contextlib.suppress(OSError):  # nothing, while another process keeps the pipe open
        errors += os.read(pipe.fileno(), ERROR_BYTES)
        del errors[:-ERROR_BYTES]


class NoClient(LaminaError):
    """The client of a daemon is not installed."""


def no_program(name: str) -> NoClient:
    return NoClient(name, "the program is not installed", "install it, or choose another daemon")


def feed(command: Iterable[str], pieces: Iterator[Piece]) -> Answer:
    """Write the pieces to the standard input of a client. Raises NoClient."""
    import tempfile

    from lamina.data.span import put

    words = list(command)
    directory = temporary_directory()
    with tempfile.TemporaryFile(dir=directory) as output, tempfile.TemporaryFile(dir=directory) as errors:
        try:
            client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output, stderr=errors)
        except OSError:
            raise no_program(words[0]) from None
        try:
            # Its exit status says why it does not read the rest. Closing its input may write, and raise, once more.
            with contextlib.suppress(BrokenPipeError), client:
                assert client.stdin
                widen(client.stdin)
                for piece in pieces:
                    put(piece, client.stdin)
        except BaseException:
            client.kill()
            client.wait()
            raise
        return Answer(client.returncode, _end(output), _end(errors))


def _end(file: IO[bytes]) -> str:
    """The last ERROR_BYTES of a file."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - ERROR_BYTES))
    return file.read().decode(errors="replace")
