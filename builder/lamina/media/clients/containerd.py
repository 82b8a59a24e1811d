"""containerd, through its client ctr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamina.errors import BadUsage
from lamina.media.clients.client import AskingClient, Question, digests
from lamina.oci.digest import Digest, sha256

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image


class Containerd(AskingClient):
    """containerd: its store knows blobs by digest; ctr's own variables tell where it listens and which namespace."""

    name = "containerd"
    load: tuple[str, ...] = ("ctr", "images", "import", "-")
    tag = ("ctr", "images", "tag", "--force")
    untag = ("ctr", "images", "rm")

    def __init__(self) -> None:
        super().__init__()
        self._blobs = self.ask("ctr", "content", "ls", "--quiet")
        self._named: list[Question] = []

    def survey(self, image: Image) -> None:
        self._named = [self.ask("ctr", "images", "check", f"name=={name.qualified}") for name in image.names]

    def as_sent(self, image: Image) -> Image:
        if not image.names:
            raise BadUsage("containerd", "keeps no image without a name", "give the image a name")
        return image

    def finish(self, image: Image) -> None:
        pass

    def holds(self, image: Image) -> bool:
        """Its names lead to our manifest, and everything that belongs to it is there."""
        from lamina.media.universal import manifest

        if not self._named:
            self.survey(image)
        wanted = sha256(manifest(image))
        told = [question.answer() or "" for question in self._named]
        self._named = []
        return all(wanted in line and "complete" in line and "incomplete" not in line for line in told)

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        self.keep(image)
        return set(digests(self._blobs.answer() or ""))
