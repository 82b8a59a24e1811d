"""Finds the store path that a user names: by its path, its name, or the beginning of one of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lamina.errors import BadInput
from lamina.report.contents import StorePath
from lamina.store.closure import HASH_LENGTH, base_name

_SHOWN = 8


def find_path(paths: Mapping[str, StorePath], requested: str, where: object) -> StorePath:
    """The store path for a path of it or of a file in it, HASH-NAME, a name, or the beginning of one of these.

    A whole name is preferred to a beginning. Raises BadInput: no path matches, or several do; the error lists them.
    """
    found = _matching(paths.values(), requested)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(sorted(path.base for path in found)[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise BadInput(where, f"{requested!r:.100} can be {listed}{more}", "write more of one of these")
    near = _near(paths.values(), requested)
    remedy = f"did you mean {', '.join(near)}?" if near else "`lamina inspect` lists its store paths"
    problem = f"contains no store path {requested!r:.100}" if paths else "contains no store paths"
    raise BadInput(where, problem, remedy if paths else "`lamina inspect` searches other files")


def _matching(paths: Iterable[StorePath], requested: str) -> list[StorePath]:
    listed = list(paths)
    for path in listed:
        if requested == path.path or requested.startswith(path.path + "/"):
            return [path]
    tests = (
        lambda path: requested in (path.base, path.full_name),
        lambda path: requested in (path.package.name, path.package.label),
        lambda path: path.path.startswith(requested) or path.base.startswith(requested),
        lambda path: path.full_name.startswith(requested),
    )
    for test in tests:
        if requested and (found := [path for path in listed if test(path)]):
            return found
    return []


def _near(paths: Iterable[StorePath], requested: str) -> list[str]:
    from difflib import get_close_matches  # only for errors

    names = sorted({name for path in paths for name in (path.full_name, path.package.name)})[: 10 * 1000]
    word = base_name(requested)[:200]
    if len(word) > HASH_LENGTH and word[HASH_LENGTH] == "-":
        word = word[HASH_LENGTH + 1 :]
    inside = [name for name in names if len(word) > 2 and word in name]
    return (get_close_matches(word, names, 3, 0.6) or inside)[:3]
