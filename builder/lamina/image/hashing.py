"""Learning the diff IDs and sizes of an image's layers: from the cache, else by reading them, several at once."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from lamina.data.blob import Bytes
from lamina.data.parallel import Counter, Crew, balanced, processors
from lamina.image.cache import Cache, recall, remember
from lamina.image.image import Image
from lamina.image.layer import Layer, hashed

_NOTHING = Bytes(b"")

_WORTH_FORKING = 32 << 20
"""Bytes of layers from which on a second process saves more time (30 ms) than it takes to start."""

LayerTask = Callable[[Layer, Any, Counter], Layer]
"""What is done with a layer, with something that is given for it; the layer with what was learnt of it."""


@attrs.define
class Learning:
    """An image whose layers are dealt with in several rounds, and what was learnt of them so far."""

    image: Image
    crew: Crew

    def do(self, task: str, given: Mapping[int, Any], progress: Counter) -> None:
        """One round: for layers by their positions. Raises BadInput: a layer cannot be read, or is another."""
        layers = list(self.image.layers)
        for position, learnt in self.crew.do(task, given, progress).items():
            layers[position] = attrs.evolve(learnt, blob=layers[position].blob)
        self.image = attrs.evolve(self.image, layers=tuple(layers))


@contextlib.contextmanager
def learning(image: Image, positions: Sequence[int], tasks: Mapping[str, LayerTask]) -> Iterator[Learning]:
    """Tasks for the layers at the positions, in processes of their own if that is worth it."""

    def job(task: LayerTask, position: int, given: Any, count: Counter) -> Layer:
        # What was learnt goes from one process to the other, not the way to the bytes.
        return attrs.evolve(task(image.layers[position], given, count), blob=_NOTHING)

    weights = [image.layers[position].size or image.layers[position].weight for position in positions]
    workers = processors() if sum(weights) >= _WORTH_FORKING else 1
    groups = [[positions[number] for number in group] for group in balanced(weights, workers)]
    with Crew({name: functools.partial(job, task) for name, task in tasks.items()}, groups) as crew:
        yield Learning(image, crew)


def measured(layer: Layer, _: Any, count: Counter) -> Layer:
    """The layer with its size: a compressed one has to be read for it."""
    size = layer.size if layer.size is not None else layer.blob.size
    return hashed(layer, count) if size is None else attrs.evolve(layer, size=size)


def known(image: Image, cache: Cache | None, progress: Counter = lambda _: None) -> Image:
    """The image with all diff IDs and sizes: those that the cache has, and the others after one reading."""
    if cache:
        image = attrs.evolve(image, layers=recall(image.layers, cache))
    unknown = [at for at, item in enumerate(image.layers) if item.diff_id is None or item.size is None]
    if not unknown:
        return image
    with learning(image, unknown, {"hash": lambda layer, _, count: remember(hashed(layer, count), cache)}) as team:
        team.do("hash", dict.fromkeys(unknown), progress)
    return team.image
