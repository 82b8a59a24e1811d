"""From extracted layers to one root file system, as Mesos' provisioner backends do it.

Replays backends/copy.cpp and backends/overlay.cpp of src/slave/containerizer/mesos/provisioner, and
convertWhiteouts of utils.cpp beside them.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.support.replays.errors import MesosError

Backend = Literal["copy", "overlay"]

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
TIMEOUT = 300


def rootfs_name(backend: Backend) -> str:
    """getImageLayerRootfsPath in docker/paths.cpp: overlay has its own, with converted whiteouts."""
    return "rootfs.overlay" if backend == "overlay" else "rootfs"


@contextmanager
def provisioned(backend: Backend, layers: Sequence[Path], directory: Path) -> Iterator[Path]:
    rootfs = directory / "rootfs"
    try:
        rootfs.mkdir()
    except FileExistsError:
        raise MesosError("Rootfs is already provisioned") from None
    try:
        if backend == "copy":
            for layer in layers:
                copy_layer(layer, rootfs)
            yield rootfs
        else:
            with overlay(layers, rootfs, directory / "scratch"):
                yield rootfs
    finally:
        shutil.rmtree(rootfs)


def walk(directory: Path) -> Iterator[Path]:
    """Everything below, each directory before what is in it, no link followed: fts with FTS_PHYSICAL."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))


def regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def whiteouts(layer: Path) -> list[Path]:
    """Only regular files count, whatever they hold."""
    return [path for path in walk(layer) if path.name.startswith(WHITEOUT) and regular(path)]


def copy_layer(layer: Path, rootfs: Path) -> None:
    """CopyBackendProcess::_provision: make room for the layer, copy it over, take its whiteouts away."""
    marks = set(whiteouts(layer))
    for path in walk(layer):
        target = rootfs / path.relative_to(layer)
        if path not in marks:
            make_room(path, target)
        elif path.name == OPAQUE:
            empty(target.parent)
        else:
            delete(target.with_name(path.name.removeprefix(WHITEOUT)))
    done = subprocess.run(
        ["cp", "-aT", str(layer), str(rootfs)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
    )
    if done.returncode:
        raise MesosError(f"Failed to copy layer: {done.stderr.strip()}")
    for path in marks:
        (rootfs / path.relative_to(layer)).unlink()


def make_room(path: Path, target: Path) -> None:
    """Remove what cp would not replace: a directory by something else or the reverse, and a link.

    The test for being there follows links, as os::exists does, so a dangling one stays; cp then
    refuses to write through it.
    """
    if not target.exists():
        return
    was_directory = stat.S_ISDIR(target.lstat().st_mode)
    becomes_directory = stat.S_ISDIR(path.lstat().st_mode)
    if was_directory != becomes_directory or target.is_symlink():
        delete(target)


def delete(target: Path) -> None:
    if not target.exists():
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
        return
    target.unlink()


def empty(directory: Path) -> None:
    """os::rmdir without the root itself, which must be there."""
    if not directory.is_dir():
        raise MesosError(f"an opaque whiteout stands in '{directory}', which no layer below has")
    for entry in directory.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def convert_whiteouts(rootfs: Path) -> None:
    """convertWhiteouts in utils.cpp: files into overlay's own marks, which only root can make."""
    for path in whiteouts(rootfs):
        if path.name == OPAQUE:
            os.setxattr(path.parent, "trusted.overlay.opaque", b"y")
        else:
            make_whiteout(path.with_name(path.name.removeprefix(WHITEOUT)))
        path.unlink()


def make_whiteout(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
    except OSError as error:
        # It is there when a layer both removes and brings the same name.
        raise MesosError(f"Failed to convert the whiteout files: mknod '{path}': {error.strerror}") from None


@contextmanager
def overlay(layers: Sequence[Path], rootfs: Path, scratch: Path) -> Iterator[None]:
    """OverlayBackendProcess::provision and destroy.

    The kernel takes one page of options, so short links stand for the layers' long paths.
    """
    upper, work = scratch / "upperdir", scratch / "workdir"
    upper.mkdir(parents=True)
    work.mkdir()
    with tempfile.TemporaryDirectory() as short:
        links = [Path(short, str(index)) for index in range(len(layers))]
        for link, layer in zip(links, layers, strict=True):
            link.symlink_to(layer)
        lower = ":".join(str(link) for link in reversed(links))
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        done = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, str(rootfs)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        if done.returncode:
            raise MesosError(f"Failed to mount rootfs '{rootfs}' with overlayfs: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(rootfs)], check=True, timeout=TIMEOUT)
            shutil.rmtree(scratch)
