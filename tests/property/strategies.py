"""Inputs that hypothesis draws: names, trees, members, JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lamina.tar.write import DIRECTORY, FILE, SYMLINK, Member

# A component that repeats a few bytes gets long enough to need every form of header.
_short = st.binary(min_size=1, max_size=20).map(lambda raw: raw.replace(b"/", b"-").replace(b"\0", b"_"))
components = st.builds(lambda part, times: (part * times)[:255], _short, st.integers(1, 60)).filter(
    lambda part: part not in (b".", b"..")
)
names = st.lists(components, min_size=1, max_size=15).map(b"/".join).filter(lambda name: len(name) <= 4096)
links = st.builds(
    lambda part, times: part.replace(b"\0", b"_") * times, st.binary(min_size=1, max_size=30), st.integers(1, 40)
)

_numbers = st.integers(0, 2**32 - 1)
_common = {
    "name": names,
    "mode": st.integers(0, 0o7777),
    "uid": _numbers,
    "gid": _numbers,
    "mtime": st.integers(0, 2**40),
}


def _members(kind: bytes, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Member]:
    """Members of one kind. Fields without a strategy keep their defaults, which `builds(Member)` would draw, too."""
    return st.builds(lambda **drawn: Member(kind=kind, **drawn), **fields, **_common)


files = _members(FILE, size=st.integers(0, 2000))
directories = _members(DIRECTORY)
symlinks = _members(SYMLINK, link=links)
members = files | directories | symlinks

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
