"""An image archive as its members, before they are put into a tar."""

from __future__ import annotations

import io
import json
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterable
from typing import Any, Literal

import attrs

from tests.support.archives import Piece, hexdigest

Member = tuple[tarfile.TarInfo, bytes]
TarFormat = Literal[0, 1, 2]


@attrs.frozen(eq=False)
class Packing:
    """Members in order, and how they become a file: the tar's format, its end, and the compression around it."""

    members: tuple[Member, ...]
    format: TarFormat = tarfile.USTAR_FORMAT
    end: bytes = bytes(1024)
    wrap: Callable[[bytes], bytes] = bytes

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Packing:
        return cls(tuple((piece.info(), piece.data) for piece in pieces))

    def data(self) -> bytes:
        """The archive's bytes."""
        buffer = io.BytesIO()
        for info, data in self.members:
            buffer.write(_header(info, self.format))
            buffer.write(data + bytes(-len(data) % 512))
        return self.wrap(buffer.getvalue() + self.end)

    def find(self, name: str) -> bytes | None:
        """The data of a member, however its name is spelled, or of the member that it is a link to."""
        for info, data in self.members:
            if info.name.removeprefix("./") == name:
                return data if info.isreg() else self._target(info)
        return None

    def _target(self, link: tarfile.TarInfo) -> bytes:
        start = "" if link.islnk() else posixpath.dirname(link.name)
        target = posixpath.normpath(posixpath.join(start, link.linkname))
        return next((data for info, data in self.members if info.name == target and info.isreg()), b"")

    def json(self, name: str) -> Any:
        """The value of a document, or None if there is no such document, or none that Python reads."""
        try:
            return json.loads(self.find(name) or b"null")
        except ValueError:
            return None

    def files(self) -> list[int]:
        """The places of all members that have data."""
        return [place for place, (info, data) in enumerate(self.members) if info.isreg() and data]

    def documents(self) -> list[int]:
        """The places of all JSON documents."""
        return [place for place in self.files() if self.members[place][1][:1] in (b"{", b"[", b"n")]

    def layers(self) -> list[int]:
        """The places of all layers, which are the files that are no documents."""
        known = {*self.documents()}
        return [place for place in self.files() if place not in known and self.members[place][1] != b"1.0"]

    def replaced(self, place: int, data: bytes, *, also_diff_ids: bool = True) -> Packing:
        """The archive with other bytes for a file, and with everything that refers to them by their digest mended."""
        result = list(self.members)
        info, old = result[place]
        result[place] = (_with_size(info, data), data)
        waiting = [(hexdigest(old), hexdigest(data), len(data))]
        while waiting:
            before, after, size = waiting.pop()
            if before == after:
                continue
            for at, (info, content) in enumerate(result):
                info = _renamed(info, before, after)
                result[at] = (info, content)
                if before.encode() in content and (also_diff_ids or b'"rootfs"' not in content):
                    mended = _mended(content, before, after, size)
                    result[at] = (_with_size(info, mended), mended)
                    waiting.append((hexdigest(content), hexdigest(mended), len(mended)))
        return attrs.evolve(self, members=tuple(result))


def _header(info: tarfile.TarInfo, tar_format: TarFormat) -> bytes:
    """In PAX format where the other cannot express it."""
    try:
        return info.tobuf(tar_format, "utf-8", "surrogateescape")
    except ValueError:
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _with_size(info: tarfile.TarInfo, data: bytes) -> tarfile.TarInfo:
    return changed(info, size=len(data))


def _renamed(info: tarfile.TarInfo, before: str, after: str) -> tarfile.TarInfo:
    return changed(info, name=info.name.replace(before, after), linkname=info.linkname.replace(before, after))


def _mended(content: bytes, before: str, after: str, size: int) -> bytes:
    content = content.replace(before.encode(), after.encode())
    return re.sub(rb'("digest":"sha256:%b","size":)\d+' % after.encode(), rb"\g<1>%d" % size, content)


def changed(info: tarfile.TarInfo, **fields: Any) -> tarfile.TarInfo:
    """A copy with other fields. (TarInfo.replace is not in Python 3.11.2.)"""
    result = tarfile.TarInfo(info.name)
    for key in ("size", "mode", "uid", "gid", "mtime", "type", "linkname", "pax_headers"):
        setattr(result, key, getattr(info, key))
    for key, value in fields.items():
        setattr(result, key, value)
    return result
