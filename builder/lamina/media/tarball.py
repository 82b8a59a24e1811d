"""Writing images as one tar: to a file, reading each layer once, or to a pipe.

All sizes are known before any byte is read, so all offsets are known before the digests are. In a file, each layer is
written to its place and hashed at the same time; names and documents, which contain digests, are filled in afterwards.
A pipe cannot go back, so there the layers are hashed first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import BinaryIO

import attrs

from lamina.data.destination import open_output
from lamina.data.output import reserve, written_early
from lamina.data.parallel import Counter
from lamina.data.progress import Progress
from lamina.data.span import Piece, as_chunks, put
from lamina.errors import BadInput
from lamina.image.cache import Cache, remember
from lamina.image.hashing import all_with_digests
from lamina.image.image import Image, all_layers, with_layers
from lamina.image.layer import Layer, hashing
from lamina.image.reading import layer_reader
from lamina.limits import DOCUMENT_BYTES
from lamina.oci.digest import Digest
from lamina.tar.write import DIRECTORY, END, SYMLINK, Member, header, padding, stored_size

MTIME = 1
"""The time of every member, in seconds since 1970. It is the time that Nix gives files in the store."""


@attrs.frozen
class ArchiveMember:
    """A member of the archive. Its data is a document, or the layer at position `layer` of `all_layers`."""

    member: Member
    document: bytes = b""
    layer: int | None = None


Arrangement = Callable[[Sequence[Image]], list[ArchiveMember]]
"""Returns the members of the archive of several images, in order.

The number and the sizes of the members must not depend on the digits of digests: those may still be unknown.
"""


def directory(name: str) -> ArchiveMember:
    return ArchiveMember(Member(name.encode(), DIRECTORY, mode=0o755, mtime=MTIME))


def document(name: str, data: bytes) -> ArchiveMember:
    """A member with a JSON document. Raises BadInput: larger than readers accept."""
    if len(data) > DOCUMENT_BYTES:
        problem = f"{len(data)} bytes in one document of the image"
        raise BadInput(name, problem, f"readers accept up to {DOCUMENT_BYTES}: shorten config and history")
    return ArchiveMember(Member(name.encode(), size=len(data), mtime=MTIME), data)


def symlink(name: str, target: str) -> ArchiveMember:
    return ArchiveMember(Member(name.encode(), SYMLINK, mode=0o777, mtime=MTIME, link=target.encode()))


def layer(name: str, item: Layer, position: int) -> ArchiveMember:
    """A member with the layer `item`, which is at `position` of `all_layers`."""
    assert item.size is not None, "layers are measured before they are arranged"
    return ArchiveMember(Member(name.encode(), size=item.size, mtime=MTIME), layer=position)


def distinct(layers: Sequence[Layer]) -> list[int]:
    """The positions of the layers without repetitions. A layer without a digest counts as different from all others."""
    found: dict[object, int] = {}
    for position, item in enumerate(layers):
        found.setdefault(item.diff_id or position, position)
    return list(found.values())


def write(
    images: Sequence[Image],
    arrange: Arrangement,
    output: str,
    compressor: str = "none",
    cache: Cache | None = None,
    *,
    check: bool = False,
    left_out: Collection[Digest] = (),
) -> None:
    """Write the images to the output that the user names: a file appears whole or not at all.

    Layers whose digests are remembered are hashed again, except when writing to a pipe without `check`: the kernel can
    move file data into a pipe, and hashing would read it. `left_out` are the layers that `arrange` leaves out.

    Raises BadInput: a layer cannot be read, or its digest is wrong; LaminaError: the output cannot be written.
    """
    total = sum(item.size or item.weight for item in all_layers(images) if item.diff_id not in left_out)
    with Progress(f"writing {output}", total) as progress, open_output(output) as out:
        if compressor == "none" and out.is_new_file:
            fill(images, arrange, out.file, progress, cache)
            return
        check = check or compressor != "none" or not out.is_pipe
        pieces = stream(all_with_digests(images, cache, progress), arrange, progress, cache, check=check)
        if compressor == "none":
            for piece in pieces:
                put(piece, out.file)
            return
        from lamina.data.compression import compress  # 5 ms

        if not out.is_new_file:
            compress(as_chunks(pieces), compressor, out.file)
        else:
            with written_early(out.file, total):
                compress(as_chunks(pieces), compressor, out.file)


def fill(
    images: Sequence[Image], arrange: Arrangement, file: BinaryIO, progress: Counter, cache: Cache | None = None
) -> None:
    """Write the images into an empty file that can seek.

    Raises BadInput: a layer cannot be read, or its digest is wrong.
    """
    layers = all_layers(images)
    with layer_reader(layers, range(len(layers)), cache, file.fileno()) as reader:
        reader.measure()
        members = arrange(with_layers(images, reader.layers))
        while True:
            size = sum(stored_size(item.member) for item in members) + len(END)
            reserve(file, size)
            with written_early(file, size):
                reader.read(_offsets(members), progress)
            again = arrange(with_layers(images, reader.layers))
            if _shape(again) == _shape(members):
                break
            members = again  # two layers are equal, so only one of them is stored
            file.truncate(0)
    offset = 0
    for item in again:
        file.seek(offset)
        file.write(header(item.member) + item.document)
        offset += stored_size(item.member)
    file.seek(offset)
    file.write(END)


def stream(
    images: Sequence[Image],
    arrange: Arrangement,
    progress: Counter,
    cache: Cache | None = None,
    *,
    check: bool = False,
) -> Iterator[Piece]:
    """The archive from front to back, in pieces. Layers without a digest are read twice.

    `check`: layers whose digests are remembered are hashed too. Raises BadInput.
    """
    images = all_with_digests(images, None)
    return stream_members(all_layers(images), arrange(images), progress, cache, check=check)


def stream_members(
    layers: Sequence[Layer],
    members: Iterable[ArchiveMember],
    progress: Counter,
    cache: Cache | None = None,
    *,
    check: bool = False,
) -> Iterator[Piece]:
    """An archive of these members, in pieces. `progress` counts the bytes of layers. Raises BadInput."""
    for item in members:
        yield header(item.member)
        if item.layer is None:
            yield item.document
        else:
            for piece in _checked(layers[item.layer], cache, check=check):
                progress(len(piece))
                yield piece
        yield padding(item.member.size)
    yield END


def _checked(item: Layer, cache: Cache | None, *, check: bool) -> Iterator[Piece]:
    """The layer's bytes. A base's layer is compared with its diff ID, a layer of Lamina's with its size only.

    With `check`, a layer of Lamina's is compared with its diff ID, too.
    """
    if not item.key:
        yield from hashing(item, lambda _: None)
    elif check:
        yield from _hashed_again(item, cache)
    else:
        yield from _measured_again(item)


def _hashed_again(item: Layer, cache: Cache | None) -> Iterator[bytes]:
    """The layer's bytes. Raises BadInput if the digest that was remembered is wrong; then the cache is corrected."""
    seen: list[Layer] = []
    yield from hashing(attrs.evolve(item, diff_id=None), seen.append)
    [found] = seen
    if found.diff_id != item.diff_id:
        remember(found, cache)
        problem = f"its bytes have the digest {found.diff_id}, and {item.diff_id} was remembered"
        raise BadInput(item.where, problem, "run the command again: the cache is corrected now")


def _measured_again(item: Layer) -> Iterator[Piece]:
    """The layer's bytes. Raises BadInput if they are more or fewer than when the digest was made."""
    left = item.size or 0
    for piece in item.blob.pieces():
        yield piece
        left -= len(piece)
    if left:
        difference = f"{left} bytes fewer" if left > 0 else f"{-left} bytes more"
        remedy = "compare the store with its database: nix-store --verify --check-contents"
        raise BadInput(item.where, f"has {difference} than when it was hashed", remedy)


def _offsets(members: Iterable[ArchiveMember]) -> dict[int, int]:
    """Where in the file the data of each stored layer starts, by the layer's position."""
    offsets = {}
    offset = 0
    for item in members:
        if item.layer is not None:
            offsets[item.layer] = offset + len(header(item.member))
        offset += stored_size(item.member)
    return offsets


def _shape(members: Iterable[ArchiveMember]) -> list[tuple[int, int]]:
    """The sizes and layers of the members, which must be equal in the first and the last arrangement."""
    return [(stored_size(item.member), -1 if item.layer is None else item.layer) for item in members]
