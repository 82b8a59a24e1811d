"""Write an image's present figures into its policy. Everything else in the file stays: comments, order, other rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

from lamina.errors import BadInput

NEW = """\
# What `lamina check` allows. docs/use/check.md describes all keys.
[budget]

[forbidden]
compilers = true
dev-outputs = true
secrets = true
setuid = true
"""
"""The policy that is written if there is none."""

_TABLE = re.compile(r"\s*\[\s*budget\s*\]\s*(?:#.*)?")
_NEXT = re.compile(r"\s*\[")
_KEY = r"(\s*{}\s*=\s*)([^#]*?)(\s*(?:#.*)?)"


def with_figures(text: str, figures: Mapping[str, int | None], where: object) -> str:
    """The policy with these figures in `[budget]`. Raises BadInput: that table is not written in lines of its own."""
    wanted = {key: value for key, value in figures.items() if value is not None}
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if _TABLE.fullmatch(line)), None)
    if start is None:
        lines += ([""] if lines and lines[-1].strip() else []) + ["[budget]"]
        start = len(lines) - 1
    end = next((number for number in range(start + 1, len(lines)) if _NEXT.match(lines[number])), len(lines))
    table = lines[start + 1 : end]
    for key, value in wanted.items():
        table = _with(table, key, f"{value:_}")
    result = "\n".join([*lines[: start + 1], *table, *lines[end:]]) + "\n"
    _check(text, result, wanted, where)
    return result


def _with(table: list[str], key: str, value: str) -> list[str]:
    pattern = re.compile(_KEY.format(re.escape(key)))
    for number, line in enumerate(table):
        if match := pattern.fullmatch(line):
            return [*table[:number], f"{match[1]}{value}{match[3]}", *table[number + 1 :]]
    filled = max((number for number, line in enumerate(table, 1) if line.strip()), default=0)
    return [*table[:filled], f"{key} = {value}", *table[filled:]]


def _check(before: str, after: str, wanted: Mapping[str, int], where: object) -> None:
    """Raises BadInput: the texts differ, as TOML, in more than the figures."""
    old = tomllib.loads(before)
    expected = {**old, "budget": {**old.get("budget", {}), **wanted}}
    try:
        is_right = tomllib.loads(after) == expected
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise BadInput(
            where,
            "its budget is in a form that cannot be changed here",
            "write [budget] and each of its keys on a line of its own",
        )
