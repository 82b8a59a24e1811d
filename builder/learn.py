"""Learning the diff IDs and sizes of an image's layers: from the cache, else by reading them, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from builder import parallel
from builder.blob import Bytes
from builder.cache import Cache, recall, remember
from builder.image import Image
from builder.layer import Layer, hashed
from builder.parallel import Counter

_NOTHING = Bytes(b"")

_WORTH_FORKING = 32 << 20
"""Bytes of layers from which on a second process saves more time (30 ms) than it takes to start."""

_UNKNOWN_SIZE = 32 << 20
"""What a compressed layer counts for: nobody knows, and reading it is slow."""


def known(image: Image, cache: Cache | None) -> Image:
    """The image with all diff IDs and sizes: those that the cache has, and the others after one reading."""
    if cache:
        image = attrs.evolve(image, layers=recall(image.layers, cache))
    image = _read(image, [at for at, item in enumerate(image.layers) if item.diff_id is None or item.size is None])
    if cache:
        remember(image.layers, cache)
    return image


def measured(image: Image) -> Image:
    """The image with the size of every layer: a compressed one has to be read for it."""
    return _read(image, [at for at, item in enumerate(image.layers) if item.size is None])


def _read(image: Image, positions: Sequence[int]) -> Image:
    return learn(image, positions, lambda at, count: hashed(image.layers[at], count), lambda _: None)


def learn(image: Image, positions: Sequence[int], work: Callable[[int, Counter], Layer], progress: Counter) -> Image:
    """The image with what `work` learnt of the layers at the positions, in other processes if that is worth it."""

    def job(number: int, count: Counter) -> Layer:
        # What was learnt goes from one process to the other, not the way to the bytes.
        return attrs.evolve(work(positions[number], count), blob=_NOTHING)

    sizes = [image.layers[at].size or _UNKNOWN_SIZE for at in positions]
    if len(sizes) > 1 and sum(sizes) >= _WORTH_FORKING:
        done = parallel.run(job, parallel.balanced(sizes, parallel.processors()), progress)
    else:
        done = {number: job(number, progress) for number in range(len(sizes))}
    layers = list(image.layers)
    for number, at in enumerate(positions):
        layers[at] = attrs.evolve(done[number], blob=layers[at].blob)
    return attrs.evolve(image, layers=tuple(layers))
