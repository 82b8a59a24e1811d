"""The programs of newer Debian releases: roots that dev/root.sh makes, each entered through its own mount namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.builds import ROOT
from tests.support.consumers import leftovers
from tests.support.consumers.base import QUICK, ConsumerError, Prefix, wait_for

TRIXIE = ROOT / ".state/trixie"
FORKY = ROOT / ".state/forky"

# pivot_root, not chroot: inside a chroot the kernel refuses user namespaces, and containers with them. What
# programs write outside of the paths that both sides share is gone with the namespace, and the root stays as it was.
ENTER = """\
root=$1
shift
mount --bind "$root" "$root"
cd "$root"
mount --rbind /sys sys
mount --rbind /dev dev
mount -t proc proc proc
for path in run root opt var; do
  mkdir -p "$path"
  mount -t tmpfs tmpfs "$path"
done
mkdir -m 1777 var/tmp
mkdir run/outside
for path; do
  mkdir -p ".$path"
  mount --bind "$path" ".$path"
done
mount -o remount,bind,ro .
pivot_root . run/outside
umount -l /run/outside
cd /
echo entered
exec cat
"""


def shared() -> list[Path]:
    """What has the same name inside and outside, the outer of nested ones first."""
    paths = {Path("/tmp"), Path(tempfile.gettempdir()).resolve(), Path("/nix"), ROOT}
    return sorted(path for path in paths if path.exists())


def complete(directory: Path) -> bool:
    return (directory / ".made-of").exists()


@contextmanager
def entered(directory: Path = TRIXIE) -> Iterator[Prefix]:
    """The words that lead a program into the root.

    The namespace is kept by a `cat` at a pipe from here: however this process ends, the `cat` does too, and
    with it all mounts.
    """
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", ENTER, "enter"]
    holder = subprocess.Popen(
        [*argv, str(directory), *map(str, shared())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert holder.stdin and holder.stdout
    try:
        printed = holder.stdout.readline()
        if printed != "entered\n":
            raise ConsumerError(f"cannot enter {directory}: {printed}{holder.stdout.read()}")
        nsenter = shutil.which("nsenter") or "nsenter"
        yield (nsenter, f"--mount=/proc/{holder.pid}/ns/mnt", "--")
        leftovers.kill(residents(holder.pid) - {holder.pid})
    finally:
        holder.stdin.close()
        wait_for(lambda: holder.poll() is not None, f"end of the namespace of {directory}", QUICK)
        holder.stdout.close()


def residents(pid: int) -> set[int]:
    """All processes in the mount namespace of `pid`."""
    namespace = os.readlink(f"/proc/{pid}/ns/mnt")
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(entry / "ns/mnt") == namespace:
                found.add(int(entry.name))
    return found
