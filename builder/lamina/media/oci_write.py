"""Writing OCI layouts: as a directory, or as an archive, which is such a directory in a tar."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.data.blob import FileAt
from lamina.data.destination import open_output
from lamina.data.output import reserve, scratch_directory, whole_directory, write_at, written_early
from lamina.data.parallel import Counter, Crew, balanced, processors
from lamina.data.progress import Progress
from lamina.data.span import Piece, put
from lamina.errors import BadUsage
from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding
from lamina.image.image import Image, all_layers
from lamina.image.index import ImageIndex, all_images
from lamina.media.oci_content import OciBlob, OciContent, oci_content
from lamina.media.tarball import MTIME, ArchiveMember, directory, document
from lamina.oci.digest import blob_path
from lamina.oci.strict_json import canonical
from lamina.tar.write import END, Member, header, padding, stored_size

_LAYOUT = canonical({"imageLayoutVersion": "1.0.0"})


def write_oci(
    items: Sequence[Image | ImageIndex], output: str, format: str, encoding: LayerEncoding | None, cache: Cache
) -> None:
    """Write an OCI archive or layout, which appears whole or not at all. Raises what `oci_content` raises.

    Raises LaminaError: the output cannot be written, or a layout would replace something; BadUsage: a layout on
    standard output.
    """
    total = sum(layer.size or layer.weight for layer in all_layers(all_images(items)))
    with Progress(f"writing {output}", total) as progress:
        if format == "oci-layout":
            _write_layout(items, output, encoding, cache, progress)
        else:
            _write_archive(items, output, encoding, cache, progress)


def _write_layout(
    items: Sequence[Image | ImageIndex], output: str, encoding: LayerEncoding | None, cache: Cache, progress: Counter
) -> None:
    if output == "-":
        remedy = "give the name of a directory, or write an oci-archive"
        raise BadUsage("standard output", "an OCI layout is a directory", remedy)
    with whole_directory(Path(output)) as top:
        blobs = top / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        content = oci_content(items, encoding, cache, progress, spool=blobs)
        _place_blobs(list(content.blobs.values()), top, progress)
        for digest, each in content.documents.items():
            _write_file(top / blob_path(digest), [each.data])
        _write_file(top / "index.json", [content.index])
        _write_file(top / "oci-layout", [_LAYOUT])


def _place_blobs(blobs: Sequence[OciBlob], top: Path, progress: Counter) -> None:
    """Rename the layers that were compressed into the layout, and write the others."""
    others = []
    for each in blobs:
        path = top / blob_path(each.descriptor.digest)
        if isinstance(each.blob, FileAt):
            each.blob.path.rename(path)
            _sync(path)
        else:
            others.append(each)

    def write(position: int, _: Any, count: Counter) -> None:
        each = others[position]
        _write_file(top / blob_path(each.descriptor.digest), _counted(each.checked.chunks(), count))

    _for_each(others, write, dict.fromkeys(range(len(others))), progress)
    for left in (top / "blobs" / "sha256").glob("*.part"):  # of layers that are equal to others
        left.unlink()


def _write_archive(
    items: Sequence[Image | ImageIndex], output: str, encoding: LayerEncoding | None, cache: Cache, progress: Counter
) -> None:
    with open_output(output) as out, scratch_directory() as spool:
        content = oci_content(items, encoding, cache, progress, spool=spool)
        members = list(archive_members(content))
        if not out.is_new_file:
            for piece in stream_archive(members, content):
                put(piece, out.file)
            return
        size = sum(stored_size(item.member) for item in members) + len(END)
        reserve(out.file, size)
        offsets = _offsets(members)
        blobs = list(content.blobs.values())

        def write(position: int, offset: int, count: Counter) -> None:
            for chunk in _counted(blobs[position].checked.chunks(), count):
                offset += write_at(out.file.fileno(), chunk, offset)

        with written_early(out.file, size):
            _for_each(blobs, write, dict(enumerate(offsets)), progress)
        position = 0
        for item in members:
            out.file.seek(position)
            out.file.write(header(item.member) + item.document)
            position += stored_size(item.member)
        out.file.seek(position)
        out.file.write(END)


def archive_members(content: OciContent) -> Iterator[ArchiveMember]:
    """The members of an OCI archive, in order; `layer` of a member is a position in `content.blobs`."""
    yield document("oci-layout", _LAYOUT)
    yield document("index.json", content.index)
    yield directory("blobs")
    yield directory("blobs/sha256")
    for digest, each in content.documents.items():
        yield document(blob_path(digest), each.data)
    for position, (digest, blob) in enumerate(content.blobs.items()):
        member = Member(blob_path(digest).encode(), size=blob.descriptor.size, mtime=MTIME)
        yield ArchiveMember(member, layer=position)


def stream_archive(members: Iterable[ArchiveMember], content: OciContent) -> Iterator[Piece]:
    """An archive of these members, in pieces. Raises BadInput: a layer cannot be read, or has another digest."""
    blobs = list(content.blobs.values())
    for item in members:
        yield header(item.member) + item.document
        if item.layer is not None:
            yield from blobs[item.layer].checked.pieces()
        yield padding(item.member.size)
    yield END


def _offsets(members: Iterable[ArchiveMember]) -> list[int]:
    """Where the data of each layer starts."""
    offsets = []
    offset = 0
    for item in members:
        if item.layer is not None:
            offsets.append(offset + len(header(item.member)))
        offset += stored_size(item.member)
    return offsets


def _for_each(blobs: Sequence[OciBlob], task: Any, arguments: Mapping[int, Any], progress: Counter) -> None:
    """Run the task for each layer, in several processes if that saves time."""
    sizes = [blob.descriptor.size for blob in blobs]
    workers = processors() if sum(sizes) >= 8 << 20 else 1
    with Crew({"write": task}, balanced(sizes, workers)) as crew:
        crew.do("write", arguments, progress)


def _counted(chunks: Iterable[bytes], count: Counter) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        count(len(chunk))


def _write_file(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("xb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """Wait until the file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
