"""Mounts of a script: what it sees in its root directory, and which parts are read-only.

DIR itself                      the root, writable
DIR/proc                        the processes of the script
DIR/dev                         a new /dev with the devices that Nix's sandbox has
DIR/nix/store                   the builder's store, read-only
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from lamina.errors import BadInput
from lamina.rootless import kernel

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "kvm")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
"""What /dev contains, as in Nix's sandbox (libstore, linux-derivation-builder.cc)."""

_SHARED = (b"/tmp", b"/var/tmp", b"/dev/shm", b"/dev/pts", b"/dev/mqueue")
"""Where every user may write."""

_NO_PROGRAMS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


@attrs.frozen
class Mount:
    """A file or a directory that is shown at another place, with everything below it."""

    source: bytes
    target: bytes
    read_only: bool


@contextmanager
def mount_points(top: Path, binds: Sequence[Path]) -> Iterator[list[Mount]]:
    """The mounts below the root `top`. Missing targets are created, and removed at the end if they are empty.

    Raises BadInput: a target would be behind a link of the image.
    """
    made: list[bytes] = []
    root = os.fsencode(top)
    try:
        _directory(root, b"proc", made)
        _directory(root, b"dev", made)
        mounts = [
            Mount(source, _directory(root, source.strip(b"/"), made), read_only=False)
            for source in map(os.fsencode, binds)
            if os.path.isdir(source)
        ]
        yield mounts + list(_store_mounts(root, made))
    finally:
        for path in reversed(made):
            with suppress(OSError):
                if os.path.isdir(path) and not os.path.islink(path):
                    os.rmdir(path)
                else:
                    os.unlink(path)


def _store_mounts(root: bytes, made: list[bytes]) -> Iterator[Mount]:
    """The store. If the image has store paths of its own, each missing store path is a mount of its own.

    Such a mount takes a millisecond. In Nix's sandbox the store has few paths, elsewhere it has all of them.
    """
    store = store_directory()
    if not os.path.isdir(store):
        return
    place = _directory(root, store.strip(b"/"), made)
    if not os.listdir(place):
        yield Mount(store, place, read_only=True)
        return
    for name in sorted(os.listdir(store)):
        source, target = store + b"/" + name, place + b"/" + name
        if name.startswith(b".") or name.endswith((b".drv", b".lock", b".chroot")) or os.path.lexists(target):
            continue
        made.append(target)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            continue
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            _empty_file(target)
        yield Mount(source, target, read_only=True)


def store_directory() -> bytes:
    return os.fsencode(os.environ.get("NIX_STORE", "/nix/store"))


def _directory(root: bytes, name: bytes, made: list[bytes]) -> bytes:
    """A directory below the root, created if it is missing. Raises BadInput: it would be elsewhere."""
    path = root
    for part in name.split(b"/"):
        path += b"/" + part
        if not os.path.lexists(path):
            os.mkdir(path, 0o755)
            made.append(path)
        elif os.path.islink(path) or not os.path.isdir(path):
            shown = os.fsdecode(path[len(root) :])
            raise BadInput(shown, "no directory in the image", "the script needs a directory there")
    return path


def _empty_file(path: bytes) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))


def mount_below(top: Path, mounts: Sequence[Mount]) -> None:
    """Make all mounts of a new root, for this process and its children only. Raises OSError."""
    root = os.fsencode(top)
    private_mounts()
    kernel.mount(root, root, flags=kernel.MS_BIND)
    bind(mounts)
    _mount_devices(root + b"/dev")
    mount_processes(root + b"/proc")
    _protect_kernel(root + b"/proc")


def private_mounts() -> None:
    """From here on mounts are made for this process and its children only. Raises OSError."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount(b"none", b"/", flags=kernel.MS_REC | kernel.MS_PRIVATE)


def bind(mounts: Sequence[Mount]) -> None:
    """Raises OSError."""
    for mount in mounts:
        kernel.mount(mount.source, mount.target, flags=kernel.MS_BIND | kernel.MS_REC)
    targets = [mount.target for mount in mounts if mount.read_only]
    # In Nix's sandbox each store path is a mount of its own. A read-only mount of the store does not include it.
    for place in _mounted_below(targets) if targets else ():
        _make_read_only(place)


def _make_read_only(place: bytes) -> None:
    kept = os.statvfs(place).f_flag & _NO_PROGRAMS
    kernel.mount(b"none", place, flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | kept)


def _mounted_below(directories: Sequence[bytes]) -> Iterator[bytes]:
    """The places of the mounts on and below the directories (proc_pid_mountinfo(5))."""
    tops = {os.path.realpath(directory) for directory in directories}
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        place = re.sub(rb"\\([0-7]{3})", lambda escape: bytes([int(escape[1], 8)]), line.split()[4])
        above = place
        while above not in tops and above != b"/":
            above = os.path.dirname(above)
        if above in tops:
            yield place


def _mount_devices(place: bytes) -> None:
    """A new /dev. The builder's has the disks of the machine and the terminals of its users.

    The devices are the machine's own. They are mounted read-only, so that no script changes their modes, owners or
    times; reading and writing a device needs no writable mount.
    """
    kernel.mount(b"tmpfs", place, b"tmpfs", kernel.MS_NOSUID, b"mode=755,size=64m")
    for name in _DEVICES:
        source, target = os.fsencode(f"/dev/{name}"), place + b"/" + os.fsencode(name)
        if os.path.exists(source):
            _empty_file(target)
            kernel.mount(source, target, flags=kernel.MS_BIND)
            _make_read_only(target)
    for name, link in _DEVICE_LINKS.items():
        os.symlink(link, place + b"/" + os.fsencode(name))
    os.mkdir(place + b"/shm")
    kernel.mount(b"tmpfs", place + b"/shm", b"tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, b"mode=1777")
    os.mkdir(place + b"/pts")
    options = b"newinstance,ptmxmode=0666,mode=0620"
    with suppress(OSError):  # pseudo terminals are missing then
        kernel.mount(b"devpts", place + b"/pts", b"devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, options)


def protect_machine(writable: Sequence[bytes]) -> None:
    """Make everything except the directories `writable` read-only, if this user is the machine's root.

    Other users may write to little of it anyway, and Nix's sandbox contains nothing of the machine. Raises OSError.
    """
    if not is_machine_root():
        return
    kept = {os.path.realpath(directory) for directory in (*writable, *_SHARED) if os.path.isdir(directory)}
    for directory in sorted(kept):
        kernel.mount(directory, directory, flags=kernel.MS_BIND | kernel.MS_REC)
    for place in _mounted_below([b"/"]):
        if not _is_below(place, kept) and not _is_below(place, {b"/proc"}):
            with suppress(FileNotFoundError, NotADirectoryError):  # below a mount that hides it
                _make_read_only(place)
    _protect_kernel(b"/proc")


def is_machine_root() -> bool:
    """Whether this user is the machine's root: files of root belong to it, with any number in this namespace."""
    return os.stat("/proc/sys").st_uid == os.getuid()


def _is_below(place: bytes, directories: AbstractSet[bytes]) -> bool:
    return any(place == directory or place.startswith(directory + b"/") for directory in directories)


def mount_processes(place: bytes) -> None:
    """A /proc of the process namespace. Raises OSError."""
    try:
        kernel.mount(b"proc", place, b"proc", _NO_PROGRAMS)
    except PermissionError:  # in a container parts of /proc are covered, and a new one would show them
        if place != b"/proc":
            kernel.mount(b"/proc", place, flags=kernel.MS_BIND | kernel.MS_REC)


def _protect_kernel(proc: bytes) -> None:
    """Make files in /proc that belong to the whole machine read-only, if this user is the machine's root.

    The kernel protects most of /proc by the owner of its files only, and root owns /proc/sys and /proc/sysrq-trigger.
    """
    if not is_machine_root():
        return
    for name in os.listdir(proc):
        path = proc + b"/" + name
        mode = os.lstat(path).st_mode
        is_writable = stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and mode & 0o222)
        if is_writable and not name.isdigit():
            kernel.mount(path, path, flags=kernel.MS_BIND | kernel.MS_REC)
            _make_read_only(path)
