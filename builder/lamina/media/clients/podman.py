"""podman: its store finds layers by diff ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamina.media.clients.client import InspectingClient
from lamina.media.clients.process import Answer
from lamina.oci.digest import Digest

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image


class Podman(InspectingClient):
    """podman: its store finds layers by diff ID, whatever is below them."""

    name = "podman"
    load: tuple[str, ...] = ("podman", "load")
    remedy = "for more, run: podman --log-level=debug load"
    version = ("podman", "version")
    unpacks: str | None = "its store unpacks layers and keeps no compressed ones"
    address = "CONTAINER_HOST, podman system connection"

    def as_sent(self, image: Image) -> Image:
        """With several names podman reads the docker archive, from which no layer may be left out."""
        import attrs

        return attrs.evolve(image, names=image.names[:1])

    def failure(self, answer: Answer) -> str | None:
        """podman tries several formats and prints a reason for each of them. Two are those of the archive."""
        if not answer.status:
            return None
        reasons = [line.strip().partition("* ")[2] for line in answer.errors.splitlines()]
        ours = [reason for reason in reasons if reason.startswith(("oci-archive: ", "docker-archive: "))]
        return "; ".join(ours) or answer.reason()

    def finish(self, image: Image) -> None:
        for name in image.names[1:]:
            self.ask("podman", "tag", image.names[0].qualified, name.qualified).answer()

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        return {diff_id for stored in self.all_images() for diff_id in stored.diff_ids}
