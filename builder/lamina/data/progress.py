"""Progress of long work, on a terminal only: the log of a derivation stays clean."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from lamina.errors import printable, shortened

_INTERVAL = 0.1


class Progress:
    """One line on standard error that is overwritten. Call the object with the number of bytes that were processed.

    `total` is the number of bytes in all, if it is known; `done` is the number of bytes so far.
    """

    def __init__(self, title: str, total: int | None = None) -> None:
        self._title = printable(shortened(title))
        self.total = total
        self.done = 0
        self._next = time.monotonic() + _INTERVAL
        self._shown = False
        # A derivation's log looks like a terminal, but a line in a log cannot be overwritten.
        self._terminal = sys.stderr.isatty() and "NIX_BUILD_TOP" not in os.environ

    def __call__(self, count: int) -> None:
        self.done += count
        if self._terminal and time.monotonic() >= self._next:
            self._show()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _show(self) -> None:
        self._next = time.monotonic() + _INTERVAL
        self._shown = True
        share = f" of {human(self.total)}" if self.total else ""
        print(f"\r\x1b[K{self._title}: {human(self.done)}{share}", end="", file=sys.stderr, flush=True)


def human(size: int) -> str:
    """A number of bytes for people, in powers of ten: `12.3 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
