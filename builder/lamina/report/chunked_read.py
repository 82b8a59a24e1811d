"""Reads the two documents of a zstd:chunked layer, one entry at a time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import attrs

from lamina.data.blob import Blob, read_all
from lamina.data.budget import Budget
from lamina.data.compression import Decompressed
from lamina.data.span import Piece
from lamina.errors import BadInput
from lamina.image.chunked import CHECKSUM, CRFS, START, TABLE, TAR_SPLIT
from lamina.image.layer import Layer
from lamina.limits import CHUNKED_TABLE, COMPARED, LAYER_MEMBERS, TABLE_LINES, TABLES
from lamina.oci.digest import Digest
from lamina.oci.strict_json import Json

_END = re.compile(r'\],"tarSplitDigest":"(sha256:[0-9a-f]{64})"\}\n?')
_ENTRY = 2 << 20
"""Characters of one entry: a file may have 1 MiB of attributes, which base64 makes a third longer."""

_LINE = 8 << 20
"""Bytes of one line of tar-split data: podman writes zeros behind the last member as lines of 1 MiB, in base64."""

_OF_CHUNKS = ("name", "offset", "endoffset", "chunksize", "chunkoffset", "chunkdigest", "chunktype")
"""Keys of the further chunks of a file that are compared."""

_REMEDY = "make the image again"


class Documents(NamedTuple):
    """The table of contents as text, the compressed tar-split data, and the positions of both."""

    table: str
    split: Blob
    numbers: tuple[int, ...]


@attrs.frozen(eq=False)
class Range(Blob):
    """A part of a blob."""

    blob: Blob
    start: int
    size: int

    def pieces(self) -> Iterator[Piece]:
        """Raises BadInput."""
        return self.blob.part(self.start, self.size)


def wrong(layer: Layer, problem: str) -> NoReturn:
    """Raises BadInput."""
    raise BadInput(layer.where, f"the table of contents {problem}", _REMEDY)


def documents(layer: Layer, budget: Budget) -> Documents:
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
    packed, split = (Range(layer.stored.blob, *place[:2]) for place in (table_place, split_place))
    if (digest := _digest(layer, packed, budget)) != annotations.get(CHECKSUM):
        wrong(layer, f"has the digest {digest}, and not that of the annotation")
    if table_place[2] > CHUNKED_TABLE:
        wrong(layer, f"is larger than {CHUNKED_TABLE} bytes, which podman refuses")
    budget.spend(TABLES, table_place[2], layer.where)
    table = read_all(unpacked(layer, packed, budget), table_place[2], f"{layer.where}: the table of contents")
    if len(table) != table_place[2]:
        wrong(layer, f"has {len(table)} bytes, and {table_place[2]} by the annotation")
    try:
        text = table.decode()
    except UnicodeDecodeError:
        wrong(layer, "is not UTF-8")
    end = _END.fullmatch(text, max(0, text.rfind("]")))
    if not text.startswith(START) or not end:
        wrong(layer, "does not have the form that podman writes")
    if _digest(layer, split, budget) != end[1]:
        wrong(layer, "has another digest of the tar-split data")
    return Documents(text[len(START) : end.start()], split, (*table_place, *split_place))


def _digest(layer: Layer, stored: Range, budget: Budget) -> Digest:
    """The digest of compressed bytes. Raises BadInput: there are fewer than its size, or too many of them together."""
    budget.spend(COMPARED, stored.size, layer.where)
    state, total = hashlib.sha256(), 0
    for chunk in stored.chunks():
        state.update(chunk)
        total += len(chunk)
    if total != stored.size:
        wrong(layer, "is cut short")
    return Digest(f"sha256:{state.hexdigest()}")


def unpacked(layer: Layer, packed: Blob, budget: Budget) -> Blob:
    """The decompressed bytes, which count for the budget."""
    return Decompressed(packed, "zstd", layer.where, budget)


def _numbers(layer: Layer, text: str | None, count: int) -> tuple[int, ...]:
    numbers = re.fullmatch(":".join(["([0-9]{1,18})"] * count), text or "", re.ASCII)
    if not numbers:
        wrong(layer, f"has no position: an annotation is {text!r:.60}")
    return tuple(map(int, numbers.groups()))


def members(layer: Layer, table: str, budget: Budget) -> Iterator[list[Json]]:
    """The entries of each member: its own, and of those of its further chunks what is about chunks.

    Keys are in lower case.
    """
    held: list[Json] = []
    for entry in _entries(layer, table, budget):
        if entry.get("type") == "chunk" and held:
            held.append({key: entry[key] for key in _OF_CHUNKS if key in entry})
            continue
        if held:
            yield held
        held = [entry]
    if held:
        yield held


def _entries(layer: Layer, table: str, budget: Budget) -> Iterator[Json]:
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_refused, parse_constant=_refused)
    position = 0
    while position < len(table):
        budget.spend(LAYER_MEMBERS, 1, layer.where)
        if position:
            if table[position] != ",":
                wrong(layer, "is no JSON")
            position += 1
        entry, position = _decoded(layer, decoder.raw_decode, table, position)
        if not all(_is_simple(value) or (key == "xattrs" and _is_flat(value)) for key, value in entry.items()):
            wrong(layer, f"has lists or objects where there are none, in {entry.get('name')!r:.100}")
        yield entry


def _is_simple(value: object) -> bool:
    return value is None or isinstance(value, str | int)


def _is_flat(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_simple, value.values()))


def _decoded(layer: Layer, decode: Callable[[str], tuple[Any, int]], table: str, start: int) -> tuple[Json, int]:
    """One entry, and where it ends. Only as much text is looked at as one entry may have."""
    size = 512
    while True:
        try:
            value, end = decode(table[start : start + size])
            if isinstance(value, dict):
                return _lower([*value.items()]), start + end
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
    """Called for numbers that are not whole, which readers do not accept."""
    raise _Refused(text)


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    """Names of attributes are data, whose case counts."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Refused
    return result


def _lower(pairs: list[tuple[str, Any]]) -> Json:
    """The pairs with keys in lower case, since readers ignore case. Raises _Refused: a key occurs twice."""
    result = {key.lower(): value for key, value in pairs}
    if len(result) != len(pairs):
        raise _Refused
    return result


class Line(NamedTuple):
    """A line of tar-split data: bytes of the tar, or (`name` is not None) the place of a file's data."""

    payload: bytes
    name: bytes | None = None
    size: int = 0


def lines(layer: Layer, split: Blob, budget: Budget) -> Iterator[Line]:
    """The lines of tar-split data. Raises BadInput."""
    held = bytearray()
    for chunk in unpacked(layer, split, budget).chunks():
        start, searched = 0, len(held)
        held += chunk
        while (end := held.find(b"\n", searched)) >= 0:
            yield _line(layer, bytes(held[start:end]), budget)
            start = searched = end + 1
        del held[:start]
        if len(held) > _LINE:
            wrong(layer, "has a line of tar-split data that is too long")
    if held:
        yield _line(layer, bytes(held), budget)


def _line(layer: Layer, text: bytes, budget: Budget) -> Line:
    budget.spend(TABLE_LINES, 1, layer.where)
    try:
        fields = json.loads(text, object_pairs_hook=_lower)
        payload = base64.b64decode(fields.get("payload") or "", validate=True)
        if fields["type"] == 2 and payload:
            return Line(payload)
        if fields["type"] == 1:
            raw = base64.b64decode(fields.get("name_raw") or "", validate=True)
            size = fields.get("size", 0)
            if type(size) is int:
                return Line(payload, raw or fields.get("name", "").encode(), size)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        pass
    wrong(layer, "has tar-split data that cannot be read")
