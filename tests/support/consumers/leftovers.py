"""Clearing away what a daemon leaves behind: shims, monitors, containers and mounts below its directory."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path


def clear(directory: Path, prefix: tuple[str, ...] = ()) -> None:
    """End every process that names `directory`, with its descendants, and unmount all that is below it.

    A monitor that sees its container end may start one more program before it ends itself.
    """
    while left := processes(directory):
        kill(left)
    for target in sorted(mounts(directory, prefix), reverse=True):
        # Lazily: a mount that something still holds goes when it lets go. It may also have gone by itself meanwhile.
        subprocess.run([*prefix, "umount", "--lazy", target], check=False, capture_output=True, timeout=30)
    still = [*mounts(directory, prefix), *mounts(directory)]
    if still:
        raise RuntimeError(f"still mounted, so {directory} is kept: {still}")


def processes(directory: Path) -> set[int]:
    """Processes whose command line names `directory`, and what descends from them.

    A shim leaves its daemon's session and a container's processes name no directory at all, so
    neither the process group nor the command line is enough alone.
    """
    parents = {int(entry.name): parent(entry) for entry in Path("/proc").glob("[0-9]*")}
    found = {pid for pid in parents if names(pid, directory)} - {os.getpid()}
    while children := {pid for pid, above in parents.items() if above in found} - found:
        found |= children
    return found


def names(pid: int, directory: Path) -> bool:
    try:
        return os.fsencode(directory) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def parent(entry: Path) -> int:
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return 0
    # The command stands in brackets and may hold brackets and blanks itself; state and parent follow it.
    return int(stat.rpartition(")")[2].split()[1])


def kill(pids: set[int], timeout: float = 20) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + timeout
    while running := [pid for pid in pids if alive(pid)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes survive SIGKILL: {running}")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def mounts(directory: Path, prefix: tuple[str, ...] = ()) -> list[str]:
    """Mount points below `directory`, in the mount namespace that `prefix` leads into."""
    table = subprocess.run(
        [*prefix, "cat", "/proc/self/mountinfo"], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    targets = [unescape(line.split()[4]) for line in table.splitlines()]
    return [target for target in targets if target.startswith(f"{directory}/")]


def unescape(field: str) -> str:
    """The kernel writes blanks in a path as octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
