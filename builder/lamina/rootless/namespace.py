"""A user namespace of our own, and in it a script whose root directory is one that we filled.

One user number can be mapped without help: the one that builds, to 0. That gives the right to mount and to chroot.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lamina.errors import BadInput, LaminaError
from lamina.rootless import kernel
from lamina.rootless.records import Records
from lamina.rootless.supervise import supervise

_SETTINGS = (
    ("kernel.unprivileged_userns_clone", 0, 1),
    ("user.max_user_namespaces", 0, 10000),
    ("kernel.apparmor_restrict_unprivileged_userns", 1, 0),
)
"""What turns user namespaces off: Debian's patch, the kernel's own limit, Ubuntu's AppArmor."""

_SYSTEM = (b"/dev", b"/sys")


def enter() -> None:
    """Become root in a user namespace of our own. Raises LaminaError naming the setting that forbids it."""
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    except OSError as error:
        raise LaminaError("user namespace", f"refused: {error.strerror}", _remedy()) from None


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _remedy() -> str:
    for name, off, on in _SETTINGS:
        with suppress(OSError, ValueError):
            if int(Path("/proc/sys", *name.split(".")).read_text()) == off:
                return f"they are off: sysctl {name}={on} turns them on"
    return "allow them where this runs: sysctl user.max_user_namespaces, or the seccomp profile of the container"


def run_in_root(command: Sequence[str], top: Path, records: Records, binds: Sequence[Path] = ()) -> int:
    """Run a program whose root is `top`, to its end; its exit status. Nothing that is mounted for it stays.

    It sees /dev, a /proc of its own, and the Nix store as the builder sees it, read-only; `binds` are directories
    that it sees where they are. Raises LaminaError or BadInput.
    """
    with _places(top, binds) as mounts:
        return _in_child(lambda: _mounted(command, top, records, mounts), records)


def run_here(command: Sequence[str], directory: Path, records: Records) -> int:
    """Run a program in a directory, to its end; its exit status. The Nix store is read-only for it.

    It has to be: where the builder owns the store, being root in the namespace means that no mode stops a script
    from writing through a link to there.
    """
    store = _store_directory()
    mounts = [(store, store, True)] if os.path.isdir(store) else []

    def here() -> int:
        _mount(mounts)
        return supervise(command, records, lambda: os.chdir(directory))

    return _in_child(here, records)


Mount = tuple[bytes, bytes, bool]
"""Source, target, and whether only to be read."""


@contextmanager
def _places(top: Path, binds: Sequence[Path]) -> Iterator[list[Mount]]:
    """What to mount where. Places that were not there are made, and taken away again if nothing was put into them."""
    made: list[bytes] = []
    mounts: list[Mount] = []
    root = os.fsencode(top)
    try:
        _directory(root, b"proc", made)
        for source in (*map(os.fsencode, binds), *_SYSTEM):
            if os.path.isdir(source):
                mounts.append((source, _directory(root, source.strip(b"/"), made), False))
        mounts += _store(root, made)
        yield mounts
    finally:
        for path in reversed(made):
            with suppress(OSError):
                if os.path.isdir(path) and not os.path.islink(path):
                    os.rmdir(path)
                else:
                    os.unlink(path)


def _store(root: bytes, made: list[bytes]) -> Iterator[Mount]:
    """The store; where the image has store paths of its own, one by one those that it has not.

    One by one takes a millisecond each, which in a sandbox are few, but outside of one are all that there are.
    """
    store = _store_directory()
    if not os.path.isdir(store):
        return
    place = _directory(root, store.strip(b"/"), made)
    if not os.listdir(place):
        yield store, place, True
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
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        yield source, target, True


def _store_directory() -> bytes:
    return os.fsencode(os.environ.get("NIX_STORE", "/nix/store"))


def _directory(root: bytes, name: bytes, made: list[bytes]) -> bytes:
    """A directory below the root, made if it is not there. Raises BadInput: it would lie elsewhere."""
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


def _mounted(command: Sequence[str], top: Path, records: Records, mounts: list[Mount]) -> int:
    """In a process of its own: mount, and run the program in a process namespace, as its first process."""
    kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    _mount(mounts)
    return _in_child(lambda: _first(command, top, records), records)


def _mount(mounts: list[Mount]) -> None:
    """Mount for this process and its children alone."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount(b"none", b"/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    for source, target, _ in mounts:
        kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)
    closed = [target for _, target, read_only in mounts if read_only]
    for place in _mounted_below(closed) if closed else ():
        # In Nix' sandbox each store path is a mount of its own, which the store's being read-only does not reach.
        locked = os.statvfs(place).f_flag & (kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
        kernel.mount(b"none", place, flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | locked)


def _mounted_below(directories: list[bytes]) -> Iterator[bytes]:
    """The places of the mounts on and below the directories (proc_pid_mountinfo(5))."""
    tops = {os.path.realpath(directory) for directory in directories}
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        place = re.sub(rb"\\([0-7]{3})", lambda escape: bytes([int(escape[1], 8)]), line.split()[4])
        above = place
        while above not in tops and above != b"/":
            above = os.path.dirname(above)
        if above in tops:
            yield place


def _first(command: Sequence[str], top: Path, records: Records) -> int:
    proc = os.fsencode(top / "proc")
    try:
        kernel.mount(b"proc", proc, b"proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    except PermissionError:  # in a container parts of /proc are covered, and a new one would show them
        kernel.mount(b"/proc", proc, flags=kernel.MS_BIND | kernel.MS_REC)

    def go_in() -> None:
        os.chroot(top)
        os.chdir("/")

    return supervise(command, records, go_in)


def _in_child(work: Callable[[], int], records: Records) -> int:
    """The result of work in a process of its own; what that records comes back. Raises what it raises."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)
            with os.fdopen(theirs, "wb") as pipe:
                pickle.dump(_outcome(work, records), pipe)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        raise LaminaError("the script's supervisor", "was killed", "give it more memory")
    outcome = pickle.loads(told)
    if isinstance(outcome, BaseException):
        raise outcome
    status, records.known = outcome
    return int(status)


def _outcome(work: Callable[[], int], records: Records) -> object:
    try:
        return work(), records.known
    except (LaminaError, OSError) as error:
        return error
