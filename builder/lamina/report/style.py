"""The style of reports on a terminal: line width and colors. NO_COLOR turns colors off."""

from __future__ import annotations

import os
import sys

import attrs

from lamina.data.progress import fitted
from lamina.errors import printable


@attrs.frozen
class Style:
    """`width` is the number of the terminal's columns; None if standard output is not a terminal: lines are not cut."""

    width: int | None = None
    colors: bool = False

    @classmethod
    def of_output(cls) -> Style:
        """The style for standard output."""
        if not sys.stdout.isatty():
            return cls()
        dull = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") in ("", "dumb")
        return cls(_columns(), not dull)

    def line(self, text: str, kind: str = "") -> str:
        """One line of output: made printable, cut to the width, and colored by its kind."""
        text = printable(text)
        if self.width is not None:
            text = fitted(text, self.width)
        code = _CODES.get(kind)
        return f"\x1b[{code}m{text}\x1b[0m" if code and self.colors else text


_CODES = {"added": "32", "removed": "31", "changed": "33", "title": "1", "hidden": "31"}


def _columns() -> int:
    configured = os.environ.get("COLUMNS", "")
    if configured.isdecimal() and len(configured) < 5 and int(configured) >= 20:
        return int(configured)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80
