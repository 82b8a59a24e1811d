"""Several images in one archive, each with its names; what they have in common is stored once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from builder.build import build_image
from builder.cache import Cache
from builder.errors import BadInput
from builder.image import Image
from builder.learn import known
from builder.media import candidates, host_architecture, open_members, universal
from builder.media.tarball import write
from builder.recipe import is_recipe, read_recipe


def merge(paths: Sequence[Path], output: str, compressor: str = "none", cache: Cache | None = None) -> None:
    """Write all images of the archives, layouts and recipes into one archive; `-` is standard output.

    `compressor` is one of `compression.COMPRESSORS`. Raises BadInput: an input cannot be read, or two images have the
    same name.
    """
    pool, arrangement = universal.several(images_of(paths, cache))
    write(pool, arrangement, output, compressor)


def images_of(paths: Iterable[Path], cache: Cache | None = None) -> list[Image]:
    """The images of all of these, each once, with the diff IDs of its layers. Raises BadInput as `merge` does."""
    return _joined(image for path in paths for image in _images(path, cache))


def _images(path: Path, cache: Cache | None) -> list[Image]:
    """Each image that there is, with the diff IDs of all its layers."""
    if is_recipe(path):
        return [known(build_image(read_recipe(path)), cache)]
    return [candidate.read() for candidate in candidates(open_members(path), host_architecture())]


def _joined(images: Iterable[Image]) -> list[Image]:
    """The images, of which equal ones are one with the names of all. Raises BadInput: a name is another's, too."""
    found: dict[bytes, Image] = {}
    for image in images:
        document = image.document()
        before = found.get(document, image)
        found[document] = attrs.evolve(before, names=tuple(dict.fromkeys([*before.names, *image.names])))
    owners: dict[str, Image] = {}
    for image in found.values():
        for name in image.names:
            if owners.setdefault(name.qualified, image) is not image:
                remedy = "give them different names or tags"
                raise BadInput(name.familiar, "two different images are called so", remedy)
    return list(found.values())
