"""Layers of an image, made with nothing but tarfile."""

from __future__ import annotations

import io
import tarfile

from lamina.data.blob import Bytes
from lamina.image.layer import Layer

MTIME = 315532800


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def folder(name: str, **fields: object) -> tarfile.TarInfo:
    return info(name, tarfile.DIRTYPE, **{"mode": 0o755, **fields})


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return info(name, kind, linkname=target)


def hard(name: str, target: str) -> tarfile.TarInfo:
    return link(name, target, tarfile.LNKTYPE)


Content = str | tarfile.TarInfo | tuple[str, bytes]


def layer(*contents: Content) -> Layer:
    """A layer of files whose data is their own name, or of what is given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for content in contents:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            name, data = (content, content.encode()) if isinstance(content, str) else content
            archive.addfile(info(name, size=len(data), mode=0o644), io.BytesIO(data))
    return Layer.of(Bytes(buffer.getvalue()), "the layer")
