"""Makes the bytes of blobs for all clients of a registry: those that pull the same layer at once share its pieces.

The kernel sends the pieces: `piece.py`. The next one is made while one is sent. A blob is hashed the first time that it
is made from front to back, and its last piece is kept back until the digest is right. Clients compare all digests as
well: this is so that the person who serves an image learns that its bytes are wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from lamina.errors import BadInput
from lamina.limits import SHARED_BYTES
from lamina.media.registry.piece import Hash, HeldPiece, PieceMaker, memory_of
from lamina.media.registry.repositories import ServedBlob
from lamina.oci.digest import Digest

_SHARED = 256
"""Pieces that are kept, and blobs that are half made: each may hold a file open."""


class InThread(Protocol):
    """Runs a function in another thread."""

    def __call__(self, work: Callable[..., Any], *arguments: Any) -> Awaitable[Any]: ...


class Production:
    """The pieces of all blobs. It is used in one event loop."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._recent: OrderedDict[tuple[Digest, int], asyncio.Task[HeldPiece]] = OrderedDict()
        self._recent_bytes = 0
        self._makers: OrderedDict[tuple[Digest, int], _Maker] = OrderedDict()
        self._right: set[Digest] = set()
        self._wrong: dict[Digest, BadInput] = {}

    async def piece(self, blob: ServedBlob, offset: int, end: int) -> HeldPiece:
        """Some bytes of the blob, from `offset` on, for a client that wants them up to `end`.

        Raises BadInput: they cannot be read, or are wrong.
        """
        if error := self._wrong.get(blob.digest):
            raise error
        piece = await asyncio.shield(self._task(blob, offset))
        if offset + len(piece) < end:
            self._task(blob, offset + len(piece))
        return piece

    def _task(self, blob: ServedBlob, offset: int) -> asyncio.Task[HeldPiece]:
        """Makes the piece at this place; a new task only if none was there."""
        key = blob.digest, offset
        task = self._recent.get(key)
        if task is None:
            task = self._recent[key] = asyncio.ensure_future(self._made(blob, offset))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # all clients may have gone
        self._recent.move_to_end(key)
        return task

    async def _made(self, blob: ServedBlob, offset: int) -> HeldPiece:
        key = blob.digest, offset
        maker = self._makers.pop(key, None) or _Maker(blob, offset, is_hashed=blob.digest not in self._right)
        try:
            piece: HeldPiece = await self._in_thread(maker.make)
        except BaseException as error:
            self._recent.pop(key, None)
            if isinstance(error, WrongBytes):
                self._wrong[blob.digest] = error
            raise
        if maker.position < blob.size:
            self._makers[blob.digest, maker.position] = maker
            if len(self._makers) > _SHARED:
                self._makers.popitem(last=False)
        elif maker.state:
            self._right.add(blob.digest)
        if key in self._recent:
            self._recent_bytes += memory_of(piece)
            self._forget()
        return piece

    def _forget(self) -> None:
        """Drop pieces that were not used for the longest time."""
        while len(self._recent) > 1 and (len(self._recent) > _SHARED or self._recent_bytes > SHARED_BYTES):
            _, task = self._recent.popitem(last=False)
            if task.done() and not task.cancelled() and not task.exception():
                self._recent_bytes -= memory_of(task.result())


class WrongBytes(BadInput):
    """The bytes of a blob do not have its digest."""

    digest: Digest


class _Maker:
    """Makes the pieces of a blob from `position` on, one after the other; `state` hashes them from the first one on."""

    def __init__(self, blob: ServedBlob, position: int, *, is_hashed: bool) -> None:
        self.blob = blob
        self.position = position
        self.state: Hash | None = hashlib.sha256() if is_hashed and position == 0 else None
        self._pieces: PieceMaker | None = None

    def make(self) -> HeldPiece:
        """The next piece. Raises BadInput."""
        if self._pieces is None:
            self._pieces = PieceMaker(self.blob.blob.part(self.position, self.blob.size - self.position))
        try:
            piece = self._pieces.next(self.blob.size - self.position, self.state)
        except OSError as error:
            raise BadInput(self.blob.where, error.strerror or str(error), "allow more open files: ulimit -n") from None
        if piece is None:
            raise self._wrong(f"only {self.position} bytes of {self.blob.size}")
        self.position += len(piece)
        if self.state and self.position == self.blob.size and f"sha256:{self.state.hexdigest()}" != self.blob.digest:
            raise self._wrong(f"the bytes do not have the digest {self.blob.digest}")
        return piece

    def _wrong(self, problem: str) -> WrongBytes:
        remedy = "a file has changed, or a remembered digest is wrong: start again, and have every layer hashed"
        error = WrongBytes(self.blob.where, problem, remedy)
        error.digest = self.blob.digest
        return error
