"""docs/design/hostile-input.md has a row for each limit, with its value."""

from __future__ import annotations

import re

from lamina import limits
from tests.support.builds import ROOT

_ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([\d,]+)(?: ([KMG]iB))?\b[^|]*\|$", re.MULTILINE)
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def test_limits() -> None:
    text = (ROOT / "docs/design/hostile-input.md").read_text()
    listed = {name: int(number.replace(",", "")) * _UNITS[unit] for name, number, unit in _ROW.findall(text)}
    assert listed == {name: value for name, value in vars(limits).items() if name.isupper()}
