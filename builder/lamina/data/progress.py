"""Progress of long work, on a terminal only: the log of a derivation stays clean."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from lamina.errors import printable, shortened

_INTERVAL = 0.1
"""Seconds between two updates of the line."""

_PLAIN_INTERVAL = 5.0
"""Seconds between two lines on a terminal that cannot write over a line (TERM=dumb)."""


_silent = False


def silence() -> None:
    """Show no progress in this process from now on."""
    global _silent
    _silent = True


class Progress:
    """A line on standard error that is updated: call it with the number of bytes done since the last call.

    `total` is the number of bytes in all, if it is known, and `done` the number so far.
    """

    def __init__(self, title: str, total: int | None = None) -> None:
        self._title = printable(shortened(title))
        self.total = total
        self.done = 0
        self._shown = False
        # A derivation's log looks like a terminal, but a line in a log cannot be overwritten.
        self._terminal = not _silent and sys.stderr.isatty() and "NIX_BUILD_TOP" not in os.environ
        self._plain = os.environ.get("TERM", "dumb") in ("", "dumb")
        self._next = time.monotonic() + self._interval

    @property
    def _interval(self) -> float:
        return _PLAIN_INTERVAL if self._plain else _INTERVAL

    def __call__(self, count: int) -> None:
        self.done += count
        if self._terminal and time.monotonic() >= self._next:
            share = f" of {human(self.total)}" if self.total else ""
            self._show(self._title, f": {human(self.done)}{share}")

    def announce(self, text: str) -> None:
        """Show another text at once, for work whose progress is unknown."""
        if self._terminal:
            self._show(printable(shortened(text)), "")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown and not self._plain:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _show(self, title: str, numbers: str) -> None:
        self._next = time.monotonic() + self._interval
        self._shown = True
        if self._plain:
            print(f"{title}{numbers}", file=sys.stderr, flush=True)
            return
        line = f"{fitted(title, _width() - 1 - len(numbers))}{numbers}"
        print(f"\r\x1b[K{fitted(line, _width() - 1)}", end="", file=sys.stderr, flush=True)


def _width() -> int:
    """Columns of the terminal; it may change at any time."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def fitted(text: str, width: int) -> str:
    """The text, without its middle if a terminal needs more columns for it than `width`."""
    if _columns(text) <= width:
        return text
    mark = "..." if width > 10 else ""
    left = max(0, width - len(mark))
    head, tail = _start(text, (left + 1) // 2), _start(text[::-1], left // 2)[::-1]
    return f"{head}{mark}{tail}"


def _start(text: str, width: int) -> str:
    """As much of the text as fits into so many columns."""
    used = 0
    for position, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:position]
    return text


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def counted(number: int, noun: str) -> str:
    """A number of things for people: `1 layer`, `2 layers`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def human(size: int) -> str:
    """A number of bytes for people: `12.3 MB`, in powers of ten."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
