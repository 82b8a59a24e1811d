"""Write one image or several as an archive, in any of its forms."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lamina.data.compressors import COMPRESSORS
from lamina.errors import BadUsage
from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding, layer_encoding
from lamina.image.image import Image
from lamina.image.index import ImageIndex
from lamina.image.merge import merged
from lamina.media import classic, universal
from lamina.media.tarball import Arrangement
from lamina.media.tarball import write as write_archive

OCI_FORMATS = ("oci-archive", "oci-layout")

FORMATS: dict[str, Arrangement] = {
    "universal": universal.arrange,
    "docker-1.9": universal.arrange_for_docker_1_9,
    "classic": classic.arrange,
}
"""The forms with plain layers, by name. `docs/design/archive.md` describes them."""


def write(
    images: Image | ImageIndex | Iterable[Image | ImageIndex],
    output: str | os.PathLike[str],
    *,
    format: str = "universal",
    compressor: str = "none",
    layer_compressor: str | None = None,
    layer_level: int | None = None,
    compress_again: bool = False,
    check: bool = False,
) -> None:
    """Write an archive of one image or of several. Layers that images share are stored once.

    The file `output` appears whole or not at all; `-` is standard output. `format` is a key of `FORMATS`,
    `oci-archive`, or `oci-layout`, which is a directory. `compressor` (of the archive as a whole) is one of
    `lamina.data.compressors.COMPRESSORS`. In the OCI formats, `layer_compressor` is one of `LAYER_COMPRESSORS` there,
    with a `layer_level`; layers that came compressed keep their bytes unless `compress_again`. Digests of layers are
    remembered in the user's cache directory; with `check` every layer is hashed nevertheless.

    Raises BadUsage: an unknown format, compressor or level, or no image; BadInput: a layer cannot be read, a digest is
    wrong, or two different images have the same name; LaminaError: the file cannot be written.
    """
    formats = (*FORMATS, *OCI_FORMATS)
    for name, value, known in (("format", format, formats), ("compressor", compressor, tuple(COMPRESSORS))):
        if value not in known:
            raise BadUsage(name, f"{value!r:.40} is unknown", f"use one of: {', '.join(known)}")
    items = [images] if isinstance(images, Image | ImageIndex) else list(images)
    if not items:
        raise BadUsage("images", "no image to write", "give at least one")
    encoding = layer_encoding(layer_compressor, layer_level, again=compress_again)
    cache = Cache.of_user()
    if format in OCI_FORMATS:
        if compressor != "none":
            raise BadUsage("compressor", f"is {compressor}, but the layers of {format} are compressed", "leave it out")
        from lamina.media.oci_write import write_oci

        write_oci(items, os.fspath(output), format, encoding, Cache(None) if check else cache)
        return
    chosen = [only_plain(item, format, encoding) for item in items]
    if len(chosen) > 1:
        chosen = merged(chosen, cache)
    write_archive(chosen, FORMATS[format], os.fspath(output), compressor, cache, check=check)


def only_plain(item: Image | ImageIndex, format: str, encoding: LayerEncoding | None) -> Image:
    """The image for a format of `FORMATS`. Raises BadUsage: layers are to be compressed, or several platforms."""
    if encoding:
        remedy = f"choose one of these formats: {', '.join(OCI_FORMATS)}"
        raise BadUsage("layer compressor", f"{format} has plain layers", remedy)
    if isinstance(item, ImageIndex):
        raise BadUsage("format", f"{format} has one platform of an image", "choose a platform, or an OCI format")
    return item
