"""The layers that `runAsRoot` and `fakeRootCommands` make, also with `extraCommands` after `runAsRoot`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lamina.errors import ScriptFailed
from lamina.image.rootfs import File, Node, empty, lay
from lamina.rootless.changes import changes, place
from lamina.rootless.namespace import enter, run_here, run_in_root
from lamina.rootless.records import Records
from lamina.rootless.unpack import OnDisk, unpack
from lamina.rootless.work_directory import work_directory
from lamina.store.tree import Item
from lamina.tar.whiteout import PREFIX
from lamina.tar.write import FILE

_TICK = 0.02
"""Seconds. The kernel's clock for file times moves in smaller steps, so a later change has a later time."""


@contextmanager
def run_as_root(
    base: Node,
    at_root: Iterable[Item],
    script: Sequence[str],
    extra: Sequence[str] | None = None,
    *,
    root: bool = False,
) -> Iterator[list[Item]]:
    """The layer that a script makes on a base, with `at_root` on top. `extra` runs afterwards, in the layer's root.

    With `root`, the layer has an item for the root directory even if the script does not change it.

    The files are in TMPDIR until the block ends. Raises ScriptFailed with the script's exit status, or LaminaError.
    """
    enter()
    with work_directory() as work:
        start = base.copy()
        _add_items(start, at_root)
        unpacked = unpack(start, work / "root", Records())
        time.sleep(_TICK)
        _check("runAsRoot", run_in_root(script, unpacked.top, unpacked.records))
        items = changes(unpacked, base, root=root)
        yield items if extra is None else _after(items, extra, work / "layer")


@contextmanager
def fake_root(
    at_root: Iterable[Item], script: Sequence[str], *, chroot: bool, root: bool = False
) -> Iterator[list[Item]]:
    """A layer of `at_root` after a script has changed it. The script runs in that directory, or has it as its root.

    With `root`, the layer has an item for the root directory even if the script does not change it.

    Raises ScriptFailed with the script's exit status, or LaminaError.
    """
    enter()
    with work_directory() as work:
        start = empty()
        _add_items(start, at_root)
        unpacked = unpack(start, work / "root", Records())
        if chroot:
            binds = [Path(os.environ["NIX_BUILD_TOP"])] if "NIX_BUILD_TOP" in os.environ else []
            status = run_in_root(script, unpacked.top, unpacked.records, binds)
        else:
            status = run_here(script, unpacked.top, unpacked.records)
        _check("fakeRootCommands", status)
        yield changes(unpacked, empty(), root=root)


def _after(items: list[Item], script: Sequence[str], top: Path) -> list[Item]:
    """Unpack the layer without its whiteouts, run the script in it, and make a layer of the result."""
    whiteouts = [item for item in items if _is_whiteout(item.member.name)]
    start = empty()
    _add_items(start, (item for item in items if not _is_whiteout(item.member.name)))
    unpacked = unpack(start, top, Records())
    _check("extraCommands", run_here(script, top, unpacked.records))
    left = changes(unpacked, empty(), root=any(not item.member.name for item in items))
    names = {item.member.name for item in left}
    left += [item for item in whiteouts if _is_still_needed(item.member.name, names)]
    return sorted(left, key=lambda item: place(item.member.name))


def _is_still_needed(whiteout: bytes, names: set[bytes]) -> bool:
    """Whether the layer still has the whiteout's directory, and no new file in place of the deleted one."""
    directory, _, last = whiteout.rpartition(b"/")
    hidden = last[len(PREFIX) :]
    return (not directory or directory in names) and (directory + b"/" + hidden).lstrip(b"/") not in names


def _is_whiteout(name: bytes) -> bool:
    return name.rpartition(b"/")[2].startswith(PREFIX)


def _add_items(root: Node, items: Iterable[Item]) -> None:
    """Put items into a file system. None of them is a whiteout, so the number of their layer does not matter."""
    for item in items:
        member = item.member
        data = OnDisk(item.source, member.size) if member.kind == FILE else None
        lay(root, File(member, data), 0, "the files at the root")


def _check(argument: str, status: int) -> None:
    if status:
        raise ScriptFailed(argument, status)
