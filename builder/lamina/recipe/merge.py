"""Several images as one list: each image once, with all its names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.hashing import known
from lamina.image.image import Image
from lamina.recipe.open import open_images


def merged_images(paths: Iterable[Path], cache: Cache | None = None) -> list[Image]:
    """The images of recipes, archives and layouts, each once, with the diff IDs of their layers.

    Raises BadInput: a file cannot be read, or two different images have the same name.
    """
    return _joined(known(image, cache) for path in paths for image in open_images(path))


def _joined(images: Iterable[Image]) -> list[Image]:
    """Equal images become one image with the names of all. Raises BadInput: two different images share a name."""
    found: dict[bytes, Image] = {}
    for image in images:
        document = image.document()
        before = found.get(document, image)
        found[document] = attrs.evolve(before, names=tuple(dict.fromkeys([*before.names, *image.names])))
    owners: dict[str, Image] = {}
    for image in found.values():
        for name in image.names:
            if owners.setdefault(name.qualified, image) is not image:
                raise BadInput(name.familiar, "two different images have this name", "give them other names or tags")
    return list(found.values())
