"""Outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from builder.errors import LaminaError

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
    hidden = directory / f".lamina-{secrets.token_hex(8)}"
    try:
        if path.exists() and not path.is_file():
            raise LaminaError(path, "exists and is no file", "give the name of a file")
        file, named = _open(directory, hidden)
        try:
            with file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                if not named:
                    # Any src_dir_fd makes Python call linkat, which follows the link, and not link, which does not.
                    os.link(f"/proc/self/fd/{file.fileno()}", hidden, src_dir_fd=file.fileno())
                    named = True
            os.replace(hidden, path)
        except BaseException:
            if named:
                hidden.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LaminaError(path, f"cannot be written: {error.strerror or error}", "nothing was left behind") from None


def widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold as much as Linux lets anyone: a writer of large chunks then waits a third as long.

    Nothing happens to what is no pipe, nor where the system does not let it.
    """
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def _open(directory: Path, hidden: Path) -> tuple[BinaryIO, bool]:
    """A new file in the directory, and whether it has the hidden name."""
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        raise
    except (AttributeError, OSError):  # no Linux, or a file system without it
        return hidden.open("x+b"), True
    return os.fdopen(descriptor, "w+b"), False
