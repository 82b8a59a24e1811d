"""Isolation of a script: user, mount and process namespaces.

Two user namespaces are nested. In the outer one the builder may mount; it belongs to Lamina alone. The script runs in
the inner one. There every mount of the outer one is locked: it can be neither unmounted nor made writable
(mount_namespaces(7)). And the script has no rights in the outer one, so its processes can neither trace a process of
Lamina's nor open its files in /proc (ptrace(2)).

Only one user number can be mapped without help: the builder's own, to 0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lamina.errors import LaminaError
from lamina.rootless import kernel
from lamina.rootless.mounts import (
    Mount,
    bind,
    mount_below,
    mount_points,
    mount_processes,
    private_mounts,
    protect_machine,
    store_directory,
)
from lamina.rootless.records import Records
from lamina.rootless.settings import namespace_remedy
from lamina.rootless.supervise import supervise

_INNER = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS


def enter() -> None:
    """Become root in a new user namespace. Raises LaminaError with the setting that forbids it."""
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        _map_root(uid, gid)
    except OSError as error:
        raise LaminaError("user namespace", f"refused: {error.strerror}", namespace_remedy()) from None


def _map_root(uid: int, gid: int) -> None:
    """Map 0 of this process's new user namespace to a user and a group of the namespace around it."""
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def run_in_root(command: Sequence[str], top: Path, records: Records, binds: Sequence[Path] = ()) -> int:
    """Run a program whose root directory is `top`, to its end; returns its exit status.

    Apart from its root directory, it sees only a /dev and a /proc of its own, the builder's Nix store (read-only), and
    the directories `binds`, each at its own path. No mount is left. Raises LaminaError or BadInput.
    """
    with mount_points(top, binds) as mounts:

        def prepare() -> None:
            mount_below(top, mounts)
            kernel.change_root(os.fsencode(top))
            _enter_inner()

        return supervise(command, records, prepare)


def run_here(command: Sequence[str], directory: Path, records: Records) -> int:
    """Run a program in a directory, to its end; returns its exit status.

    It sees the builder's files. The Nix store is mounted read-only: if the builder owns the store, file modes would not
    stop root in the namespace from writing there. If the builder is the machine's root, everything else is read-only,
    too, except the directory itself and directories for temporary files.
    """
    temporary = [os.environ[name] for name in ("NIX_BUILD_TOP", "TMPDIR") if os.environ.get(name)]
    writable = list(map(os.fsencode, [str(directory), *temporary]))
    store = store_directory()
    mounts = [Mount(store, store, read_only=True)] if os.path.isdir(store) else []

    def prepare() -> None:
        private_mounts()
        bind(mounts)
        mount_processes(b"/proc")
        protect_machine(writable)
        _enter_inner()

    return supervise(command, records, prepare, lambda: os.chdir(directory))


def _enter_inner() -> None:
    """Enter the script's own namespaces, in which all mounts made so far are locked. Raises OSError."""
    kernel.unshare(_INNER)
    _map_root(0, 0)
