"""Following the symbolic links of a path, within a root directory: the one place that walks along a path with links."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def follow(
    parts: Sequence[bytes],
    enter: Callable[[bytes, bool], bytes | None],
    leave: Callable[[], None],
    restart: Callable[[], None],
    *,
    limit: int,
    count: Callable[[int], None],
) -> bool:
    """Walk along a path from the root; returns False if it leads through more than `limit` symbolic links.

    `enter` gets a name in the present directory, and whether it is the last one of the path. It goes there, or it
    returns the target of the symbolic link that is to be followed instead. `leave` goes to the parent directory; in the
    root it stays there. `restart` goes back to the root. `count` gets the number of steps of each target.
    """
    left = list(reversed(parts))
    links = 0
    while left:
        part = left.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            leave()
            continue
        target = enter(part, not left)
        if target is None:
            continue
        links += 1
        if links > limit:
            return False
        if target.startswith(b"/"):
            restart()
        steps = target.split(b"/")[::-1]
        count(len(steps))
        left += steps
    return True
