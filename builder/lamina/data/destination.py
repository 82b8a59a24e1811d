"""Where an output goes that the user names: a file, standard output, a pipe or a device.

Only a regular file, or a name that does not exist yet, is replaced. A symbolic link stays a link, and the file that it
leads to is replaced. Pipes, character devices and open descriptors (`/dev/stdout`, `/dev/fd/N`) are written to.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from lamina.data.output import whole_file, widen
from lamina.errors import BadUsage, LaminaError
from lamina.limits import PATH_LINKS

_STORE = "/nix/store/"
_STANDARD_OUTPUT = "standard output"
_HINT = "give the name of a file, or - for standard output"


class Output(NamedTuple):
    """An open output. `is_new_file`: it can seek, and it gets its name when it is whole."""

    file: BinaryIO
    is_new_file: bool

    @property
    def is_pipe(self) -> bool:
        with contextlib.suppress(OSError):  # no descriptor, as in a test
            return stat.S_ISFIFO(os.fstat(self.file.fileno()).st_mode)
        return False


@contextlib.contextmanager
def open_output(name: str | os.PathLike[str]) -> Iterator[Output]:
    """Open the output that the user calls `name`; `-` is standard output.

    Raises LaminaError: a directory, a disk, something that cannot be written to; BadUsage: a terminal.
    """
    text = os.fspath(name)
    if text == "-":
        with _standard_output() as output:
            yield output
        return
    path = _followed(text)
    kind = _kind(path, text)
    if kind == "new":
        with whole_file(path) as file:
            yield Output(file, is_new_file=True)
        return
    with _opened(path, kind, text) as file:
        widen(file)
        yield Output(file, is_new_file=False)


def write_text(name: str | os.PathLike[str], text: str) -> None:
    """Write a text with a line end to the output `name`. Unlike an archive, it may go to a terminal.

    Raises as `open_output`.
    """
    if os.fspath(name) == "-":
        print(text)
        return
    with open_output(name) as output:
        output.file.write(f"{text}\n".encode())


@contextlib.contextmanager
def _standard_output() -> Iterator[Output]:
    if sys.stdout is None or _is_read_only(sys.stdout):
        raise LaminaError(_STANDARD_OUTPUT, "is closed", "give the name of a file")
    if sys.stdout.isatty():
        raise BadUsage(_STANDARD_OUTPUT, "is a terminal", "redirect it, or give the name of a file")
    widen(sys.stdout.buffer)
    yield Output(sys.stdout.buffer, is_new_file=False)
    sys.stdout.buffer.flush()


def _followed(name: str) -> Path:
    """What the name leads to: itself unless it is a symbolic link, or a name of an open descriptor.

    Raises LaminaError: it is the name of a directory, or symbolic links form a circle or lead into the store.
    """
    path = os.path.join(os.getcwd(), name)
    for _ in range(PATH_LINKS):
        directory, last = os.path.split(path)
        directory = os.path.realpath(directory)
        if last in ("", ".", ".."):
            raise LaminaError(name or "-o", "is the name of a directory", "give the name of a file")
        path = os.path.join(directory, last)
        if _has_descriptors(directory) or not os.path.islink(path):
            break
        path = os.path.join(directory, os.readlink(path))
    else:
        raise LaminaError(name, "its symbolic links form a circle", "give the name of a file")
    if path.startswith(_STORE) and not os.path.join(os.getcwd(), name).startswith(_STORE):
        raise LaminaError(name, "is a symbolic link into the Nix store", "remove the link, or give another name")
    is_link = os.path.islink(name) or _has_descriptors(directory)
    return Path(path if is_link else name)


def _kind(path: Path, name: str) -> str:
    """`descriptor`, `stream` or `new`. Raises LaminaError: none of these."""
    if _has_descriptors(str(path.parent)):
        return "descriptor"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "new"
    except OSError as error:
        raise LaminaError(name, f"cannot be written: {error.strerror or error}", "nothing was left behind") from None
    if stat.S_ISDIR(mode):
        raise LaminaError(name, "is a directory", "give the name of a file")
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise LaminaError(name, "is a socket" if stat.S_ISSOCK(mode) else "is a disk", _HINT)
    return "new" if stat.S_ISREG(mode) else "stream"


def _has_descriptors(directory: str) -> bool:
    """Whether the names in the directory are the numbers of open descriptors."""
    return directory == "/dev/fd" or (
        directory.startswith("/proc/") and re.fullmatch(r"/proc/\d+(?:/task/\d+)?/fd", directory) is not None
    )


@contextlib.contextmanager
def _opened(path: Path, kind: str, name: str) -> Iterator[BinaryIO]:
    """The existing output, opened for writing. Raises LaminaError: that is not possible; BadUsage: a terminal."""
    try:
        descriptor = _copied(path) if kind == "descriptor" else os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise LaminaError(name, f"cannot be written: {error.strerror or error}", _HINT) from None
    with os.fdopen(descriptor, "wb") as file:
        if os.isatty(descriptor):
            raise BadUsage(name, "is a terminal", _HINT)
        yield file


def _copied(path: Path) -> int:
    """A copy of this process' descriptor that the path names. Raises OSError: there is none that can be written to."""
    is_own = str(path.parent) == "/dev/fd" or os.path.realpath("/proc/self") in map(str, path.parents)
    if not is_own or not path.name.isdecimal():
        raise OSError(errno.EBADF, "no descriptor of this process")
    number = int(path.name)
    mode = os.fstat(number).st_mode
    if stat.S_ISDIR(mode) or stat.S_ISBLK(mode) or _is_read_only(number):
        raise OSError(errno.EBADF, "not open for writing")
    return os.dup(number)


def _is_read_only(file: TextIO | int) -> bool:
    with contextlib.suppress(OSError):  # no descriptor, as in a test
        return fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    return False
