"""A file system of layers, put on a disk by somebody who owns one user number: the rest is recorded.

The directory is new and every name in it is made by us, parents first, so nothing is followed and nothing lies
elsewhere, whatever the layers hold.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from lamina.data.blob import Blob, FileRange
from lamina.data.span import CHUNK
from lamina.errors import BadInput
from lamina.image.rootfs import File, Node
from lamina.rootless.records import SET_ID, Key, Record, Records, key_of
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, SYMLINK, Member

_KINDS = {CHARACTER: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK}


@attrs.frozen(eq=False)
class OnDisk(Blob):
    """The bytes of a file, opened when somebody reads them."""

    path: bytes
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Raises OSError."""
        with open(self.path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk


@attrs.define
class Unpacked:
    """Where it lies, what is recorded of it, and when each file last changed (`st_ctime_ns`, which nobody can set)."""

    top: Path
    records: Records
    changed: dict[Key, int] = attrs.field(factory=dict)
    keys: dict[File, Key] = attrs.field(factory=dict)


def unpack(root: Node, top: Path, records: Records) -> Unpacked:
    """Fill the directory `top`, which is made. Raises LaminaError or OSError: no room, or what the disk cannot hold."""
    result = Unpacked(top, records)
    os.mkdir(top)
    _finish(result, root.file, os.fsencode(top))
    places: dict[File, bytes] = {}
    for name, node in root.walk():
        path = os.fsencode(top) + b"/" + name
        file = node.file
        if file in places and not node.is_directory:
            os.link(places[file], path, follow_symlinks=False)
            info = os.lstat(path)
            result.changed[key_of(info)] = info.st_ctime_ns
            continue
        places[file] = path
        _make(path, file)
        _finish(result, file, path)
    return result


def _make(path: bytes, file: File) -> None:
    about = file.about
    if about.kind == DIRECTORY:
        os.mkdir(path)
    elif about.kind == SYMLINK:
        os.symlink(about.link, path)
    elif about.kind == FIFO:
        os.mkfifo(path)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for size in _copied(file, descriptor):
                assert size > 0
        finally:
            os.close(descriptor)


def _copied(file: File, descriptor: int) -> Iterator[int]:
    """Copy a file's data; bytes copied, piece by piece. The kernel does it where the data lie in a file."""
    data = file.data
    if not isinstance(data, FileRange):
        for chunk in data.chunks() if data else ():
            yield _write(descriptor, chunk)
        return
    position, end = data.offset, data.offset + data.size
    while position < end:
        size = os.sendfile(descriptor, data.source.file.fileno(), position, min(64 * CHUNK, end - position))
        if not size:
            raise BadInput(data.source.name, f"ends {end - position} bytes early", "copy or pull it again")
        position += size
        yield size


def _write(descriptor: int, chunk: bytes) -> int:
    done = 0
    while done < len(chunk):
        done += os.write(descriptor, memoryview(chunk)[done:])
    return done


def _finish(result: Unpacked, file: File, path: bytes) -> None:
    """Modes as far as they may be set, the rest into the records."""
    about = file.about
    if about.kind != SYMLINK:
        os.chmod(path, about.mode & ~SET_ID)
    info = os.lstat(path)
    key = key_of(info)
    result.records[key] = record_of(about)
    result.changed[key] = info.st_ctime_ns
    result.keys[file] = key


def record_of(about: Member) -> Record:
    """What of a member cannot be told by a file of ours."""
    kind = _KINDS.get(about.kind, 0)
    return Record(
        uid=about.uid,
        gid=about.gid,
        special=0 if about.kind == SYMLINK else about.mode & SET_ID,
        kind=kind,
        device=os.makedev(*about.device) if kind else 0,
        xattrs=about.xattrs,
    )
