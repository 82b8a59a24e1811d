"""docs/design/hostile-input.md has a row for each limit, with its value."""

from __future__ import annotations

import re

from lamina import limits
from lamina.limits import Allowance
from tests.support.builds import ROOT

_NUMBER = r"([\d,]+)(?: ([KMG]iB))?\b"
_ROW = re.compile(rf"^\| `(\w+)` \| [^|]+ \| {_NUMBER}[^|;]*(?:; {_NUMBER}[^|]*)?\|$", re.MULTILINE)
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _value(number: str, unit: str) -> int:
    return int(number.replace(",", "")) * _UNITS[unit]


def _bounds(limit: int | Allowance) -> tuple[int, int]:
    """What is always allowed, and what is allowed at most."""
    return (limit.free, limit.most) if isinstance(limit, Allowance) else (limit, limit)


def test_limits() -> None:
    text = (ROOT / "docs/design/hostile-input.md").read_text()
    listed = {}
    for name, number, unit, most, most_unit in _ROW.findall(text):
        free = _value(number, unit)
        listed[name] = (free, _value(most, most_unit) if most else free)
    assert listed == {
        name: _bounds(value) for name, value in vars(limits).items() if re.match("[A-Z]", name) and name.isupper()
    }
