"""Outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from lamina.errors import LaminaError

_EARLY = 0.03
"""Seconds between two flushes of a file to the disk while it is written.

With 0.1 an archive of 1.2 GB takes 0.08 s longer, with 0.01 the same time, without a pause 0.03 s longer (two
processors)."""

_WORTH_FLUSHING = 64 << 20
"""Size of a file from which waiting for the disk takes longer (20 ms) than starting a thread."""

_PIPE = 1 << 20
"""Bytes: Linux' default for fs.pipe-max-size."""


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file that gets its name when the block ends without an error; otherwise nothing of it remains.

    Before that it has no name (Linux' O_TMPFILE), so that not even a kill leaves anything behind; or a hidden name if
    the file system does not support that. `durable` waits for the disk; without it, a power failure may leave the
    name with other bytes. Raises LaminaError: the file cannot be written, or the disk is full.
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
def whole_directory(path: Path) -> Iterator[Path]:
    """A new directory that gets its name when the block ends without an error; otherwise nothing of it remains.

    A kill leaves the hidden directory `.lamina-...` behind, but never a part of the output under its name. Raises
    LaminaError: the path exists and is not an empty directory, or nothing can be written there.
    """
    try:
        if os.path.lexists(path) and not (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
            raise LaminaError(path, "exists and is not an empty directory", "remove it, or give another name")
        hidden = path.parent / f".lamina-{os.urandom(8).hex()}"
        hidden.mkdir()
        try:
            yield hidden
            os.rename(hidden, path)
        except BaseException:
            import shutil  # it imports three decompressors

            shutil.rmtree(hidden, ignore_errors=True)
            raise
    except OSError as error:
        raise LaminaError(path, f"cannot be written: {error.strerror or error}", "nothing was left behind") from None


def widen(pipe: IO[bytes]) -> None:
    """Make a pipe's buffer as large as Linux allows every user. A writer of large chunks then waits a third as long.

    Nothing happens if the file is no pipe, or if the system refuses.
    """
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def reserve(file: BinaryIO, size: int) -> None:
    """Allocate `size` bytes on the disk for an empty file, if the file system supports that.

    Several processes can then write into it at the same time without waiting for each other: 1.2 GB in 0.14 s instead
    of 0.24 to 1.0 s (two processes, ext4). Raises OSError: there is no room. Nothing has been read by then.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    except AttributeError:
        pass  # macOS has a different call for this


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
    """Write all of the data, with several calls if necessary. Returns the number of bytes. Raises OSError."""
    done = os.pwrite(descriptor, data, offset)
    while done < len(data):
        done += os.pwrite(descriptor, memoryview(data)[done:], offset + done)
    return done


@contextlib.contextmanager
def written_early(file: BinaryIO, size: int) -> Iterator[None]:
    """Flush the file to the disk again and again during the block, so that the wait at its end is short.

    `size` is about how many bytes will be written. Raises OSError: the disk failed, which the system reports only once.
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
    """The directory for temporary files: TMPDIR, or else /tmp.

    `tempfile` by itself tests a directory by creating a file in it, which a kill in that moment would leave behind.
    """
    for directory in (os.environ.get("TMPDIR"), "/tmp"):
        if directory and os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK):
            return directory
    import tempfile

    return tempfile.gettempdir()


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory that is removed when the block ends. Raises LaminaError: it cannot be made."""
    import tempfile

    parent = temporary_directory()
    try:
        directory = tempfile.TemporaryDirectory(prefix="lamina-", dir=parent)
    except OSError as error:
        raise LaminaError(parent, error.strerror or str(error), "make room there, or set TMPDIR") from None
    with directory as path:
        yield Path(path)


def _name(file: BinaryIO, path: Path) -> None:
    """Give a nameless file its name.

    Linux cannot put a nameless file in the place of another, so the file gets a hidden name for a moment. That name
    depends on `path` alone: what a kill in that moment leaves is removed by the next run that writes there. If several
    processes write at once, each has written a whole file, and any of these may be the last. A process that finds the
    hidden name in use completes what the other has begun, so there are at most as many attempts as other processes.
    """
    hidden = path.parent / _hidden(path.name)
    if _linked(file, path):
        _remove_own(hidden)
        return
    while not _linked(file, hidden):
        if not _is_own(hidden):
            raise OSError(errno.EEXIST, f"{hidden} is in the way")
        _move(hidden, path)
    _move(hidden, path)


def _is_own(hidden: Path) -> bool:
    """Whether a run of this user may have left the hidden name: it is a regular file of the user's, or missing."""
    try:
        info = os.lstat(hidden)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid()


def _remove_own(hidden: Path) -> None:
    if _is_own(hidden):
        hidden.unlink(missing_ok=True)


def _linked(file: BinaryIO, path: Path) -> bool:
    """Give the file the name; False if something already has it."""
    try:
        # With src_dir_fd Python calls linkat, which follows the link in /proc; without it link, which does not.
        os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=file.fileno())
    except FileExistsError:
        return False
    return True


def _move(hidden: Path, path: Path) -> None:
    """Move the file with the hidden name to `path`, unless another process was faster; the hidden name becomes free."""
    with contextlib.suppress(FileNotFoundError):
        try:
            os.replace(hidden, path)
        finally:
            hidden.unlink(missing_ok=True)  # it remains if both names were one file (rename(2)), or if rename failed


def _hidden(name: str) -> str:
    """A name that no file of the user's has, always the same for one `name`, and never too long."""
    hidden = f".lamina-is-naming-{name}"
    if len(os.fsencode(hidden)) <= 255:
        return hidden
    from lamina.oci.digest import hex_of, sha256

    return f".lamina-is-naming-{hex_of(sha256(os.fsencode(name)))}"


def _open(directory: Path) -> tuple[BinaryIO, Path | None]:
    """Create a file in the directory; returns it with its hidden name, or None if it has no name."""
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        raise
    except (AttributeError, OSError):  # no Linux, or a file system without it
        hidden = directory / f".lamina-{os.urandom(8).hex()}"
        return hidden.open("x+b"), hidden
    return os.fdopen(descriptor, "w+b"), None
