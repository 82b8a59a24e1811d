"""podman: its store finds layers by diff ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamina.media.clients.client import InspectingClient
from lamina.oci.digest import Digest

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image


class Podman(InspectingClient):
    """podman: its store knows layers by diff ID, wherever they stand."""

    name = "podman"
    load: tuple[str, ...] = ("podman", "load")

    def as_sent(self, image: Image) -> Image:
        """With several names podman reads the docker archive, which may have no holes."""
        import attrs

        return attrs.evolve(image, names=image.names[:1])

    def finish(self, image: Image) -> None:
        for name in image.names[1:]:
            self.ask("podman", "tag", image.names[0].qualified, name.qualified).answer()

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        return {diff_id for stored in self.all_images() for diff_id in stored.diff_ids}
