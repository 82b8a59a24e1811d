"""Writing an image as one tar: to a file in one reading of every layer, or to a pipe.

All sizes are known before any byte is read, so every offset is too, whatever the digests turn out to be. Into a
file the layers are written where they belong and hashed on the way, and the names and documents that tell their
digests are put in afterwards. A pipe cannot go back, so there the layers are hashed first.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

import attrs

from lamina.data.compression import compress
from lamina.data.output import reserve, stream_or_file, written_early
from lamina.data.parallel import Counter
from lamina.data.progress import Progress
from lamina.data.span import Piece, as_chunks, put
from lamina.errors import BadInput
from lamina.image.cache import Cache, remember
from lamina.image.hashing import LayerTask, known, learning, measured
from lamina.image.image import Image
from lamina.image.layer import Layer, hashing
from lamina.limits import DOCUMENT_BYTES
from lamina.tar.write import DIRECTORY, END, SYMLINK, Member, header, padding, stored_size

MTIME = 1
"""Seconds since 1970 of every member: what Nix gives its files."""


@attrs.frozen
class Part:
    """A member of the archive; its data is a layer of the image, by position, or a document."""

    member: Member
    document: bytes = b""
    layer: int | None = None


Arrangement = Callable[[Image], list[Part]]
"""What members an image becomes, in order. Their number and sizes must not hang on the digests' digits."""


def directory(name: str) -> Part:
    return Part(Member(name.encode(), DIRECTORY, mode=0o755, mtime=MTIME))


def document(name: str, data: bytes) -> Part:
    if len(data) > DOCUMENT_BYTES:
        what = f"{len(data)} bytes in one document of the image"
        raise BadInput(name, what, f"readers take {DOCUMENT_BYTES}: shorten config and history")
    return Part(Member(name.encode(), size=len(data), mtime=MTIME), data)


def symlink(name: str, target: str) -> Part:
    return Part(Member(name.encode(), SYMLINK, mode=0o777, mtime=MTIME, link=target.encode()))


def layer(name: str, image: Image, position: int) -> Part:
    size = image.layers[position].size
    assert size is not None, "layers are measured before they are arranged"
    return Part(Member(name.encode(), size=size, mtime=MTIME), layer=position)


def distinct(image: Image) -> list[int]:
    """The positions of the layers without repetitions; a layer not hashed yet counts as new."""
    found: dict[object, int] = {}
    for position, item in enumerate(image.layers):
        found.setdefault(item.diff_id or position, position)
    return list(found.values())


def write(
    image: Image, arrange: Arrangement, output: str, compressor: str = "none", cache: Cache | None = None
) -> None:
    """Write the image to the file `output`, whole or not at all, or to standard output when that is `-`.

    Raises BadInput; LaminaError when the place cannot be written to.
    """
    total = sum(item.size or item.weight for item in image.layers)
    with Progress(f"writing {output}", total) as progress, stream_or_file(output) as file:
        if compressor == "none" and output != "-":
            fill(image, arrange, file, progress, cache)
            return
        pieces = stream(known(image, cache, progress), arrange, progress)
        if compressor == "none":
            for piece in pieces:
                put(piece, file)
        elif output == "-":
            compress(as_chunks(pieces), compressor, file)
        else:
            with written_early(file, total):
                compress(as_chunks(pieces), compressor, file)


def fill(image: Image, arrange: Arrangement, file: BinaryIO, progress: Counter, cache: Cache | None = None) -> Image:
    """Write the image into an empty file that can seek; returns it with all digests.

    Raises BadInput: a layer cannot be read, or is not what its diff ID says.
    """
    positions = range(len(image.layers))
    tasks: dict[str, LayerTask] = {"measure": measured, "write": functools.partial(_write_layer, file.fileno(), cache)}
    with learning(image, positions, tasks) as team:
        team.do("measure", dict.fromkeys(positions), lambda _: None)
        parts = arrange(team.image)
        while True:
            size = sum(stored_size(part.member) for part in parts) + len(END)
            reserve(file, size)
            with written_early(file, size):
                team.do("write", _places(parts), progress)
            again = arrange(team.image)
            if _shape(again) == _shape(parts):
                break
            parts = again  # two layers came out equal: one of them is stored
            file.truncate(0)
    offset = 0
    for part in again:
        file.seek(offset)
        file.write(header(part.member) + part.document)
        offset += stored_size(part.member)
    file.seek(offset)
    file.write(END)
    return team.image


def stream(image: Image, arrange: Arrangement, progress: Counter) -> Iterator[Piece]:
    """The archive front to back, in pieces; layers whose digest is not known are read for it first. Raises BadInput."""
    image = known(image, None)
    for part in arrange(image):
        yield header(part.member)
        if part.layer is None:
            yield part.document
        else:
            for piece in _proven(image.layers[part.layer]):
                progress(len(piece))
                yield piece
        yield padding(part.member.size)
    yield END


def _proven(item: Layer) -> Iterator[Piece]:
    """The layer's bytes; compared with what a base claims of them, and in length with what we have seen ourselves."""
    if not item.key:
        yield from hashing(item, lambda _: None)
        return
    left = item.size or 0
    for piece in item.blob.pieces():
        yield piece
        left -= len(piece)
    if left:
        remedy = "compare the store with what it should be: nix-store --verify --check-contents"
        raise BadInput(item.where, f"has {-left} bytes more than when its digest was learnt", remedy)


def _write_layer(descriptor: int, cache: Cache | None, item: Layer, offset: int, count: Counter) -> Layer:
    """The layer to its place in the file; with its digest, which the cache is told at once."""
    result = [item]
    for chunk in hashing(item, result.append):
        offset += _write_at(descriptor, chunk, offset)
        count(len(chunk))
    return remember(result[-1], cache)


def _places(parts: list[Part]) -> dict[int, int]:
    """Where in the file the data of each layer that is stored starts, by the layer's position."""
    places = {}
    offset = 0
    for part in parts:
        if part.layer is not None:
            places[part.layer] = offset + len(header(part.member))
        offset += stored_size(part.member)
    return places


def _write_at(descriptor: int, data: bytes, offset: int) -> int:
    """All of the data, which a single call may not take; its length."""
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, memoryview(data)[done:], offset + done)
    return done


def _shape(parts: list[Part]) -> list[tuple[int, int]]:
    """What must not change between the first arrangement and the last."""
    return [(stored_size(part.member), -1 if part.layer is None else part.layer) for part in parts]
