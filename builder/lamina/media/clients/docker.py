"""Docker of any generation, with its classic image store or with containerd's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from lamina.errors import BadInput
from lamina.media.clients.client import InspectingClient, StoredImage
from lamina.media.clients.process import Answer, Question
from lamina.oci.digest import Digest, common_layers, parse_digest, sha256
from lamina.oci.strict_json import expect, parse_json

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image

_LIST_REQUEST = b"GET /images/json?manifests=1 HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n\r\n"
"""Requests the list of images, and from API 1.47 (Docker 27) on also the manifests of each image."""


class StoredManifest(NamedTuple):
    """A manifest in containerd's store: whether all its blobs are there, and how many bytes are unpacked.

    `unpacked` is None if the daemon does not report it.
    """

    complete: bool
    unpacked: int | None


_MISSING = StoredManifest(complete=False, unpacked=None)


class Docker(InspectingClient):
    """Docker of any generation, with its classic store or containerd's.

    containerd's store also lists images that lack blobs or are not unpacked.
    """

    name = "docker"
    load: tuple[str, ...] = ("docker", "load")
    remedy = "see the daemon's log"
    tag = ("docker", "tag")
    untag = ("docker", "rmi", "--force")
    version = ("docker", "version", "--format", "{{.Server.Version}}")
    address = "DOCKER_HOST, docker context"

    def __init__(self) -> None:
        super().__init__()
        self._info: Question | None = self.ask("docker", "info", "--format", "{{json .DriverStatus}}")
        self._containerd = False
        self._list: Question | None = None
        self._manifests: dict[Digest, StoredManifest] | None = None
        self._loaded = False

    def survey(self, image: Image) -> None:
        super().survey(image)
        info = self._info.answer() if self._info else None
        self._info = None
        self._containerd = "io.containerd.snapshotter" in (info or "")
        if self._containerd:
            self._list = self._request_list()
        else:
            self.unpacks = "its classic image store unpacks layers and keeps no compressed ones"

    def as_sent(self, image: Image) -> Image:
        return image

    def failure(self, answer: Answer) -> str | None:
        """From 28 on, a load into containerd's store exits 0 and prints an error if the image cannot be unpacked."""
        errors = [line for line in answer.output.splitlines() if line.startswith("Error")]
        return super().failure(answer) or (errors[0] if errors else None)

    def finish(self, image: Image) -> None:
        self._loaded = True
        if self._containerd:
            self._list = self._request_list()

    def holds(self, image: Image, manifest: bytes) -> bool:
        return super().holds(image, manifest) and (not self._containerd or self._usable(sha256(manifest)))

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        images = self.all_images()
        if self._containerd:
            self.keep(image)
            return self._in_containerd(images, cache)
        return self._in_chains(images, image)

    def _in_chains(self, images: list[StoredImage], image: Image) -> set[Digest]:
        """The classic store finds a layer by all layers below it, so only those up to the first new one (load.go)."""
        count = common_layers(image.diff_ids, [stored.diff_ids for stored in images])
        above = set(image.diff_ids[count:])
        self.repeated = above.intersection(diff_id for stored in images for diff_id in stored.diff_ids)
        return set(image.diff_ids[:count]) - above

    def _in_containerd(self, images: list[StoredImage], cache: Cache) -> set[Digest]:
        """The layers of complete images that Lamina loaded. Of others, the store may have compressed blobs only."""
        manifests = self._listed()
        complete = [stored.id for stored in images if manifests is None or manifests.get(stored.id, _MISSING).complete]
        return {diff_id for identity in complete for diff_id in cache.layers_of_manifest(identity)}

    def _usable(self, identity: Digest) -> bool:
        """Whether all blobs of the manifest are in containerd's store, and the image is unpacked."""
        manifests = self._listed()
        if manifests is None:
            return True
        stored = manifests.get(identity, _MISSING)
        if not stored.complete:
            return False
        if stored.unpacked is None:
            return self.ask("docker", "history", "--quiet", identity).answer() is not None
        # Some snapshotters report no size for small layers. After a load, its own report counts.
        return self._loaded or stored.unpacked > 0

    def _request_list(self) -> Question:
        """Request the list over the client's connection, because no command of the client prints which blobs exist."""
        return self.ask("docker", "system", "dial-stdio", request=_LIST_REQUEST)

    def _listed(self) -> dict[Digest, StoredManifest] | None:
        """The manifests by digest, from the last list that was requested; None if the daemon has no such list."""
        if self._list:
            self._manifests = _stored_manifests(self._list.answer() or "")
            self._list = None
        return self._manifests


def _stored_manifests(response: str) -> dict[Digest, StoredManifest] | None:
    """The manifests in the daemon's response. Without a report on manifests, the daemon lists complete images only."""
    status, _, _ = response.partition("\r\n")
    _, _, body = response.partition("\r\n\r\n")
    if status.split()[1:2] != ["200"]:
        return None
    result: dict[Digest, StoredManifest] = {}
    try:
        for item in expect(parse_json(body.encode(), "docker"), list, "the list of images", "docker"):
            with contextlib.suppress(BadInput):
                result |= _manifests_of(expect(item, dict, "an image", "docker"))
    except BadInput:
        return None
    return result


def _manifests_of(item: dict[str, object]) -> dict[Digest, StoredManifest]:
    """Raises BadInput: an image of the list that cannot be understood."""
    if "Manifests" not in item:
        return {parse_digest(item.get("Id"), "docker"): StoredManifest(complete=True, unpacked=None)}
    result = {}
    for entry in expect(item["Manifests"] or [], list, "Manifests", "docker"):
        fields = expect(entry, dict, "a manifest", "docker")
        data = expect(fields.get("ImageData") or {}, dict, "ImageData", "docker")
        size = expect(data.get("Size") or {}, dict, "Size", "docker")
        unpacked = expect(size.get("Unpacked", 0), int, "Unpacked", "docker")
        identity = parse_digest(fields.get("ID"), "docker")
        result[identity] = StoredManifest(fields.get("Available") is True, unpacked)
    return result
