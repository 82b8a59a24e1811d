"""Reading layers once, for their digests and perhaps into a file, by several processes.

Most layers are read by one process each. A layer that is more than one process' share is read by all: they look for the
files of its sections, read pieces of them into shared memory, and write these into the file. Meanwhile this process
computes the SHA-256 digest, which needs all bytes in order.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from lamina.data.blob import Measured, Section
from lamina.data.output import write_at
from lamina.data.parallel import Counter, Crew, Order, Queues, Task, balanced
from lamina.image.cache import Cache, remember
from lamina.image.layer import Layer, hashed, hashing, identified
from lamina.image.workers import by_position, weight, with_results, worth_forking
from lamina.oci.digest import Digest

_PIECE = 1 << 20
"""Bytes that a process reads at a time: 2 MiB take a tenth more of the processors, because caches are small."""

_PIECES = 16
"""Pieces in memory: those that are being read, and those that wait until they are hashed."""

_FEW = 100
"""Files in a section that another process has measured, at most, for a process to read pieces of it. The process has to
look for these files again (0.5 ms)."""

_STEP = 512 << 10
"""Bytes that are hashed (0.3 ms) before this process checks whether a worker waits for the next piece."""


@attrs.define
class LayerReader:
    """Layers, and the processes that read them. `layers` has the results so far.

    `shared` has the sections of the layers that all processes read, by position in `layers`; their pieces are in
    `memory`. `groups` has the positions of the other layers, for each process.
    """

    layers: tuple[Layer, ...]
    crew: Crew
    groups: Sequence[Sequence[int]]
    shared: Mapping[int, Sequence[Section]]
    memory: mmap.mmap | None
    cache: Cache | None
    sections: _Sections | None = None

    def measure(self) -> None:
        """Determine the size of every layer. Raises BadInput: a layer cannot be read."""
        positions = dict.fromkeys(position for group in self.groups for position in group)
        if not self.shared:
            self.layers = with_results(self.layers, self.crew.do("measure", positions, lambda _: None))
            return
        self.sections = _Sections(self.shared, Queues("measure", positions, self.groups))
        self.crew.run(self.sections, lambda _: None)
        self.layers = with_results(self.layers, self.sections.queues.results)
        for position, measured in self.sections.measured.items():
            size = sum(section.size for section in measured)
            self.layers = with_results(self.layers, {position: attrs.evolve(self.layers[position], size=size)})

    def read(self, offsets: Mapping[int, int | None], progress: Counter) -> None:
        """Read the layers at the positions in `offsets`, and write each at its offset if that is not None.

        After that, the layers have their digests, which are remembered in the cache. A digest that the cache had before
        is not used. Raises BadInput: a layer cannot be read, or does not match its diff ID; OSError: it cannot be
        written.
        """
        queues = Queues("read", offsets, self.groups)
        if not any(position in offsets for position in self.shared):
            self.layers = with_results(self.layers, self.crew.do("read", offsets, progress))
            return
        if self.sections is None:
            self.measure()
        assert self.sections is not None and self.memory is not None
        pieces = _Pieces(self.sections, offsets, queues, self.memory, progress)
        self.crew.run(pieces, progress)
        self.layers = with_results(self.layers, queues.results)
        for position, digest in pieces.digests.items():
            layer = identified(_without_cached_digest(self.layers[position]), digest, self.layers[position].size or 0)
            self.layers = with_results(self.layers, {position: remember(layer, self.cache)})


@contextlib.contextmanager
def layer_reader(
    layers: Sequence[Layer], positions: Sequence[int], cache: Cache | None, descriptor: int = -1
) -> Iterator[LayerReader]:
    """Processes that read the layers at the positions, and write them into the file `descriptor`."""
    weights = {position: weight(layers[position]) for position in positions}
    workers = worth_forking(sum(weights.values()))
    divided = {position: layers[position].blob.sections() for position in _large(weights, workers)}
    shared = {position: sections for position, sections in divided.items() if sections}
    alone = [position for position in positions if position not in shared]
    groups = [[alone[at] for at in group] for group in balanced([weights[at] for at in alone], workers)]
    if shared:
        groups += [[] for _ in range(workers - len(groups))]
    memory = mmap.mmap(-1, _PIECE * _PIECES) if shared else None

    def read(layer: Layer, offset: int | None, count: Counter) -> Layer:
        result = [_without_cached_digest(layer)]
        for chunk in hashing(result[0], result.append):
            if offset is not None:
                offset += write_at(descriptor, chunk, offset)
            count(len(chunk))
        return remember(result[-1], cache)

    def section(position: int, number: int, _: Counter) -> tuple[int, Measured]:
        return number, shared[position][number].measure()

    def fill(position: int, piece: _Piece, _: Counter) -> int:
        assert memory is not None
        with memoryview(memory)[piece.place : piece.place + piece.size] as buffer:
            shared[position][piece.section].fill(piece.start, buffer, piece.measured)
            if piece.offset is not None:
                write_at(descriptor, buffer, piece.offset)
        return piece.number

    tasks: dict[str, Task] = {"section": section, "fill": fill}
    with Crew({**by_position(layers, {"measure": _measured, "read": read}), **tasks}, groups) as crew:
        yield LayerReader(tuple(layers), crew, groups, shared, memory, cache)


def _large(weights: Mapping[int, int], workers: int) -> list[int]:
    """The layers that are more than a process' share of the bytes."""
    share = sum(weights.values()) / workers
    return [position for position, size in weights.items() if workers > 1 and size > share]


def _measured(layer: Layer, _: Any, count: Counter) -> Layer:
    """The layer with its size. A compressed layer has to be read for it."""
    size = layer.size if layer.size is not None else layer.blob.size
    if size is not None:
        return attrs.evolve(layer, size=size)
    return hashed(layer, count)


def _without_cached_digest(layer: Layer) -> Layer:
    """A layer that Lamina makes, without the diff ID from the cache, because its bytes are hashed anyway."""
    return attrs.evolve(layer, diff_id=None) if layer.key else layer


class _Sections:
    """Jobs that measure the sections of shared layers, each by the next idle worker, and then the other layers."""

    def __init__(self, shared: Mapping[int, Sequence[Section]], queues: Queues) -> None:
        self.queues = queues
        self.measured = {position: [Measured(0)] * len(sections) for position, sections in shared.items()}
        self.owners: dict[tuple[int, int], int] = {}
        """The worker that has found the files of a section, by position and number of the section."""
        self._waiting = deque((position, number) for position in shared for number in range(len(shared[position])))

    def next(self, worker: int) -> Order | None:
        if not self._waiting:
            return self.queues.next(worker)
        position, number = self._waiting.popleft()
        self.owners[position, number] = worker
        return "section", position, number

    def finished(self, job: int, result: Any) -> None:
        if job in self.measured:
            number, measured = result
            self.measured[job][number] = measured
        else:
            self.queues.finished(job, result)

    def step(self) -> bool:
        return False


class _Piece(NamedTuple):
    """Bytes of a section of the layer at `position`: `size` bytes from `start` on.

    They are put at `place` in the shared memory, and at `offset` in the file.
    """

    number: int
    position: int
    section: int
    start: int
    size: int
    measured: Measured
    place: int
    offset: int | None


class _Pieces:
    """Jobs that read the pieces of shared layers, in order. Workers without a piece read the other layers meanwhile."""

    def __init__(
        self,
        sections: _Sections,
        offsets: Mapping[int, int | None],
        queues: Queues,
        memory: mmap.mmap,
        progress: Counter,
    ) -> None:
        self.digests: dict[int, Digest] = {}
        self._owners = sections.owners
        self._queues = queues
        self._memory = memory
        self._progress = progress
        self._pieces = list(_cut(sections.measured, offsets))
        self._positions = {piece.position for piece in self._pieces}
        self._handed_out: set[int] = set()
        self._read: set[int] = set()
        self._first = 0  # the number of the first piece that is not hashed completely
        self._done = 0  # how many of its bytes are hashed
        self._state = hashlib.sha256()

    def next(self, worker: int) -> Order | None:
        """One of the next pieces: the first whose files this worker has found, or the last whose section has few files.

        If there is none, a layer that one process reads.
        """
        last = min(self._first + _PIECES, len(self._pieces))
        free = [self._pieces[number] for number in range(self._first, last) if number not in self._handed_out]
        own = (piece for piece in free if self._owners[piece.position, piece.section] == worker)
        cheap = (piece for piece in reversed(free) if piece.measured.items <= _FEW)
        piece = next(own, None) or next(cheap, None)
        if piece is None:
            return self._queues.next(worker)
        self._handed_out.add(piece.number)
        return "fill", piece.position, piece

    def finished(self, job: int, result: Any) -> None:
        if job in self._positions:
            self._read.add(result)
        else:
            self._queues.finished(job, result)

    def step(self) -> bool:
        if self._first not in self._read:
            return False
        piece = self._pieces[self._first]
        end = min(self._done + _STEP, piece.size)
        with memoryview(self._memory)[piece.place + self._done : piece.place + end] as data:
            self._state.update(data)
        self._progress(end - self._done)
        self._done = end
        if end == piece.size:
            self._first, self._done = self._first + 1, 0
            is_last = self._first == len(self._pieces)
            if is_last or self._pieces[self._first].position != piece.position:
                self.digests[piece.position] = Digest("sha256:" + self._state.hexdigest())
                self._state = hashlib.sha256()
        return True


def _cut(measured: Mapping[int, Sequence[Measured]], offsets: Mapping[int, int | None]) -> Iterator[_Piece]:
    """The pieces of the layers at the positions in `offsets`."""
    number = 0
    for position in (position for position in measured if position in offsets):
        offset = offsets[position]
        for section, found in enumerate(measured[position]):
            for start in range(0, found.size, _PIECE):
                size = min(_PIECE, found.size - start)
                place = number % _PIECES * _PIECE
                yield _Piece(number, position, section, start, size, found, place, offset)
                number += 1
                offset = None if offset is None else offset + size
