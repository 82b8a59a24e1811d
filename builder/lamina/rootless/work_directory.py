"""A temporary directory in which scripts may create anything, and its removal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def work_directory() -> Iterator[Path]:
    """A new directory in TMPDIR, removed at the end of the block with everything in it. Raises OSError."""
    path = tempfile.mkdtemp(prefix="lamina-")
    try:
        yield Path(path)
    finally:
        _remove(os.fsencode(path))


def _remove(top: bytes) -> None:
    """Remove a tree of any depth. shutil.rmtree calls itself for each level, and Python allows only 1000 levels.

    Every directory is moved up to `top` before it is emptied, so that all paths stay short.
    """
    waiting = [top]
    moved = 0
    while waiting:
        directory = waiting.pop()
        with os.scandir(directory) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_directory in found:
            if not is_directory:
                os.unlink(path)
                continue
            moved += 1
            waiting.append(b"%b/%d" % (top, moved))
            os.rename(path, waiting[-1])
        if directory != top:
            os.rmdir(directory)
    os.rmdir(top)
