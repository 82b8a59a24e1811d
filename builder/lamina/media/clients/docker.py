"""Docker of any generation, with its classic image store or with containerd's."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from lamina.media.clients.client import InspectingClient, StoredImage
from lamina.oci.digest import Digest, chain_ids

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image


class Docker(InspectingClient):
    """Docker of any generation, with its classic store or containerd's."""

    name = "docker"
    load: tuple[str, ...] = ("docker", "load")
    tag = ("docker", "tag")
    untag = ("docker", "rmi", "--force")

    def __init__(self) -> None:
        super().__init__()
        self._store = self.ask("docker", "info", "--format", "{{json .DriverStatus}}")

    def as_sent(self, image: Image) -> Image:
        return image

    def finish(self, image: Image) -> None:
        pass

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        images = self.all_images()
        if "io.containerd.snapshotter" in (self._store.answer() or ""):
            self.keep(image)
            return self._in_containerd(images, cache)
        return self._in_chains(images, image)

    def _in_chains(self, images: list[StoredImage], image: Image) -> set[Digest]:
        """The classic store finds a layer by all layers below it, so only those up to the first new one (load.go)."""
        chains = {chain for stored in images for chain in chain_ids(stored.diff_ids)}
        count = sum(1 for _ in itertools.takewhile(chains.__contains__, chain_ids(image.diff_ids)))
        return set(image.diff_ids[:count]) - set(image.diff_ids[count:])

    def _in_containerd(self, images: list[StoredImage], cache: Cache) -> set[Digest]:
        """The layers of images whose manifest we wrote: of others the store may hold compressed blobs only."""
        ours = (cache.layers_of_manifest(stored.id) for stored in images)
        return {diff_id for layers in ours for diff_id in layers}
