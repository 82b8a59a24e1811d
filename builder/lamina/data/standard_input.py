"""Standard input as a file that can be read in any order."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator

import attrs

from lamina.data.blob import Blob, Source
from lamina.data.compression import spool
from lamina.data.span import CHUNK
from lamina.errors import BadInput, BadUsage

_NAME = "standard input"


def standard_input() -> Source:
    """Standard input itself if it is a file, else a copy of it in a temporary file without a name.

    Raises BadUsage: it is a terminal; BadInput: it cannot be read; LaminaError: no room for the copy.
    """
    try:
        file = io.FileIO(os.dup(0))
        if file.isatty():
            raise BadUsage(_NAME, "a terminal", "pipe an image into the command, or name a file")
        if stat.S_ISREG(os.fstat(0).st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0:
            return Source(file, _NAME)
    except OSError as error:
        raise BadInput(_NAME, error.strerror or str(error), "pipe an image into the command, or name a file") from None
    return spool(_Unread(file), _NAME).source


@attrs.frozen(eq=False)
class _Unread(Blob):
    """The rest of a file that can be read once."""

    file: io.FileIO
    size: None = None

    def pieces(self) -> Iterator[bytes]:
        while data := self.file.read(CHUNK):
            yield data
