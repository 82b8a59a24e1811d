"""Digests of stored bytes: each part of a file is read once, however many descriptors refer to it."""

from __future__ import annotations

import attrs

from lamina.data.blob import Blob
from lamina.data.checked import DAMAGED, Checked
from lamina.data.compression import Decompressed
from lamina.errors import BadInput
from lamina.oci.digest import Digest, hasher


@attrs.define(eq=False)
class StoredDigests:
    """The digests computed so far, by place and algorithm."""

    _known: dict[object, Digest] = attrs.field(factory=dict)

    def passed(self, blob: Blob) -> None:
        """The blob was read to its end, and compared with its descriptor if it has one."""
        if checked := _checked(blob):
            self._known[_key(checked)] = checked.descriptor.digest

    def compare(self, blob: Blob) -> None:
        """Raises BadInput: the stored bytes are not those of the blob's descriptor."""
        checked = _checked(blob)
        if checked is None:
            return
        key = _key(checked)
        if key not in self._known:
            state = hasher(checked.descriptor.digest)
            for chunk in checked.blob.chunks():
                state.update(chunk)
            self._known[key] = Digest(f"{key[1]}:{state.hexdigest()}")
        if self._known[key] != checked.descriptor.digest or checked.blob.size != checked.descriptor.size:
            raise BadInput(checked.where, "its bytes are not those of its digest", DAMAGED)


def _key(blob: Checked) -> tuple[object, str]:
    return blob.place or blob, blob.descriptor.digest.partition(":")[0]


def _checked(blob: Blob) -> Checked | None:
    """The blob that compares the stored bytes."""
    if isinstance(blob, Decompressed):
        blob = blob.packed
    return blob if isinstance(blob, Checked) else None
