"""Pieces that the kernel sends contain the bytes of a blob, in order, and are hashed while they are made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.data.span import Piece, Span
from lamina.errors import BadInput
from lamina.media.registry import piece as pieces_of_blobs
from lamina.media.registry.piece import HeldPiece, HeldSpan, PieceMaker, memory_of

SIZES = {"_PIECE": 64, "_SENT_FROM_ITS_FILE": 16, "_WORTH_A_FILE": 8}
"""Small ones, so that small data has pieces of every kind."""


@pytest.fixture(params=[True, False], ids=["linux", "macos"])
def small_pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in SIZES.items():
        monkeypatch.setattr(pieces_of_blobs, name, size)
    if not request.param:
        monkeypatch.delattr(os, "memfd_create")


@given(parts=st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=12), is_hashed=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("small_pieces")
def test_the_same_bytes(parts: list[tuple[bool, int]], is_hashed: bool, tmp_path: Path) -> None:
    data = os.urandom(sum(size for _, size in parts))
    (tmp_path / "file").write_bytes(data)
    state = hashlib.sha256() if is_hashed else None
    maker = PieceMaker(made(tmp_path / "file", data, parts))
    found: list[HeldPiece] = []
    left = len(data)
    while (piece := maker.next(left, state)) is not None:
        found.append(piece)
        left -= len(piece)
    assert b"".join(map(content, found)) == data
    assert not state or state.digest() == hashlib.sha256(data).digest()
    assert all(0 < len(piece) <= SIZES["_PIECE"] for piece in found)
    assert all(memory_of(piece) in (0, len(piece)) for piece in found)


def made(file: Path, data: bytes, parts: list[tuple[bool, int]]) -> Iterator[Piece]:
    """The data as spans of the file, or as bytes. The file is closed when the next piece is requested."""
    position = 0
    for is_span, size in parts:
        if is_span:
            descriptor = os.open(file, os.O_RDONLY)
            yield Span(descriptor, position, size, str(file))
            os.close(descriptor)
        else:
            yield data[position : position + size]
        position += size


def content(piece: HeldPiece) -> bytes:
    if isinstance(piece, HeldSpan):
        return os.pread(piece.file.fileno(), piece.size, piece.offset)
    return piece


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"short")
    with file.open("rb") as opened:
        span = Span(opened.fileno(), 0, 100 << 10, "a file")
        with pytest.raises(BadInput, match="a file: changed its size"):
            PieceMaker(iter([span])).next(100 << 10, None)


def test_a_part_of_a_piece_needs_the_same_file(tmp_path: Path) -> None:
    data = os.urandom(100 << 10)
    piece = PieceMaker(iter([data])).next(len(data), None)
    assert isinstance(piece, HeldSpan)
    part = piece.cut(1000, 3000)
    del piece
    assert content(part) == data[1000:3000]
