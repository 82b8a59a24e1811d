"""Layers that scripts make: `runAsRoot`, `fakeRootCommands`, and `extraCommands` after them."""

from __future__ import annotations

import os
import tempfile
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
from lamina.store.tree import WHITEOUT, Item
from lamina.tar.write import FILE

_TICK = 0.02
"""Seconds: more than the kernel's clock for times of files goes on at once."""


@contextmanager
def run_as_root(
    base: Node,
    at_root: Iterable[Item],
    script: Sequence[str],
    extra: Sequence[str] | None = None,
    *,
    root: bool = False,
) -> Iterator[list[Item]]:
    """The layer that a script makes on a base with `at_root` laid over it; `extra` then runs in the layer's root.

    With `root`, the root directory is an item of it even if the script does not change it.

    The files lie where TMPDIR says, until the block ends. Raises LaminaError; ScriptFailed with its exit status.
    """
    enter()
    with tempfile.TemporaryDirectory(prefix="lamina-") as work:
        whole = base.copy()
        _lay_items(whole, at_root)
        unpacked = unpack(whole, Path(work, "root"), Records())
        time.sleep(_TICK)
        _check("runAsRoot", run_in_root(script, unpacked.top, unpacked.records))
        items = changes(unpacked, base, root=root)
        yield items if extra is None else _after(items, extra, Path(work, "layer"))


@contextmanager
def fake_root(
    at_root: Iterable[Item], script: Sequence[str], *, chroot: bool, root: bool = False
) -> Iterator[list[Item]]:
    """A layer of what a script leaves where `at_root` lies; it runs there, or with it as its root directory.

    With `root`, the root directory is an item of it even if the script does not change it.
    """
    enter()
    with tempfile.TemporaryDirectory(prefix="lamina-") as work:
        start = empty()
        _lay_items(start, at_root)
        unpacked = unpack(start, Path(work, "root"), Records())
        if chroot:
            binds = [Path(os.environ["NIX_BUILD_TOP"])] if "NIX_BUILD_TOP" in os.environ else []
            status = run_in_root(script, unpacked.top, unpacked.records, binds)
        else:
            status = run_here(script, unpacked.top, unpacked.records)
        _check("fakeRootCommands", status)
        yield changes(unpacked, empty(), root=root)


def _after(items: list[Item], script: Sequence[str], top: Path) -> list[Item]:
    """Unpack the layer, without what deletes, run the script in it, and make a layer of that again."""
    hiding = [item for item in items if _hides(item.member.name)]
    start = empty()
    _lay_items(start, (item for item in items if not _hides(item.member.name)))
    unpacked = unpack(start, top, Records())
    _check("extraCommands", run_here(script, top, unpacked.records))
    left = changes(unpacked, empty(), root=any(not item.member.name for item in items))
    names = {item.member.name for item in left}
    left += [item for item in hiding if _still(item.member.name, names)]
    return sorted(left, key=lambda item: place(item.member.name))


def _still(name: bytes, names: set[bytes]) -> bool:
    """Whether what deletes has a place in the layer: its directory is there, and no new file of the name."""
    directory, _, last = name.rpartition(b"/")
    hidden = last[len(WHITEOUT) :]
    return (not directory or directory in names) and (directory + b"/" + hidden).lstrip(b"/") not in names


def _hides(name: bytes) -> bool:
    return name.rpartition(b"/")[2].startswith(WHITEOUT)


def _lay_items(root: Node, items: Iterable[Item]) -> None:
    """None of the items deletes, so it does not matter which layer they are said to be of."""
    for item in items:
        about = item.member
        data = OnDisk(item.source, about.size) if about.kind == FILE else None
        lay(root, File(about, data), 0, "what goes to the root")


def _check(what: str, status: int) -> None:
    if status:
        raise ScriptFailed(what, status)
