"""Outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from lamina.errors import LaminaError
from lamina.oci.digest import hex_of, sha256

_EARLY = 0.03
"""Seconds between two times that a file's content is brought to the disk while it is written.

With 0.1 an archive of 1.2 GB takes 0.08 s more, with 0.01 as long, without a pause 0.03 s more (two processors)."""

_WORTH_FLUSHING = 64 << 20
"""Bytes of a file from which on waiting for the disk takes longer (20 ms) than starting a thread."""

_PIPE = 1 << 20
"""Bytes: fs.pipe-max-size, as Linux has it by default."""


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file that gets its name when the block ends well; otherwise nothing of it remains.

    It has no name before (Linux' O_TMPFILE), so that not even a kill leaves anything behind; where the file system
    cannot do that, it has a hidden one. `durable` waits for the disk, without which a power cut may leave the name
    with other bytes. Raises LaminaError: no place to write to, or the disk is full.
    """
    directory = path.parent
    try:
        if path.exists() and not path.is_file():
            raise LaminaError(path, "exists and is no file", "give the name of a file")
        file, hidden = _open(directory)
        try:
            with file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                if hidden:
                    os.replace(hidden, path)
                else:
                    _name(file, path)
        except BaseException:
            if hidden:
                hidden.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LaminaError(path, f"cannot be written: {error.strerror or error}", "nothing was left behind") from None


@contextlib.contextmanager
def stream_or_file(name: str) -> Iterator[BinaryIO]:
    """Standard output when the name is `-`, else a whole file. Raises LaminaError."""
    if name != "-":
        with whole_file(Path(name)) as file:
            yield file
        return
    widen(sys.stdout.buffer)
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold as much as Linux lets anyone: a writer of large chunks then waits a third as long.

    Nothing happens to what is no pipe, nor where the system does not let it.
    """
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def reserve(file: BinaryIO, size: int) -> None:
    """Have the file system set aside `size` bytes for an empty file, where it can.

    Several processes then write into it at the same time without waiting for each other: 1.2 GB in 0.14 s instead of
    0.24 to 1.0 s (two processes, ext4). Raises OSError when there is no room, before anything is read.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    except AttributeError:
        pass  # macOS has another call for it


@contextlib.contextmanager
def written_early(file: BinaryIO, size: int) -> Iterator[None]:
    """Bring to the disk what is written already, again and again, so that the wait for some `size` bytes is short.

    Raises OSError: the disk failed, which the system tells only once.
    """
    if size < _WORTH_FLUSHING:
        yield
        return
    import threading

    failed: list[OSError] = []
    ended = threading.Event()

    def flush() -> None:
        try:
            while not ended.wait(_EARLY):
                os.fdatasync(file.fileno())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]


def temporary_directory() -> str:
    """Where files without a name go: where TMPDIR says, else /tmp.

    `tempfile` left to itself tries a directory out with a file in it, which a kill in that moment would leave behind.
    """
    for directory in (os.environ.get("TMPDIR"), "/tmp"):
        if directory and os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK):
            return directory
    import tempfile

    return tempfile.gettempdir()


def _name(file: BinaryIO, path: Path) -> None:
    """Give a nameless file its name.

    Linux cannot put a nameless file in the place of another, so that needs a hidden name for a moment. It is always
    the same for one `path`: what a kill in that moment leaves is taken away by the next who writes there. Of several
    at once each has written a whole file, and any of these may be the last. Whoever finds the hidden name taken ends
    what the other has begun, so that nobody tries more often than there are others.
    """
    hidden = path.parent / _hidden(path.name)
    if _linked(file, path):
        hidden.unlink(missing_ok=True)
        return
    while not _linked(file, hidden):
        _move(hidden, path)
    _move(hidden, path)


def _linked(file: BinaryIO, path: Path) -> bool:
    """Whether the file has got the name, which nothing had before."""
    try:
        # Any src_dir_fd makes Python call linkat, which follows the link, and not link, which does not.
        os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=file.fileno())
    except FileExistsError:
        return False
    return True


def _move(hidden: Path, path: Path) -> None:
    """Bring what has the hidden name to its place, unless another was faster; the hidden name is free then."""
    with contextlib.suppress(FileNotFoundError):
        try:
            os.replace(hidden, path)
        finally:
            hidden.unlink(missing_ok=True)  # still there when both were one file (rename(2)), or the place is taken


def _hidden(name: str) -> str:
    hidden = f".lamina-{name}"
    if len(os.fsencode(hidden)) <= 255:
        return hidden
    return f".lamina-{hex_of(sha256(os.fsencode(name)))}"  # as long as a name can be, as the other was not


def _open(directory: Path) -> tuple[BinaryIO, Path | None]:
    """A new file in the directory, and its hidden name if it has one."""
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        raise
    except (AttributeError, OSError):  # no Linux, or a file system without it
        hidden = directory / f".lamina-{os.urandom(8).hex()}"
        return hidden.open("x+b"), hidden
    return os.fdopen(descriptor, "w+b"), None
