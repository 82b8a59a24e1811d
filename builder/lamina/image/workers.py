"""Tasks on layers, in several processes: each works on one layer at a time."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from lamina.data.blob import Bytes
from lamina.data.parallel import Counter, Crew, Task, balanced, processors
from lamina.image.layer import Layer

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
        self.layers = with_results(self.layers, self.crew.do(task, arguments, progress))


@contextlib.contextmanager
def layer_workers(
    layers: Sequence[Layer], positions: Sequence[int], tasks: Mapping[str, LayerTask]
) -> Iterator[LayerWorkers]:
    """Run tasks on the layers at the positions: in several processes if the layers are large, else in this one."""
    weights = [weight(layers[position]) for position in positions]
    groups = [[positions[number] for number in group] for group in balanced(weights, worth_forking(sum(weights)))]
    with Crew(by_position(layers, tasks), groups) as crew:
        yield LayerWorkers(tuple(layers), crew)


def weight(layer: Layer) -> int:
    """About how many bytes the layer has."""
    return layer.size or layer.weight


def worth_forking(size: int) -> int:
    """The number of processes for layers with so many bytes."""
    return processors() if size >= _WORTH_FORKING else 1


def by_position(layers: Sequence[Layer], tasks: Mapping[str, LayerTask]) -> dict[str, Task]:
    """The tasks as those of a Crew, whose jobs are positions of layers."""

    def job(task: LayerTask, position: int, argument: Any, count: Counter) -> Layer:
        # A blob may hold an open file, so it cannot be sent from one process to another.
        result = task(layers[position], argument, count)
        stored = None if result.stored is layers[position].stored else result.stored
        return attrs.evolve(result, blob=_NOTHING, origin=None, stored=stored)

    return {name: functools.partial(job, task) for name, task in tasks.items()}


def with_results(layers: Sequence[Layer], results: Mapping[int, Layer]) -> tuple[Layer, ...]:
    """The layers, with the results of tasks on those at some positions."""
    updated = list(layers)
    for position, result in results.items():
        before = updated[position]
        stored = result.stored or before.stored
        updated[position] = attrs.evolve(result, blob=before.blob, origin=before.origin, stored=stored)
    return tuple(updated)
