"""Load an image into Docker, podman or containerd, sending only the layers that they are missing.

The universal archive is sent without its v1 files, and without the layers that the daemon already has. Docker 20.10, 26
and 28 (both stores), podman 4 and 5 and containerd accept such an OCI layout if they have the missing layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import attrs

from lamina.data.progress import Progress
from lamina.data.span import Piece
from lamina.errors import BadInput, BadUsage, LaminaError
from lamina.image.cache import Cache
from lamina.image.hashing import known
from lamina.image.image import Image
from lamina.media import universal
from lamina.media.absent import Needed, absent_layers
from lamina.media.clients import CLIENTS
from lamina.media.clients.client import Client
from lamina.media.clients.process import feed
from lamina.media.tarball import ArchiveMember, stream_members
from lamina.oci.digest import Digest, common_layers
from lamina.tar.write import END, stored_size


@attrs.frozen
class Loaded:
    """The result of `load`.

    `sent` is the number of bytes sent to the client, and `held` the bytes of layers that were not sent, because the
    daemon already had them. `repeated` is the bytes of layers that were sent although the daemon has them: Docker's
    classic store needs every layer above a changed one again. `refusal` is the daemon's error for the archive without
    the held layers, if the whole archive had to be sent after it.
    """

    sent: int
    held: int
    refusal: str | None = None
    repeated: int = 0


def load(image: Image, daemon: str | Client = "docker", cache: Cache | None = None, *, check: bool = False) -> Loaded:
    """Load the image into a daemon, sending only the layers that the daemon is missing.

    `daemon` is `docker`, `podman` or `containerd`, reached through its own client (docker, podman, ctr), so that
    DOCKER_HOST and contexts work. `cache` has the digests of layers already hashed; default: the user's. With `check`
    these layers are hashed again while they are sent. Afterwards the daemon's image is compared with this one. If the
    daemon refuses the archive without the layers that it seems to have, the whole image is sent.

    Raises BadUsage: an unknown daemon; LaminaError: the client is not installed, does not answer, or refuses the
    image; BadInput: a layer cannot be read, its digest is wrong, or the archive leaves it out and the daemon has not
    got it.
    """
    cache = cache or Cache.of_user()
    if not isinstance(daemon, str):
        return _load(image, daemon, cache, check=check)
    if daemon not in CLIENTS:
        raise BadUsage("daemon", f"{daemon!r:.40} is unknown", f"use one of: {', '.join(CLIENTS)}")
    with CLIENTS[daemon]() as client:
        return _load(image, client, cache, check=check)


def _load(image: Image, client: Client, cache: Cache, *, check: bool) -> Loaded:
    client.survey(image)
    image = known(image, cache)
    if client.holds(image):
        loaded = Loaded(0, _size(image, set(image.diff_ids)))
    else:
        loaded = _transfer(image, client, cache, check=check)
    cache.remember_manifest(universal.manifest(image))
    return loaded


def _transfer(image: Image, client: Client, cache: Cache, *, check: bool) -> Loaded:
    """Send the missing layers, or the whole image if that is refused. Raises LaminaError."""
    absent = absent_layers(image)
    for needed in {item.needed for item in absent.values()}:
        cache.remember_manifest(needed.manifest)  # if the daemon has it complete, it has these layers
    held = client.held_layers(image, cache) & set(image.diff_ids)
    for diff_id in (diff_id for diff_id in absent if diff_id not in held):
        raise _lacking(absent[diff_id].needed, len(absent.keys() - held), client)
    repeated = client.repeated & set(image.diff_ids)
    refusal = None
    with Progress(f"loading into {client.name}") as progress:

        def pieces(held: set[Digest]) -> Iterator[Piece]:
            yield from _archive(client.as_sent(image), held, progress, cache, check=check)
            progress.announce(f"{client.name} is unpacking the image")

        def send(held: set[Digest]) -> None:
            _send(image, client, pieces(held))

        try:
            send(held)
        except LaminaError as error:
            if not held or absent:
                raise
            refusal, held = str(error), set()
            send(held)
    return Loaded(progress.done, _size(image, held), refusal, _size(image, repeated))


def _lacking(needed: Needed, count: int, client: Client) -> BadInput:
    """The error for an archive without layers that the daemon does not have."""
    what = f"leaves out {count} layer(s) that {client.name} does not have"
    return BadInput(needed.where, what, f"first load {needed.name} with lamina load, or build the whole image")


def _size(image: Image, diff_ids: set[Digest]) -> int:
    """Bytes of the layers with these diff IDs, each counted once."""
    return sum({item.diff_id: item.size or 0 for item in image.layers if item.diff_id in diff_ids}.values())


def _send(image: Image, client: Client, pieces: Iterator[Piece]) -> None:
    """Send the archive, and check the result. Raises LaminaError."""
    answer = feed(client.load, pieces)
    if reason := client.failure(answer):
        client.check_running()
        raise LaminaError(client.name, f"refused the image: {reason}", client.remedy)
    client.finish(image)
    if not client.holds(image):
        raise LaminaError(client.name, "accepted the archive, but the image is not there or not whole", client.remedy)


def _archive(image: Image, held: set[Digest], progress: Progress, cache: Cache, *, check: bool) -> Iterator[Piece]:
    """The archive without the held layers. It is arranged at the first piece, while the client is starting."""
    sent = _members(image, held)
    progress.total = progress.done + _archive_size(sent)
    for piece in stream_members(image.layers, sent, lambda _: None, cache, check=check):
        yield piece
        progress(len(piece))


def _members(image: Image, held: Collection[Digest]) -> list[ArchiveMember]:
    """The members of the archive without the held layers."""
    absent = {position for position, diff_id in enumerate(image.diff_ids) if diff_id not in held}
    members = universal.arrange_for_loading([image])
    return [item for item in members if item.layer is None or item.layer in absent]


def _archive_size(members: Iterable[ArchiveMember]) -> int:
    return sum(stored_size(item.member) for item in members) + len(END)


STORES = ("docker", "docker-containerd", "podman", "containerd")
"""The image stores that differ in what they need: Docker's classic store, and those that find a layer by its digest."""


def predicted(image: Image, loaded: Image, store: str) -> int:
    """The bytes that `load` would send to a daemon that has only the image `loaded`, which Lamina loaded before.

    `store` is one of STORES. All diff IDs and sizes of both images are known.
    """
    if universal.manifest(image) == universal.manifest(loaded) and set(image.names) <= set(loaded.names):
        return 0
    held = set(loaded.diff_ids)
    if store == "docker":
        count = common_layers(image.diff_ids, [loaded.diff_ids])
        held = set(image.diff_ids[:count]) - set(image.diff_ids[count:])
    if store == "podman":
        image = attrs.evolve(image, names=image.names[:1])
    return _archive_size(_members(image, held))
