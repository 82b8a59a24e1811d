"""Load an image into Docker, podman or containerd, sending only the layers that they are missing.

The universal archive is sent without its v1 files, and without the layers that the daemon already has. Docker 20.10, 26
and 28 (both stores), podman 4 and 5 and containerd accept such an OCI layout if they have the missing layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from lamina.data.output import scratch_directory
from lamina.data.progress import Progress, counted
from lamina.data.span import Piece
from lamina.errors import BadInput, BadUsage, LaminaError
from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding
from lamina.image.hashing import with_digests
from lamina.image.image import Image
from lamina.media import universal
from lamina.media.absent import Needed, absent_layers
from lamina.media.clients import CLIENTS
from lamina.media.clients.client import Client
from lamina.media.clients.process import feed
from lamina.media.loadable import Loadable, PlainImage, archive_size, members_without
from lamina.oci.digest import Digest, common_layers


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


def load(
    image: Image,
    daemon: str | Client = "docker",
    cache: Cache | None = None,
    *,
    encoding: LayerEncoding | None = None,
    check: bool = False,
) -> Loaded:
    """Load the image into a daemon, sending only the layers that the daemon is missing.

    `daemon` is `docker`, `podman` or `containerd`, reached through its own client (docker, podman, ctr), so that
    DOCKER_HOST and contexts work. `cache` has the digests of layers already hashed; default: the user's. `encoding`
    compresses layers, for stores that keep blobs as they come, so that the daemon pushes compressed layers. With
    `check` layers with remembered digests are hashed again. Afterwards the daemon's image is compared with this one. If
    the daemon refuses the archive without the layers that it seems to have, the whole image is sent.

    Raises BadUsage: an unknown daemon; LaminaError: the client is not installed, does not answer, or refuses the
    image, or its store keeps no compressed layers; BadInput: a layer cannot be read, its digest is wrong, or the
    archive leaves it out and the daemon does not have it.
    """
    cache = cache or Cache.of_user()
    if not isinstance(daemon, str):
        return _load(image, daemon, cache, encoding, check=check)
    if daemon not in CLIENTS:
        raise BadUsage("daemon", f"{daemon!r:.40} is unknown", f"use one of: {', '.join(CLIENTS)}")
    with CLIENTS[daemon]() as client:
        return _load(image, client, cache, encoding, check=check)


def _load(image: Image, client: Client, cache: Cache, encoding: LayerEncoding | None, *, check: bool) -> Loaded:
    client.survey(image)
    if encoding is None or encoding.compressor == "none":
        return _load_form(PlainImage(with_digests(image, cache), cache, check), client, cache)
    if client.unpacks:
        remedy = "load it without a layer compressor; lamina push needs no daemon"
        raise LaminaError(client.name, client.unpacks, remedy)
    from lamina.media.loadable_compressed import CompressedImage  # 8 ms, which plain layers do not need

    with scratch_directory() as spool:
        form = CompressedImage.of(client.as_sent(image), encoding, None if check else cache, spool)
        return _load_form(form, client, cache)


def _load_form(form: Loadable, client: Client, cache: Cache) -> Loaded:
    if client.holds(form.image, form.manifest):
        loaded = Loaded(0, _size(form, form.layers.keys()))
    else:
        loaded = _transfer(form, client, cache)
    cache.remember_manifest(form.manifest)
    return loaded


def _transfer(form: Loadable, client: Client, cache: Cache) -> Loaded:
    """Send the missing layers, or the whole image if that is refused. Raises LaminaError."""
    absent = absent_layers(form.image)
    for needed in {item.needed for item in absent.values()}:
        cache.remember_manifest(needed.manifest)  # if the daemon has it complete, it has these layers
    held = client.held_layers(form.image, cache) & form.layers.keys()
    for diff_id in (diff_id for diff_id in absent if diff_id not in held):
        raise _lacking(absent[diff_id].needed, len(absent.keys() - held), client)
    refusal = None
    with Progress(f"loading into {client.name}") as progress:

        def pieces(held: set[Digest]) -> Iterator[Piece]:
            """The archive. It is arranged at the first piece, while the client is starting."""
            for piece in form.archive(client.as_sent(form.image), held, progress):
                yield piece
                progress(len(piece))
            progress.announce(f"{client.name} is unpacking the image")

        def send(held: set[Digest]) -> None:
            _send(form, client, pieces(held))

        try:
            send(held)
        except LaminaError as error:
            if not held or absent:
                raise
            refusal, held = str(error), set()
            send(held)
    return Loaded(progress.done, _size(form, held), refusal, _size(form, client.repeated))


def _lacking(needed: Needed, count: int, client: Client) -> BadInput:
    """The error for an archive without layers that the daemon does not have."""
    what = f"leaves out {counted(count, 'layer')} that {client.name} does not have"
    return BadInput(needed.where, what, f"first load {needed.name} with lamina load, or build the whole image")


def _size(form: Loadable, digests: Collection[Digest]) -> int:
    """Bytes of the layers with these digests, each counted once."""
    return sum(size for digest, size in form.layers.items() if digest in digests)


def _send(form: Loadable, client: Client, pieces: Iterator[Piece]) -> None:
    """Send the archive, and check the result. Raises LaminaError."""
    answer = feed(client.load, pieces)
    if reason := client.failure(answer):
        client.check_running()
        raise LaminaError(client.name, f"refused the image: {reason}", client.remedy)
    client.finish(form.image)
    if not client.holds(form.image, form.manifest):
        raise LaminaError(client.name, "accepted the archive, but the image is not there or not whole", client.remedy)


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
    return archive_size(members_without(image, held))
