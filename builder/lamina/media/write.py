"""Write one image or several as an archive, in any of its forms."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lamina.data.compressors import COMPRESSORS
from lamina.errors import BadUsage
from lamina.image.cache import Cache
from lamina.image.image import Image
from lamina.image.merge import merged
from lamina.media import classic, universal
from lamina.media.tarball import Arrangement
from lamina.media.tarball import write as write_archive

FORMATS: dict[str, Arrangement] = {
    "universal": universal.arrange,
    "docker-1.9": universal.arrange_for_docker_1_9,
    "classic": classic.arrange,
}
"""The forms of an archive, by name. `docs/design/archive.md` describes them."""


def write(
    images: Image | Iterable[Image],
    output: str | os.PathLike[str],
    *,
    format: str = "universal",
    compressor: str = "none",
    check: bool = False,
) -> None:
    """Write an archive of one image or of several. Layers that images share are stored once.

    The file `output` appears whole or not at all; `-` is standard output. `format` is a key of `FORMATS`, and
    `compressor` (of the archive as a whole) one of `lamina.data.compressors.COMPRESSORS`. Digests of layers are
    remembered in the user's cache directory; with `check` every layer is hashed nevertheless.

    Raises BadUsage: an unknown format or compressor, or no image; BadInput: a layer cannot be read, a digest is
    wrong, or two different images have the same name; LaminaError: the file cannot be written.
    """
    for name, value, known in (("format", format, tuple(FORMATS)), ("compressor", compressor, tuple(COMPRESSORS))):
        if value not in known:
            raise BadUsage(name, f"{value!r:.40} is unknown", f"use one of: {', '.join(known)}")
    cache = Cache.of_user()
    chosen = [images] if isinstance(images, Image) else list(images)
    if not chosen:
        raise BadUsage("images", "no image to write", "give at least one")
    if len(chosen) > 1:
        chosen = merged(chosen, cache)
    write_archive(chosen, FORMATS[format], os.fspath(output), compressor, cache, check=check)
