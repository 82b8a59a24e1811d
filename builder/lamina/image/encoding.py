"""How layers are compressed in a repository: as `LayerEncoding` says, or as they came."""

from __future__ import annotations

import attrs

from lamina.data.compressors import DEFAULT_LAYER_LEVELS, LAYER_COMPRESSORS, LAYER_LEVELS
from lamina.errors import BadUsage
from lamina.oci.documents import OCI_LAYER

CHUNKED = "zstd:chunked"

_SUFFIXES = {"gz": "+gzip", "zstd": "+zstd", CHUNKED: "+zstd", "none": ""}
"""What each compressor adds to the media type of a layer (OCI image spec v1.1, layer.md)."""

FORMAT = 1
"""The version of the compressed bytes. It is a part of every key in the cache."""


@attrs.frozen
class LayerEncoding:
    """A compressor of layers, and its level; None is the default of the compressor.

    A layer that is compressed already keeps its bytes, so that a registry that has them needs no copy; unless
    `again`.
    """

    compressor: str = "gz"
    level: int | None = None
    again: bool = False

    def __attrs_post_init__(self) -> None:
        """Raises BadUsage: an unknown compressor, or a level that it does not have."""
        if self.compressor not in LAYER_COMPRESSORS:
            known = ", ".join(LAYER_COMPRESSORS)
            raise BadUsage("layer compressor", f"{self.compressor!r:.40} is unknown", f"use one of: {known}")
        levels = LAYER_LEVELS.get(self.compressor)
        if self.level is not None and (levels is None or self.level not in levels):
            problem = f"{self.compressor} has no level {self.level}"
            remedy = f"use a level from {levels[0]} to {levels[-1]}" if levels else "give no level"
            raise BadUsage("layer level", problem, remedy)

    @property
    def media_type(self) -> str:
        """The media type of a layer."""
        return OCI_LAYER + _SUFFIXES[self.compressor]

    @property
    def actual_level(self) -> int:
        """The level that is used; 0 without compression."""
        return DEFAULT_LAYER_LEVELS.get(self.compressor, 0) if self.level is None else self.level

    @property
    def key(self) -> str:
        """Everything that determines the bytes to which a plain layer is compressed."""
        return f"{self.compressor}-{self.actual_level}-{FORMAT}"

    @property
    def map_key(self) -> str | None:
        """The same key in digest maps; None if the descriptor has annotations, because maps cannot contain them."""
        return None if self.compressor == CHUNKED else self.key

    def check_library(self) -> None:
        """Raises LaminaError: the library does not compress to the same bytes as on other machines."""
        from lamina.data.block_compression import check_library  # 1.6 ms, which plain layers do not need

        check_library("zstd" if self.compressor == CHUNKED else self.compressor, self.actual_level)


DEFAULT_ENCODING = LayerEncoding()
"""gzip, which every registry and every consumer accepts."""


def layer_encoding(compressor: str | None, level: int | None, *, again: bool = False) -> LayerEncoding | None:
    """The encoding that a user requests; None without a compressor. Raises BadUsage: unknown, or a level alone."""
    if compressor is None and level is not None:
        raise BadUsage("layer level", f"{level} without a compressor", "give the layer compressor, too")
    return None if compressor is None else LayerEncoding(compressor, level, again)
