"""Open an image, whatever it is stored as: a recipe, an archive or an OCI layout."""

from __future__ import annotations

from pathlib import Path

from lamina.image.image import Image
from lamina.recipe.build import build_image
from lamina.recipe.recipe import is_recipe, read_recipe


def open_images(
    path: Path, *, platform: str | None = None, name: str | None = None, tag: str | None = None
) -> list[Image]:
    """Every image in a recipe, an archive or an OCI layout, in the order in which the file lists them.

    `name` and `tag` keep only images with that name or tag. `platform` is an architecture in Go's words (`arm64`),
    default: this machine's; it selects among the platforms of a multi-platform image.

    Raises BadInput: the file cannot be read, is damaged, or contains no such image.
    """
    if is_recipe(path):
        return [build_image(read_recipe(path))]
    from lamina.media.read import read_images

    return read_images(path, name, tag, platform)


def open_image(path: Path, *, platform: str | None = None, name: str | None = None, tag: str | None = None) -> Image:
    """The only image that `open_images` would return. Raises BadInput, also if there are several."""
    if is_recipe(path):
        return build_image(read_recipe(path))
    from lamina.media.read import read_image

    return read_image(path, name, tag, platform)
