"""Bytes that are compared with a digest while they are read."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from lamina.data.blob import Blob, Place
from lamina.errors import BadInput
from lamina.oci.digest import hasher, hex_of
from lamina.oci.documents import Descriptor

DAMAGED = "the image is damaged: pull it again"


@attrs.frozen(eq=False)
class Checked(Blob):
    """A blob whose size and digest are in a descriptor."""

    blob: Blob
    descriptor: Descriptor
    where: str

    @property
    def size(self) -> int:
        return self.descriptor.size

    @property
    def place(self) -> Place | None:
        return self.blob.place

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput after the last byte: the size or the digest is not that of the descriptor."""
        state = hasher(self.descriptor.digest)
        total = 0
        for chunk in self.blob.chunks():
            state.update(chunk)
            total += len(chunk)
            yield chunk
        if (total, state.hexdigest()) != (self.descriptor.size, hex_of(self.descriptor.digest)):
            raise BadInput(self.where, "its bytes are not those of its digest", DAMAGED)
