"""What is in an image that Nix built: its file system, as `lamina export` gives it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from tests.support.builds import COMMAND


class Entry(NamedTuple):
    """A file of the image: its header, and its bytes if it is a regular file."""

    info: tarfile.TarInfo
    data: bytes


def exported(recipe: Path) -> dict[str, Entry]:
    """The files of an image by name, without `./`; the root directory is `.`. A recipe is enough."""
    done = subprocess.run([COMMAND, "export", recipe, "-o", "-"], capture_output=True, check=True, timeout=120)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        found = {}
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            found[info.name.removeprefix("./")] = Entry(info, file.read() if file else b"")
        return found
