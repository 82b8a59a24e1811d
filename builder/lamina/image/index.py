"""An image for several platforms: one image for each."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.oci.digest import Digest
from lamina.oci.documents import NO_ANNOTATIONS, Annotations, Document
from lamina.oci.reference import Reference


@attrs.frozen
class ImageIndex:
    """Images of different platforms that share names (OCI image spec v1.1, image-index.md).

    `original` is the index of an image that was read from an OCI layout, if all its images are in `images`; `listed`
    are the digests in it.
    """

    images: tuple[Image, ...]
    names: tuple[Reference, ...] = ()
    annotations: Annotations = NO_ANNOTATIONS
    original: Document | None = attrs.field(default=None, eq=False, repr=False)
    listed: tuple[Digest, ...] = attrs.field(default=(), eq=False, repr=False)


def all_images(items: Iterable[Image | ImageIndex]) -> list[Image]:
    """The images, and those of the indexes, in order."""
    return [image for item in items for image in (item.images if isinstance(item, ImageIndex) else (item,))]


_PLATFORM = ("os", "architecture", "variant", "os.version")


def index_of(items: Iterable[tuple[str, Image | ImageIndex]], names: Iterable[Reference] = ()) -> ImageIndex:
    """An index of all these images, which come with their names in errors; default of `names`: all that they have.

    Raises BadInput: two images are for one platform, or an image has none.
    """
    images: dict[tuple[str, ...], tuple[str, Image]] = {}
    all_names: list[Reference] = []
    for where, item in items:
        all_names += item.names
        for image in all_images([item]):
            if not image.platform:
                raise BadInput(where, "an image without an architecture", "build it for one")
            platform = tuple(str(image.platform.get(key, "")) for key in _PLATFORM)
            shown = "/".join(filter(None, platform))
            if platform in images:
                other = images[platform][0]
                raise BadInput(where, f"is for {shown}, and so is {other}", "give one image for each platform")
            images[platform] = where, attrs.evolve(image, names=())
    return ImageIndex(tuple(image for _, image in images.values()), tuple(dict.fromkeys([*names] or all_names)))
