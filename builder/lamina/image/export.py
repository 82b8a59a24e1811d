"""The file system of an image as one uncompressed tar, as `docker export` writes it.

Members have names like `./etc`, as `tar -c .` and dockerTools' exportImage write them; they are sorted and have the
same time. Owners, modes, devices, extended attributes and hard links are those of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator

from lamina.errors import BadUsage
from lamina.image.image import Image
from lamina.image.rootfs import File, Node, root_of
from lamina.tar.write import DIRECTORY, END, FILE, HARD_LINK, SYMLINK, Member, dotted_header, padding


def export(image: Image, mtime: int) -> Iterator[bytes]:
    """The tar's bytes. `mtime` is the time of every file, in seconds since 1970.

    Raises BadInput: a layer does not match its diff ID. Raises BadUsage: a time before 1970.
    """
    if mtime < 0:
        raise BadUsage("mtime", f"{mtime} is before 1970", "give seconds since 1970: a tar header has no earlier time")
    root = root_of(image.layers)
    yield dotted_header(_member(b"", root.file, mtime))
    first: dict[File, bytes] = {}
    for path, node in root.walk():
        yield from _stored(path, node, first, mtime)
    yield END


def _stored(path: bytes, node: Node, first: dict[File, bytes], mtime: int) -> Iterator[bytes]:
    """The member for a name: with the data for the first name of a file, and a hard link for its other names."""
    file = node.file
    if file.about.kind not in (DIRECTORY, SYMLINK) and file in first:
        yield dotted_header(Member(path, HARD_LINK, 0, file.about.mode, mtime=mtime, link=first[file]))
        return
    first[file] = path
    about = _member(path, file, mtime)
    yield dotted_header(about)
    if about.kind == FILE and file.data:
        yield from file.data.chunks()
        yield padding(about.size)


def _member(path: bytes, file: File, mtime: int) -> Member:
    return file.about._replace(name=path, mtime=mtime)
