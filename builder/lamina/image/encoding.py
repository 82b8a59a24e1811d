"""How layers are compressed when they leave the machine."""

from __future__ import annotations

import attrs

from lamina.errors import BadUsage
from lamina.oci.documents import OCI_LAYER

LAYER_COMPRESSORS = {"none": ""}
"""What each compressor adds to the media type of a layer (OCI image spec v1.1, layer.md)."""


@attrs.frozen
class LayerEncoding:
    """A compressor of layers with its level; without a level, the compressor's default."""

    compressor: str = "none"
    level: int | None = None

    def __attrs_post_init__(self) -> None:
        """Raises BadUsage: an unknown compressor."""
        if self.compressor not in LAYER_COMPRESSORS:
            known = ", ".join(LAYER_COMPRESSORS)
            raise BadUsage("layer compressor", f"{self.compressor!r:.40} is unknown", f"use one of: {known}")

    @property
    def media_type(self) -> str:
        """The media type of a layer."""
        return OCI_LAYER + LAYER_COMPRESSORS[self.compressor]
