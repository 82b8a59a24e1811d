"""The files at the root of an image: trees laid over each other, as copies or as links, with rules for owners."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence

from lamina.errors import BadInput
from lamina.limits import ROOT_REPEATS
from lamina.store.closure import store_path_in
from lamina.store.ownership import Rule, Stamp
from lamina.store.tree import Item, directory_member, entry_stat, file_item, scan
from lamina.tar.write import DIRECTORY, FILE, SYMLINK, Member

Below = Callable[[bytes], bool]
"""Whether the base has a directory with that name."""


def root_items(
    trees: Iterable[str],
    stamp: Stamp,
    *,
    keep_dirlinks: bool = False,
    rules: Sequence[Rule] = (),
    below: Below = lambda _: False,
    top: bool = False,
) -> list[Item]:
    """The trees merged at the root of the image: a file in a later tree replaces one in an earlier tree.

    A symbolic link to a directory is replaced by a copy of that directory, as in dockerTools' `copyToRoot` (`rsync
    --copy-dirlinks`). With `keep_dirlinks` it stays a link (dockerTools' `keepContentsDirlinks`), unless the base has
    a directory there (`below`), which the link would hide. Directories have mode 0755. With `top`, the root directory
    is an item, too.
    """
    merged = _top_item(stamp) if top else {}
    for tree in trees:
        for item in follow(top_of(tree), stamp, lambda name: not keep_dirlinks or below(name)):
            _lay_over(merged, item, tree)
    return _ruled(merged, rules)


def link_items(
    trees: Iterable[str],
    stamp: Stamp,
    rules: Sequence[Rule] = (),
    below: Below = lambda _: False,
    top: bool = False,
) -> list[Item]:
    """The trees as links: directories are created, a file becomes a link to that file, and a link stays the same.

    If several trees have a file with the same name, the first one is used, as in dockerTools' `contents` (symlinkJoin).
    """
    merged = _top_item(stamp) if top else {}
    for tree in trees:
        for item in follow(top_of(tree), stamp, below):
            if item.member.kind == FILE:
                target = os.path.join(os.fsencode(tree), item.member.name)
                item = Item(item.member._replace(kind=SYMLINK, size=0, mode=0o777, link=target), item.source)
            if item.member.name not in merged:
                _lay_over(merged, item, tree)
    return _ruled(merged, rules)


def _top_item(stamp: Stamp) -> dict[bytes, Item]:
    return {b"": Item(directory_member(b"", 0o755, stamp), b"")}


def top_of(tree: str) -> bytes:
    """The real path of the tree. Raises BadInput: it is missing, or no directory."""
    top = os.path.realpath(os.fsencode(tree))
    if not os.path.isdir(top):
        what = "not a directory" if os.path.lexists(top) else "not in the store"
        raise BadInput(tree, what, "what goes to the root of an image must be a directory")
    return top


def _beside(top: bytes) -> bytes:
    """The store that contains the tree, or else the directory that contains it; with a slash at the end."""
    inside = store_path_in(os.fsdecode(top))
    return os.path.dirname(os.fsencode(inside) if inside else top).rstrip(b"/") + b"/"


def _ruled(merged: dict[bytes, Item], rules: Sequence[Rule]) -> list[Item]:
    """The items sorted by path, directory by directory, each with owner and mode of the last rule that matches it."""
    patterns = [(re.compile(os.fsencode(rule.pattern)), rule) for rule in rules]
    names = sorted(merged, key=lambda name: name.replace(b"/", b"\0"))  # no name contains a smaller byte
    return [_by_rules(merged[name], patterns) for name in names]


def _by_rules(item: Item, patterns: Iterable[tuple[re.Pattern[bytes], Rule]]) -> Item:
    member = item.member
    for pattern, rule in patterns:
        if pattern.fullmatch(b"/" + member.name):
            member = _by_rule(member, rule)
    return item if member is item.member else item._replace(member=member)


def _by_rule(member: Member, rule: Rule) -> Member:
    """The member with owner and mode of the rule. A symbolic link has no mode."""
    return member._replace(
        uid=member.uid if rule.uid is None else rule.uid,
        gid=member.gid if rule.gid is None else rule.gid,
        mode=member.mode if rule.mode is None or member.kind == SYMLINK else rule.mode,
    )


def _lay_over(merged: dict[bytes, Item], item: Item, tree: str) -> None:
    below = merged.get(item.member.name)
    if below and (below.member.kind == DIRECTORY) != (item.member.kind == DIRECTORY):
        name = os.fsdecode(item.member.name)
        remedy = "leave one of them out of what is copied to the root"
        raise BadInput(tree, f"/{name} is a directory in one tree and not in another", remedy)
    merged[item.member.name] = item


def follow(top: bytes, stamp: Stamp, through: Below) -> Iterator[Item]:
    """The tree at `top`. A link to a directory is replaced by that directory if `through` returns true for its name.

    A link to a directory that contains it stays a link. So does a link that leads out of the store: in the image there
    may be something else in that place, or nothing.
    """
    home = _beside(top)
    waiting: list[tuple[bytes, bytes, frozenset[bytes]]] = [(top, b"", frozenset({top}))]
    seen: set[bytes] = set()
    repeats = 0
    while waiting:
        directory, name, above = waiting.pop()
        repeats += len(scan(directory)) + 1 if directory in seen else 0
        seen.add(directory)
        if repeats > ROOT_REPEATS:
            what = f"links to directories show more than {ROOT_REPEATS} files several times"
            raise BadInput(os.fsdecode(top), what, "remove links, or set keepContentsDirlinks")
        if name:
            yield Item(directory_member(name, 0o755, stamp), b"")
        for entry in sorted(scan(directory), key=lambda entry: entry.name):
            source = entry.path
            inner = name + b"/" + entry.name if name else entry.name
            info = entry_stat(entry)
            linked = stat.S_ISLNK(info.st_mode) and through(inner)
            real = os.path.realpath(source) if linked else source
            is_followed = linked and real not in above and real.startswith(home) and os.path.isdir(real)
            if is_followed or stat.S_ISDIR(info.st_mode):
                waiting.append((real, inner, above | {real}))
            else:
                yield file_item(source, inner, info, stamp)
