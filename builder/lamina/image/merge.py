"""Several images as one list: each image once, with all its names."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.hashing import all_with_digests
from lamina.image.image import Image


def merged(images: Iterable[Image], cache: Cache | None = None) -> list[Image]:
    """Each image once, with the diff IDs of its layers. Equal images become one image with the names of all.

    Raises BadInput: two different images have the same name, or a layer cannot be read.
    """
    found: dict[bytes, Image] = {}
    for image in all_with_digests(images, cache):
        document = image.document()
        first = found.get(document, image)
        found[document] = attrs.evolve(first, names=tuple(dict.fromkeys([*first.names, *image.names])))
    owners: dict[str, Image] = {}
    for image in found.values():
        for name in image.names:
            other = owners.setdefault(name.qualified, image)
            if other is not image:
                raise BadInput(name.familiar, "two different images have this name", _remedy(image, other))
    return list(found.values())


def _remedy(image: Image, other: Image) -> str:
    if image.platform == other.platform:
        return "give them other names or tags"
    return "an image for several platforms is an index: use `lamina index`, or buildIndex in Nix"
