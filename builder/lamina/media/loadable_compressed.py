"""An image with compressed layers, for daemons whose stores keep blobs as they come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import attrs

from lamina.data.progress import Progress
from lamina.data.span import Piece
from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding
from lamina.image.image import Image
from lamina.media.absent import require_all_layers
from lamina.media.loadable import Loadable, archive_size
from lamina.media.oci_content import OciContent, oci_content
from lamina.media.oci_write import archive_members, stream_archive
from lamina.oci.digest import Digest
from lamina.oci.strict_json import parse_json


@attrs.frozen(eq=False)
class CompressedImage(Loadable):
    """An OCI archive with compressed layers, whose manifest is the one that a push of the image has."""

    image: Image
    content: OciContent

    @classmethod
    def of(cls, image: Image, encoding: LayerEncoding, cache: Cache | None, spool: Path) -> CompressedImage:
        """Layers whose compressed digests are not in the cache are compressed into the directory `spool`.

        Raises BadInput: a layer cannot be read, or is absent; LaminaError: as `oci_content` raises it.
        """
        require_all_layers(image)
        total = sum(layer.size or layer.weight for layer in image.layers)
        with Progress("compressing layers", total) as progress:
            content = oci_content([image], encoding, cache, progress, spool)
        [top] = content.tops
        listed = parse_json(content.documents[top.digest].data, "the manifest")["layers"]
        layers = tuple(content.blobs[item["digest"]].layer for item in listed)  # with their diff IDs
        return cls(attrs.evolve(image, layers=layers), content)

    @property
    def manifest(self) -> bytes:
        [top] = self.content.tops
        return self.content.documents[top.digest].data

    @property
    def layers(self) -> Mapping[Digest, int]:
        return {digest: blob.descriptor.size for digest, blob in self.content.blobs.items()}

    def archive(self, image: Image, held: Collection[Digest], progress: Progress) -> Iterator[Piece]:
        digests = list(self.content.blobs)
        members = [
            item for item in archive_members(self.content) if item.layer is None or digests[item.layer] not in held
        ]
        progress.total = progress.done + archive_size(members)
        return stream_archive(members, self.content)
