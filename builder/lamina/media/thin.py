"""Writing an archive without the layers of another image, for daemons that have that image.

Docker's classic store finds a layer by all layers below it, so only the lowest layers that both images have are left
out. Docker with containerd's store, podman and containerd find a layer by its digest, and accept the same archive.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence

import attrs

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.hashing import with_digests
from lamina.image.image import Image, all_layers
from lamina.media import universal
from lamina.media.absent import NEEDED_IMAGE, NEEDED_MANIFEST
from lamina.media.tarball import ArchiveMember, document, write
from lamina.oci.digest import Digest, blob_path, common_layers, sha256


@attrs.frozen
class Thin:
    """The result of `write_thin`: how many layers were left out, their bytes, and the name of the needed image."""

    layers: int
    size: int
    needed: str


def write_thin(image: Image, old: Image, output: str, *, compressor: str = "none", check: bool = False) -> Thin:
    """Write the image without the lowest layers that `old` has too. Without such layers, the archive is complete.

    `output`, `compressor` and `check` are those of `lamina.media.write.write`.

    Raises BadInput: an image of several names, for which podman reads `manifest.json` and needs every layer; a layer
    cannot be read; LaminaError: the output cannot be written.
    """
    if len(image.names) > 1:
        names = ", ".join(name.familiar for name in image.names)
        remedy = "choose one by its name: with several, podman needs all layers"
        raise BadInput(image.where, f"has several names: {names:.200}", remedy)
    cache = Cache.of_user()
    image, old = with_digests(image, None if check else cache), with_digests(old, cache)
    count = common_layers(image.diff_ids, [old.diff_ids])
    left_out = set(image.diff_ids[:count]) - set(image.diff_ids[count:])
    needed = ", ".join(name.familiar for name in old.names) or f"the image {sha256(old.document())}"
    arrange = functools.partial(_arrange, old=old, needed=needed, left_out=left_out) if left_out else universal.arrange
    write([image], arrange, output, compressor, cache, check=check, left_out=left_out)
    sizes = {item.diff_id: item.size or 0 for item in image.layers if item.diff_id in left_out}
    return Thin(len(sizes), sum(sizes.values()), needed)


def _arrange(images: Sequence[Image], old: Image, needed: str, left_out: Collection[Digest]) -> list[ArchiveMember]:
    """The members that a daemon with the image `old` needs; the manifest of `old` is the last one."""
    layers = all_layers(images)
    manifest = universal.manifest(old)
    digest = sha256(manifest)
    members = universal.arrange_for_loading(images, {NEEDED_IMAGE: needed, NEEDED_MANIFEST: digest})
    kept = [item for item in members if item.layer is None or layers[item.layer].diff_id not in left_out]
    has_manifest = any(item.member.name == blob_path(digest).encode() for item in members)
    return kept if has_manifest else [*kept, document(blob_path(digest), manifest)]
