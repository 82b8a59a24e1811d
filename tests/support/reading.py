"""Images read by the reader of archives and layouts alone: nothing else is tried, such as a recipe."""

from __future__ import annotations

from pathlib import Path

from lamina.image.image import Image
from lamina.media.choice import choose, matching
from lamina.media.read import candidates, open_members
from lamina.oci.platform import host_architecture


def read_images(
    path: Path, name: str | None = None, tag: str | None = None, architecture: str | None = None
) -> list[Image]:
    """Every image in an archive or a layout that has the name and the tag, if given.

    `architecture` (default: this machine's) selects among the platforms of an index. Raises BadInput.
    """
    found = candidates(open_members(path), architecture or host_architecture(), exact=architecture is not None)
    return [candidate.read() for candidate in matching(found, name, tag, path)]


def read_image(path: Path, name: str | None = None, tag: str | None = None, architecture: str | None = None) -> Image:
    """The only image that `read_images` would return. Raises BadInput, also if there are several."""
    found = candidates(open_members(path), architecture or host_architecture(), exact=architecture is not None)
    return choose(found, name, tag, path)
