"""An image for several platforms: one image for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import attrs

from lamina.image.image import Image
from lamina.oci.reference import Reference


@attrs.frozen
class ImageIndex:
    """Images of different platforms that share names (OCI image spec v1.1, image-index.md)."""

    images: tuple[Image, ...]
    names: tuple[Reference, ...] = ()
    annotations: Mapping[str, str] = MappingProxyType({})


def all_images(items: Iterable[Image | ImageIndex]) -> list[Image]:
    """The images, and those of the indexes, in order."""
    return [image for item in items for image in (item.images if isinstance(item, ImageIndex) else (item,))]
