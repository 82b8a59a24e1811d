"""Writing an image as one tar: to a file in one reading of every layer, or to a pipe.

All sizes are known before any byte is read, so every offset is too, whatever the digests turn out to be. Into a
file the layers are written where they belong and hashed on the way, and the names and documents that tell their
digests are put in afterwards. A pipe cannot go back, so there the layers are hashed first.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import attrs

from builder.compression import compress
from builder.image import Image
from builder.layer import Layer, hashed, hashing
from builder.output import whole_file
from builder.progress import Progress
from builder.spec import MAX_JSON_BYTES
from builder.tar import DIRECTORY, END, SYMLINK, Member, header, padding, stored_size

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

Counter = Callable[[int], None]
"""Is told of bytes that were dealt with."""


def directory(name: str) -> Part:
    return Part(Member(name.encode(), DIRECTORY, mode=0o755, mtime=MTIME))


def document(name: str, data: bytes) -> Part:
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"{name} is larger than any reader takes: {len(data)} bytes")
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


def write(image: Image, arrange: Arrangement, output: str, compressor: str = "none") -> None:
    """Write the image to the file `output`, whole or not at all, or to standard output when that is `-`.

    Raises BadInput; LaminaError when the place cannot be written to.
    """
    total = sum(item.size or 0 for item in image.layers)
    with Progress(f"writing {output}", total) as progress:
        if output == "-":
            compress(stream(image, arrange, progress), compressor, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with whole_file(Path(output)) as file:
            if compressor == "none":
                fill(image, arrange, file, progress)
            else:
                compress(stream(image, arrange, progress), compressor, file)


def fill(image: Image, arrange: Arrangement, file: BinaryIO, progress: Counter) -> Image:
    """Write the image into an empty file that can seek; returns it with all digests.

    Raises BadInput: a layer cannot be read, or is not what its diff ID says.
    """
    image = _measured(image)
    parts = arrange(image)
    while True:
        image = _write_layers(image, parts, file, progress)
        again = arrange(image)
        if _shape(again) == _shape(parts):
            break
        parts = again  # two layers came out equal: one of them is stored
    offset = 0
    for part in again:
        file.seek(offset)
        file.write(header(part.member) + part.document)
        offset += stored_size(part.member)
    file.truncate(offset)
    file.seek(offset)
    file.write(END)
    return image


def stream(image: Image, arrange: Arrangement, progress: Counter) -> Iterator[bytes]:
    """The archive front to back. Raises BadInput."""
    image = attrs.evolve(image, layers=tuple(_hash_unknown(item) for item in image.layers))
    for part in arrange(image):
        yield header(part.member)
        if part.layer is None:
            yield part.document
        else:
            for chunk in hashing(image.layers[part.layer], _forget):
                progress(len(chunk))
                yield chunk
        yield padding(part.member.size)
    yield END


def _forget(_: Layer) -> None:
    """The digest was known; that it was compared is what counts."""


def _hash_unknown(item: Layer) -> Layer:
    return item if item.diff_id and item.size is not None else hashed(item)


def _measured(image: Image) -> Image:
    """The image with the size of every layer: a compressed one has to be read for it."""
    return attrs.evolve(image, layers=tuple(item if item.size is not None else hashed(item) for item in image.layers))


def _write_layers(image: Image, parts: list[Part], file: BinaryIO, progress: Counter) -> Image:
    layers = list(image.layers)
    offset = 0
    for part in parts:
        if part.layer is not None:
            file.seek(offset + len(header(part.member)))
            for chunk in hashing(image.layers[part.layer], functools.partial(layers.__setitem__, part.layer)):
                file.write(chunk)
                progress(len(chunk))
        offset += stored_size(part.member)
    return attrs.evolve(image, layers=tuple(layers))


def _shape(parts: list[Part]) -> list[tuple[int, int]]:
    """What must not change between the first arrangement and the last."""
    return [(stored_size(part.member), -1 if part.layer is None else part.layer) for part in parts]
