"""Reads the two documents of a zstd:chunked layer, one entry at a time."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from lamina.data.blob import Blob, Bytes, read_all
from lamina.data.budget import Budget, Meter
from lamina.data.compression import Decompressed
from lamina.data.span import as_chunks
from lamina.errors import BadInput
from lamina.image.chunked import CHECKSUM, CRFS, START, TABLE, TAR_SPLIT
from lamina.image.layer import Layer
from lamina.limits import CHUNKED_TABLE, LAYER_MEMBERS, TABLES
from lamina.oci.digest import sha256
from lamina.oci.strict_json import Json

_END = re.compile(r'\],"tarSplitDigest":"(sha256:[0-9a-f]{64})"\}\n?')
_ENTRY = 4 << 20
"""Characters of one entry: a file may have 1 MiB of attributes."""

_REMEDY = "make the image again"


class Documents(NamedTuple):
    """The table of contents as text, the compressed tar-split data, and the positions of both."""

    table: str
    split: bytes
    numbers: tuple[int, ...]


def wrong(layer: Layer, problem: str) -> NoReturn:
    """Raises BadInput."""
    raise BadInput(layer.where, f"the table of contents {problem}", _REMEDY)


def documents(layer: Layer) -> Documents:
    """The documents that the annotations of the layer refer to. Raises BadInput: their digests or sizes are wrong."""
    assert layer.stored
    annotations, size = layer.stored.descriptor.annotations, layer.stored.descriptor.size
    table_place = _numbers(layer, annotations.get(TABLE), 4)
    split_place = _numbers(layer, annotations.get(TAR_SPLIT), 3)
    if table_place[3] != CRFS:
        wrong(layer, f"has the type {table_place[3]}")
    for offset, length, plain in (table_place[:3], split_place):
        if offset + length > size or max(length, plain) > CHUNKED_TABLE * 8:
            wrong(layer, "or its tar-split data is not inside the layer, or too large")
    packed, split = (read(layer, place) for place in (table_place, split_place))
    if sha256(packed) != annotations.get(CHECKSUM):
        wrong(layer, f"has the digest {sha256(packed)}, and not that of the annotation")
    if table_place[2] > CHUNKED_TABLE:
        wrong(layer, f"is larger than {CHUNKED_TABLE} bytes, which podman refuses")
    table = read_all(unpacked(layer, Bytes(packed)), TABLES.of(size), layer.where)
    if len(table) != table_place[2]:
        wrong(layer, f"has {len(table)} bytes, and {table_place[2]} by the annotation")
    try:
        text = table.decode()
    except UnicodeDecodeError:
        wrong(layer, "is not UTF-8")
    end = _END.fullmatch(text, max(0, text.rfind("]")))
    if not text.startswith(START) or not end:
        wrong(layer, "has not the form that podman writes")
    if sha256(split) != end[1]:
        wrong(layer, "has another digest of the tar-split data")
    return Documents(text[len(START) : end.start()], split, (*table_place, *split_place))


def unpacked(layer: Layer, packed: Blob) -> Blob:
    """The decompressed bytes; a reader needs no more memory or time than the layer may ask for."""
    return Decompressed(packed, "zstd", layer.where, layer.budget or Budget(0))


def _numbers(layer: Layer, text: str | None, count: int) -> tuple[int, ...]:
    numbers = re.fullmatch(":".join(["([0-9]{1,18})"] * count), text or "", re.ASCII)
    if not numbers:
        wrong(layer, f"has no position: an annotation is {text!r:.60}")
    return tuple(map(int, numbers.groups()))


def read(layer: Layer, place: tuple[int, ...]) -> bytes:
    assert layer.stored
    offset, length = place[:2]
    data = b"".join(as_chunks(layer.stored.blob.part(offset, length)))
    if len(data) != length:
        wrong(layer, "is cut short")
    return data


def members(layer: Layer, table: str) -> Iterator[list[Json]]:
    """The entries of each member: its own, and those of its further chunks. Keys are in lower case."""
    held: list[Json] = []
    for entry in _entries(layer, table):
        if entry.get("type") == "chunk" and held:
            held.append(entry)
            continue
        if held:
            yield held
        held = [entry]
    if held:
        yield held


def _entries(layer: Layer, table: str) -> Iterator[Json]:
    decoder = json.JSONDecoder(object_pairs_hook=_lower, parse_float=_refused, parse_constant=_refused)
    position, count = 0, Meter(LAYER_MEMBERS)
    while position < len(table):
        count.count(1, layer.budget, layer.where)
        if position:
            if table[position] != ",":
                wrong(layer, "is no JSON")
            position += 1
        entry, position = _decoded(layer, decoder.raw_decode, table, position)
        yield entry


def _decoded(layer: Layer, decode: Callable[[str], tuple[Any, int]], table: str, start: int) -> tuple[Json, int]:
    """One entry, and where it ends. Only as much text is looked at as one entry may have."""
    size = 512
    while True:
        try:
            value, end = decode(table[start : start + size])
            if isinstance(value, dict):
                return value, start + end
        except RecursionError:
            pass
        except ValueError as error:
            if size < _ENTRY and start + size < len(table) and not isinstance(error, _Refused):
                size *= 4
                continue
        wrong(layer, "is no JSON, has a key twice, or a number that is not whole")


class _Refused(ValueError):
    """A key occurs twice, or a number is not whole."""


def _refused(text: str) -> NoReturn:
    """Readers want whole numbers."""
    raise _Refused(text)


def _lower(pairs: list[tuple[str, Any]]) -> Json:
    """Readers know keys in any case, and use the last of equal ones."""
    result = {key.lower(): value for key, value in pairs}
    if len(result) != len(pairs):
        raise _Refused
    return result


class Line(NamedTuple):
    """A line of tar-split data: bytes of the tar, or (`name` is not None) the place of a file's data."""

    payload: bytes
    name: bytes | None = None
    size: int = 0


def lines(layer: Layer, split: bytes) -> Iterator[Line]:
    """The lines of tar-split data. Raises BadInput."""
    rest = b""
    for chunk in unpacked(layer, Bytes(split)).chunks():
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (_line(layer, text) for text in complete)
        if len(rest) > 2 * _ENTRY:
            wrong(layer, "has a line of tar-split data that is too long")
    if rest:
        yield _line(layer, rest)


def _line(layer: Layer, text: bytes) -> Line:
    try:
        fields = json.loads(text, object_pairs_hook=_lower)
        payload = base64.b64decode(fields.get("payload") or "", validate=True)
        if fields["type"] == 2 and payload:
            return Line(payload)
        if fields["type"] == 1:
            raw = base64.b64decode(fields.get("name_raw") or "", validate=True)
            return Line(payload, raw or fields.get("name", "").encode(), int(fields.get("size", 0)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        pass
    wrong(layer, "has tar-split data that cannot be read")
