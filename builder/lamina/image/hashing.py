"""Diff IDs and sizes of layers: from the cache, or by reading the layers, several at once."""

from __future__ import annotations

from collections.abc import Iterable

from lamina.data.parallel import Counter
from lamina.image.cache import Cache, recall
from lamina.image.image import Image, all_layers, with_layers
from lamina.image.reading import layer_reader


def with_digests(image: Image, cache: Cache | None, progress: Counter = lambda _: None) -> Image:
    """The image with all diff IDs and sizes. Raises BadInput: a layer cannot be read, or its digest is wrong."""
    return all_with_digests([image], cache, progress)[0]


def all_with_digests(images: Iterable[Image], cache: Cache | None, progress: Counter = lambda _: None) -> list[Image]:
    """The images with all diff IDs and sizes: from the cache, or after one reading of the layer. Raises BadInput."""
    images = list(images)
    layers = all_layers(images)
    if cache:
        layers = recall(layers, cache)
    unknown = [at for at, item in enumerate(layers) if item.diff_id is None or item.size is None]
    if unknown:
        with layer_reader(layers, unknown, cache) as reader:
            reader.read(dict.fromkeys(unknown), progress)
            layers = reader.layers
    return with_layers(images, layers)
