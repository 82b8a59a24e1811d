"""Writing the file system of an image to a directory. What the disk cannot store, such as owners, is recorded.

The directory is new, and every name in it is created here, parents first. So no link is followed, and no file is
written elsewhere, whatever the layers contain.
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
    """The bytes of a file, which is opened when they are read."""

    path: bytes
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Raises OSError."""
        with open(self.path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk


@attrs.define
class Unpacked:
    """An unpacked file system in the directory `top`, with its records.

    `changed` is the time at which each file was written. It is `st_ctime_ns`, which no program can set.
    """

    top: Path
    records: Records
    changed: dict[Key, int] = attrs.field(factory=dict)
    keys: dict[File, Key] = attrs.field(factory=dict)


def unpack(root: Node, top: Path, records: Records) -> Unpacked:
    """Create the directory `top` and fill it.

    Raises LaminaError or OSError: the disk is full, or the file system does not allow a file's name or size.
    """
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
    member = file.about
    if member.kind == DIRECTORY:
        os.mkdir(path)
    elif member.kind == SYMLINK:
        os.symlink(member.link, path)
    elif member.kind == FIFO:
        os.mkfifo(path)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for size in _copied(file, descriptor):
                assert size > 0
        finally:
            os.close(descriptor)


def _copied(file: File, descriptor: int) -> Iterator[int]:
    """Copy a file's data; yields how many bytes each step copied. The kernel copies them if they are in a file."""
    data = file.data
    if not isinstance(data, FileRange):
        for chunk in data.chunks() if data else ():
            yield _write(descriptor, chunk)
        return
    position, end = data.offset, data.offset + data.size
    while position < end:
        size = os.sendfile(descriptor, data.source.file.fileno(), position, min(64 * CHUNK, end - position))
        if not size:
            raise BadInput(
                data.source.name, f"ends {end - position} bytes early", "it is cut short: copy or pull it again"
            )
        position += size
        yield size


def _write(descriptor: int, chunk: bytes) -> int:
    done = 0
    while done < len(chunk):
        done += os.write(descriptor, memoryview(chunk)[done:])
    return done


def _finish(result: Unpacked, file: File, path: bytes) -> None:
    """Set the mode without its set-id bits, and record the rest."""
    member = file.about
    if member.kind != SYMLINK:
        os.chmod(path, member.mode & ~SET_ID)
    info = os.lstat(path)
    key = key_of(info)
    result.records[key] = record_of(member)
    result.changed[key] = info.st_ctime_ns
    result.keys[file] = key


def record_of(member: Member) -> Record:
    """The properties of a member that its file on the disk does not have."""
    kind = _KINDS.get(member.kind, 0)
    return Record(
        uid=member.uid,
        gid=member.gid,
        special=0 if member.kind == SYMLINK else member.mode & SET_ID,
        kind=kind,
        device=os.makedev(*member.device) if kind else 0,
        xattrs=member.xattrs,
    )
