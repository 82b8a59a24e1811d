"""The base image of a recipe, opened in the same way for every purpose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lamina.recipe.recipe import Base

if TYPE_CHECKING:
    from lamina.image.base import Ground
    from lamina.image.image import Image

# Readers and decoders are imported here only: an image without a base needs none of them.


def open_base(base: Base, architecture: str | None) -> Image:
    """The base image: of a multi-platform image, the one for Linux on `architecture` (default: this machine's).

    Raises BadInput: the file cannot be read, or it contains no such image.
    """
    from lamina.media.read import read_image

    return read_image(Path(base.path), base.name, base.tag, architecture)


def open_ground(base: Base, architecture: str | None, *, data: bool = False) -> tuple[Image, Ground]:
    """The base image, and the file system that it makes; `data`: with the content of its files. Raises BadInput."""
    from lamina.image.base import Ground

    image = open_base(base, architecture)
    return image, Ground.of(image, base.path, data=data)
