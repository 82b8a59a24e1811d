"""Which process reads which piece of a layer."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

from lamina.data.blob import Measured, Section
from lamina.data.parallel import Queues
from lamina.image import reading
from lamina.image.reading import _Piece, _Pieces, _Sections


def pieces(sizes: Sequence[int], files: Sequence[int], owners: Sequence[int]) -> _Pieces:
    """Pieces of one layer, whose sections have so many bytes and files, and were measured by these workers."""
    nothing: Sequence[Section] = ()
    queues = Queues("read", {}, [[], []])
    found = _Sections({0: nothing}, queues)
    found.measured = {0: [Measured(size, 0, count) for size, count in zip(sizes, files, strict=True)]}
    found.owners = {(0, number): owner for number, owner in enumerate(owners)}
    return _Pieces(found, {0: None}, queues, mmap.mmap(-1, reading._PIECE * reading._PIECES), lambda _: None)


def taken(all_pieces: _Pieces, worker: int) -> list[tuple[int, int]]:
    """The sections and starts that a worker gets while nobody else takes anything."""
    found = []
    while order := all_pieces.next(worker):
        piece = order[2]
        assert isinstance(piece, _Piece)
        found.append((piece.section, piece.start))
    return found


def test_a_worker_reads_what_it_has_found_and_helps_where_that_costs_little() -> None:
    size = reading._PIECE
    many = reading._FEW + 1
    layer = pieces([2 * size, size, 2 * size], [many, many, 1], [0, 1, 0])
    assert taken(layer, 1) == [(1, 0), (2, size), (2, 0)]
    assert taken(layer, 0) == [(0, 0), (0, size)]


def test_no_worker_is_further_ahead_of_the_hash_than_the_memory_reaches() -> None:
    size = reading._PIECE
    layer = pieces([size * (reading._PIECES + 5)], [1], [0])
    assert len(taken(layer, 0)) == reading._PIECES
    assert not layer.step(), "nothing is hashed before it is read"
    layer.finished(0, 0)
    while layer.step():
        pass
    assert taken(layer, 1) == [(0, size * reading._PIECES)], "the first piece is hashed, and its memory is free"
