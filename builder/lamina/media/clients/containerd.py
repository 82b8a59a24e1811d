"""containerd, through its client ctr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamina.errors import BadUsage
from lamina.media.clients.client import CommandClient, digests
from lamina.media.clients.process import Question
from lamina.oci.digest import Digest, sha256

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image


class Containerd(CommandClient):
    """containerd: its store finds blobs by digest. CONTAINERD_ADDRESS and CONTAINERD_NAMESPACE are ctr's variables."""

    name = "containerd"
    load: tuple[str, ...] = ("ctr", "images", "import", "-")
    remedy = "see containerd's log"
    tag = ("ctr", "images", "tag", "--force")
    untag = ("ctr", "images", "rm")
    version = ("ctr", "version")
    address = "CONTAINERD_ADDRESS"

    def __init__(self) -> None:
        super().__init__()
        self._blobs = self.ask("ctr", "content", "ls", "--quiet")
        self._named: list[Question] = []

    def survey(self, image: Image) -> None:
        self._named = self._request_names(image)

    def as_sent(self, image: Image) -> Image:
        if not image.names:
            raise BadUsage("containerd", "keeps no image without a name", "give the image a name")
        return image

    def finish(self, image: Image) -> None:
        pass

    def holds(self, image: Image, manifest: bytes) -> bool:
        """Whether all names refer to this manifest, its blobs exist, and the image is unpacked."""
        digest = sha256(manifest)
        answers = [question.full_answer() for question in self._named or self._request_names(image)]
        self._named = []
        if any(answer and answer.status for answer in answers):
            self.check_running()
        return all(answer and _is_ready(answer.output, digest) for answer in answers)

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        self.keep(image)
        return set(digests(self._blobs.answer() or ""))

    def _request_names(self, image: Image) -> list[Question]:
        return [self.ask("ctr", "images", "check", f"name=={name.qualified}") for name in image.names]


def _is_ready(table: str, digest: Digest) -> bool:
    """Whether a row of `ctr images check` has the digest, the status "complete (n/n)" and "true" for unpacked."""
    rows = [row.split() for row in table.splitlines()]
    return any(digest in row and "complete" in row and row[-1] == "true" for row in rows)
