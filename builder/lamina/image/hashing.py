"""Diff IDs and sizes of layers: from the cache, or by reading the layers, several at once."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from lamina.data.blob import Bytes
from lamina.data.parallel import Counter, Crew, balanced, processors
from lamina.image.cache import Cache, recall, remember
from lamina.image.image import Image, all_layers, with_layers
from lamina.image.layer import Layer, hashed

_NOTHING = Bytes(b"")

_WORTH_FORKING = 32 << 20
"""Bytes of layers from which on a second process saves more time (30 ms) than it takes to start."""

LayerTask = Callable[[Layer, Any, Counter], Layer]
"""Work on one layer, with an argument. Returns the layer with what the work found out, such as its digest."""


@attrs.define
class LayerWorkers:
    """Layers, and the processes that run tasks on them. `layers` has the results of all tasks so far."""

    layers: tuple[Layer, ...]
    crew: Crew

    def run(self, task: str, arguments: Mapping[int, Any], progress: Counter) -> None:
        """Run one task on the layers at the positions in `arguments`. Raises BadInput: a layer cannot be read."""
        layers = list(self.layers)
        for position, result in self.crew.do(task, arguments, progress).items():
            before = layers[position]
            stored = result.stored or before.stored
            layers[position] = attrs.evolve(result, blob=before.blob, origin=before.origin, stored=stored)
        self.layers = tuple(layers)


@contextlib.contextmanager
def layer_workers(
    layers: Sequence[Layer], positions: Sequence[int], tasks: Mapping[str, LayerTask]
) -> Iterator[LayerWorkers]:
    """Run tasks on the layers at the positions: in several processes if the layers are large, else in this one."""

    def job(task: LayerTask, position: int, argument: Any, count: Counter) -> Layer:
        # A blob may hold an open file, so it does not travel from one process to another.
        result = task(layers[position], argument, count)
        stored = None if result.stored is layers[position].stored else result.stored
        return attrs.evolve(result, blob=_NOTHING, origin=None, stored=stored)

    weights = [layers[position].size or layers[position].weight for position in positions]
    workers = processors() if sum(weights) >= _WORTH_FORKING else 1
    groups = [[positions[number] for number in group] for group in balanced(weights, workers)]
    with Crew({name: functools.partial(job, task) for name, task in tasks.items()}, groups) as crew:
        yield LayerWorkers(tuple(layers), crew)


def measured(layer: Layer, _: Any, count: Counter) -> Layer:
    """The layer with its size. A compressed layer has to be read for it."""
    size = layer.size if layer.size is not None else layer.blob.size
    return hashed(layer, count) if size is None else attrs.evolve(layer, size=size)


def known(image: Image, cache: Cache | None, progress: Counter = lambda _: None) -> Image:
    """The image with all diff IDs and sizes. Raises BadInput: a layer cannot be read, or its digest is wrong."""
    return all_known([image], cache, progress)[0]


def all_known(images: Iterable[Image], cache: Cache | None, progress: Counter = lambda _: None) -> list[Image]:
    """The images with all diff IDs and sizes: from the cache, or after one reading of the layer. Raises BadInput."""
    images = list(images)
    layers = all_layers(images)
    if cache:
        layers = recall(layers, cache)
    unknown = [at for at, item in enumerate(layers) if item.diff_id is None or item.size is None]
    if unknown:
        tasks: dict[str, LayerTask] = {"hash": lambda layer, _, count: remember(hashed(layer, count), cache)}
        with layer_workers(layers, unknown, tasks) as workers:
            workers.run("hash", dict.fromkeys(unknown), progress)
            layers = workers.layers
    return with_layers(images, layers)
