"""Layers as a repository stores them: as they came, or compressed; digests from the cache, or from one reading."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from lamina.data.blob import Blob, Bytes, FileAt
from lamina.data.block_compression import CompressedBlob, compressed
from lamina.data.budget import Meter
from lamina.data.parallel import Counter, processors
from lamina.errors import LaminaError
from lamina.image.cache import Cache, recall, remember
from lamina.image.digest_map import Claimed, DigestMap
from lamina.image.encoding import CHUNKED, LayerEncoding
from lamina.image.layer import Layer, Stored, hashing
from lamina.image.workers import layer_workers
from lamina.limits import LAYER_MEMBERS, LAYER_NAMES
from lamina.oci.digest import Digest
from lamina.oci.documents import Descriptor
from lamina.tar.read import Entry

_NOTHING = Bytes(b"")

Claims = Callable[[int], DigestMap | None]
"""Gets a digest map, if there is one. The argument is the number of bytes that would be read without it."""


def keeps_its_bytes(layer: Layer, encoding: LayerEncoding) -> bool:
    """Whether the layer is stored as it came: compressed, or plain where layers are plain."""
    if layer.stored is None or encoding.again:
        return False
    return layer.stored.is_compressed or encoding.compressor == "none"


def all_stored(
    layers: Sequence[Layer],
    encodings: Sequence[LayerEncoding],
    cache: Cache,
    progress: Counter,
    spool: Path | None = None,
    claims: Claims = lambda _: None,
) -> tuple[Layer, ...]:
    """The layers, each with `stored`, and with the digest of its plain tar.

    A layer whose compressed digest neither the cache nor `claims` has is read and compressed once, several at a time.
    The compressed bytes are kept in the directory `spool`; without one, they are made again when somebody reads them.
    Raises BadInput: a layer cannot be read, or its digest is wrong; LaminaError: a library compresses to unusual bytes.
    """
    found = [
        _known_form(layer, encoding, cache)
        for layer, encoding in zip(recall(tuple(layers), cache), encodings, strict=True)
    ]
    unread = sum(layer.size or layer.weight for layer in found if layer.stored is None)
    if unread and (claimed := claims(unread)):
        found = [
            _claimed_form(layer, encoding, claimed) if layer.stored is None else layer
            for layer, encoding in zip(found, encodings, strict=True)
        ]
    first: dict[tuple[object, str], int] = {}
    for position, layer in enumerate(found):
        if layer.stored is None:
            first.setdefault(_compressed_identity(position, layer, encodings[position]), position)
    if not first:
        return tuple(found)
    made = _all_compressed(found, {at: encodings[at] for at in first.values()}, cache, progress, spool)
    for position, layer in enumerate(found):
        if layer.stored is None:
            at = first[_compressed_identity(position, layer, encodings[position])]
            found[position] = _with_bytes(layer, made[at], encodings[position])
    return tuple(found)


def _compressed_identity(position: int, layer: Layer, encoding: LayerEncoding) -> tuple[object, str]:
    """Equal for two layers whose compressed bytes are known to be equal. `position` is that of the layer."""
    return layer.key or layer.diff_id or position, encoding.key


def _all_compressed(
    layers: Sequence[Layer],
    encodings: Mapping[int, LayerEncoding],
    cache: Cache,
    progress: Counter,
    spool: Path | None,
) -> tuple[Layer, ...]:
    """The layers; those at the positions in `encodings` are read and compressed. Raises as `all_stored`."""
    for encoding in set(encodings.values()):
        encoding.check_library()
    threads = max(2, processors() // len(encodings))
    members = _Members()

    def compress(layer: Layer, job: tuple[LayerEncoding, Path | None], count: Counter) -> Layer:
        return _compressed(layer, *job, cache, count, threads, members)

    jobs = {at: (encoding, spool / f"{at}.part" if spool else None) for at, encoding in encodings.items()}
    with layer_workers(layers, list(jobs), {"compress": compress}) as workers:
        workers.run("compress", jobs, progress)
        return workers.layers


def _known_form(layer: Layer, encoding: LayerEncoding, cache: Cache) -> Layer:
    """The layer with its stored form if that is known without reading the layer; else with none."""
    if keeps_its_bytes(layer, encoding):
        return layer
    descriptor = None
    if layer.diff_id is not None and encoding.compressor == "none":
        size = layer.size
        descriptor = None if size is None else Descriptor(encoding.media_type, layer.diff_id, size)
    elif layer.diff_id is not None and (entry := cache.compressed_layer(layer.diff_id, encoding.key)):
        descriptor = Descriptor(encoding.media_type, *entry)
    if descriptor is None:
        return attrs.evolve(layer, stored=None)
    stored = Stored(descriptor, _on_demand(layer.blob, encoding, descriptor.size), encoding.map_key)
    return attrs.evolve(layer, stored=stored)


def _claimed_form(layer: Layer, encoding: LayerEncoding, claims: DigestMap) -> Layer:
    """The layer with the stored form that a digest map has for it, if it has one. Its bytes are compared when read."""
    claim = claims.about(layer, encoding.key)
    if claim is None:
        return layer
    plain = Claimed(layer.blob, claim.diff_id, claim.size, layer.where)
    packed = _on_demand(plain, encoding, claim.stored_size)
    blob = Claimed(packed, claim.digest, claim.stored_size, layer.where)
    descriptor = Descriptor(encoding.media_type, claim.digest, claim.stored_size)
    stored = Stored(descriptor, blob, encoding.map_key)
    return attrs.evolve(layer, diff_id=claim.diff_id, size=claim.size, stored=stored)


def _on_demand(plain: Blob, encoding: LayerEncoding, size: int) -> Blob:
    """The bytes of a layer, compressed when they are read."""
    if encoding.compressor == "none":
        return plain
    if encoding.compressor == CHUNKED:
        from lamina.image.chunked import ChunkedBlob  # few images need it

        return ChunkedBlob(plain, encoding.actual_level, size)
    return CompressedBlob(plain, encoding.compressor, encoding.actual_level, size)


def _compressed(
    layer: Layer,
    encoding: LayerEncoding,
    path: Path | None,
    cache: Cache,
    count: Counter,
    threads: int,
    members: _Members,
) -> Layer:
    """Read the layer once, compress it, and remember both digests. Raises BadInput."""
    seen: list[Layer] = []
    annotations: dict[str, str] = {}
    state = hashlib.sha256()
    size = 0
    plain = _counted(hashing(layer, seen.append), count)
    see = functools.partial(members.count, layer)
    for piece in _written(_packed(plain, encoding, threads, annotations.update, see), path):
        state.update(piece)
        size += len(piece)
    [read] = seen
    # The result may come from another process, and pickle does not support the default of `annotations`.
    descriptor = Descriptor(encoding.media_type, Digest("sha256:" + state.hexdigest()), size, annotations)
    remember(read, cache)
    if read.diff_id and encoding.compressor != "none":
        cache.remember_compressed(read.diff_id, encoding.key, descriptor)
    blob = FileAt(path, size) if path else _NOTHING
    return attrs.evolve(read, stored=Stored(descriptor, blob, encoding.map_key))


@attrs.define
class _Members:
    """The members of layers that get a table of contents: in each process, no more than their archive may have."""

    _headers: Meter = attrs.field(factory=lambda: Meter(LAYER_MEMBERS))
    _names: Meter = attrs.field(factory=lambda: Meter(LAYER_NAMES))

    def count(self, layer: Layer, entry: Entry) -> None:
        """Raises BadInput when there are too many, or when their names are too long together."""
        self._headers.count(1, layer.budget, layer.where)
        self._names.count(len(entry.name) + len(entry.link), layer.budget, layer.where)


def _packed(
    chunks: Iterator[bytes],
    encoding: LayerEncoding,
    threads: int,
    annotate: Callable[[Mapping[str, str]], None],
    see: Callable[[Entry], None],
) -> Iterator[bytes]:
    """The compressed bytes. At the end, `annotate` gets the annotations of their descriptor, if there are any."""
    if encoding.compressor == "none":
        return chunks
    if encoding.compressor == CHUNKED:
        from lamina.image.chunked import chunked

        return chunked(chunks, encoding.actual_level, threads, annotate, see)
    return compressed(chunks, encoding.compressor, encoding.actual_level, threads)


def _written(packed: Iterator[bytes], path: Path | None) -> Iterator[bytes]:
    """The bytes, which are also written to `path`. Raises LaminaError: the disk is full."""
    if path is None:
        yield from packed
        return
    try:
        with path.open("xb") as file:
            for piece in packed:
                file.write(piece)
                yield piece
    except OSError as error:
        raise LaminaError(path.parent, error.strerror or str(error), "make room there, or set TMPDIR") from None


def _counted(chunks: Iterator[bytes], count: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        count(len(chunk))


def _with_bytes(layer: Layer, made: Layer, encoding: LayerEncoding) -> Layer:
    """The layer with the digests and the stored form of `made`: the compressed layer, which is this one or equal."""
    assert made.stored is not None
    stored = made.stored
    if not isinstance(stored.blob, FileAt):
        blob = _on_demand(layer.blob, encoding, stored.descriptor.size)
        stored = attrs.evolve(stored, blob=blob)
    return attrs.evolve(layer, diff_id=made.diff_id, size=made.size, stored=stored)
