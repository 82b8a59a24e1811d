"""Loading an image into Docker, podman or containerd: only what they lack is sent.

What goes over is the universal archive without its v1 side, and without the layers that are there already. Docker 20.10
and 26 (both stores), podman 4 and 5 and containerd take an OCI layout with such holes when they hold what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from lamina.data.progress import Progress
from lamina.data.span import Piece
from lamina.errors import LaminaError
from lamina.image.cache import Cache
from lamina.image.hashing import known
from lamina.image.image import Image
from lamina.media import universal
from lamina.media.clients.client import Client, feed
from lamina.media.tarball import stream_members
from lamina.oci.digest import Digest, sha256
from lamina.tar.write import END, stored_size


@attrs.frozen
class Loaded:
    """What a load cost: bytes that went to the client, and bytes of layers that were there already.

    `refusal` is what was wrong with the archive that lacked those, when all of it had to be sent after that.
    """

    sent: int
    held: int
    refusal: str | None = None


def load(image: Image, client: Client, cache: Cache) -> Loaded:
    """Bring the image to the client's daemon; what that holds afterwards is compared with what the image is.

    When anything is odd without the layers that seem to be there, all of it is sent. Raises LaminaError: no such
    client, no answer, or the daemon refuses the whole archive too.
    """
    client.survey(image)
    image = known(image, cache)
    sizes = {item.diff_id: item.size or 0 for item in image.layers}
    if client.holds(image):
        return Loaded(0, sum(sizes.values()))
    held = client.held_layers(image, cache) & set(image.diff_ids)
    refusal = None
    with Progress(f"loading into {client.name}") as progress:
        try:
            _send(image, client, held, progress)
        except LaminaError as error:
            if not held:
                raise
            refusal, held = str(error), set()
            _send(image, client, held, progress)
    cache.remember_manifest(sha256(universal.manifest(image)), image.diff_ids)
    return Loaded(progress.done, sum(sizes[diff_id] for diff_id in held), refusal)


def _send(image: Image, client: Client, held: set[Digest], progress: Progress) -> None:
    """The archive without the held layers, in at the daemon, and compared. Raises LaminaError."""
    feed(client.load, _archive(client.as_sent(image), held, progress))
    client.finish(image)
    if not client.holds(image):
        raise LaminaError(client.name, "took the archive and holds another image", "see the daemon's log")


def _archive(image: Image, held: set[Digest], progress: Progress) -> Iterator[Piece]:
    """The archive without the held layers. It is arranged when it is asked for: the client is starting by then."""
    absent = {position for position, diff_id in enumerate(image.diff_ids) if diff_id not in held}
    members = universal.arrange_for_loading([image])
    sent = [item for item in members if item.layer is None or item.layer in absent]
    progress.total = progress.done + sum(stored_size(item.member) for item in sent) + len(END)
    for piece in stream_members(image.layers, sent, lambda _: None):
        yield piece
        progress(len(piece))
