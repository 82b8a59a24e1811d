"""A directory for small files that only its owner can write to. No symbolic link in it is followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS_WRITE = 0o022


@attrs.frozen
class PrivateDirectory:
    """The name of a file is given in parts: directories, and then the file itself.

    A file or directory that belongs to another user, or that others can write to, counts as missing.
    """

    path: Path

    def problem(self) -> str | None:
        """Why the directory cannot be used; None if it can. A missing directory is no problem."""
        try:
            info = os.lstat(self.path)
        except OSError:
            return None
        if stat.S_ISLNK(info.st_mode):
            return "is a symbolic link"
        if info.st_uid != os.geteuid():
            return "belongs to another user"
        return "can be written to by other users" if info.st_mode & _OTHERS_WRITE else None

    def read(self, *parts: str, limit: int) -> bytes | None:
        """The content of a file; None if it is missing or longer than `limit`."""
        with contextlib.suppress(OSError), self._opened(parts[:-1]) as directory:
            descriptor = os.open(parts[-1], _FILE, dir_fd=directory)
            with os.fdopen(descriptor, "rb") as file:
                if stat.S_ISREG(_private(descriptor).st_mode):
                    data = file.read(limit + 1)
                    return data if len(data) <= limit else None
        return None

    def write(self, *parts: str, data: bytes) -> None:
        """Put a whole file in place of whatever has its name. Raises OSError: it cannot be written."""
        with self._opened(parts[:-1], make=True) as directory:
            _write(directory, parts[-1], data)

    @contextlib.contextmanager
    def _opened(self, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
        """A descriptor of the directory with that name. `make`: create what is missing, with mode 0700."""
        if make:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
        with contextlib.ExitStack() as stack:
            directory = os.open(self.path, _DIRECTORY)
            stack.callback(os.close, directory)
            if stat.S_IMODE(_private(directory).st_mode) != 0o700:
                os.fchmod(directory, 0o700)
            for part in parts:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=directory)
                directory = os.open(part, _DIRECTORY, dir_fd=directory)
                stack.callback(os.close, directory)
                _private(directory)
            yield directory


def _private(descriptor: int) -> os.stat_result:
    """The status of an open file. Raises PermissionError: it belongs to another user, or others can write to it."""
    info = os.fstat(descriptor)
    if info.st_uid != os.geteuid() or info.st_mode & _OTHERS_WRITE:
        raise PermissionError
    return info


def _write(directory: int, name: str, data: bytes) -> None:
    hidden = None
    try:
        descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=directory)
    except (AttributeError, OSError):  # no Linux, or a file system without nameless files
        hidden = f".{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(hidden, flags, 0o600, dir_fd=directory)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(IsADirectoryError, FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=directory)
        if hidden:
            os.rename(hidden, name, src_dir_fd=directory, dst_dir_fd=directory)
        else:
            with contextlib.suppress(FileExistsError):  # another process was faster
                os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=directory)
