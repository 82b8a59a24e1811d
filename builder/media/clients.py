"""Docker, podman and containerd through their own clients, so that contexts and DOCKER_HOST work as for the user."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import attrs

from builder.cache import Cache
from builder.digest import Digest, chain_ids, sha256
from builder.errors import BadUsage, LaminaError
from builder.image import Image
from builder.media.universal import manifest
from builder.output import temporary_directory, widen
from builder.pieces import Piece, put
from builder.spec import Json

_TIMEOUT = 120
"""Seconds for a question; loading takes as long as it takes."""


class Client(Protocol):
    """What differs between the daemons."""

    name: str
    load: tuple[str, ...]
    """The command that reads an archive from its standard input."""

    def as_sent(self, image: Image) -> Image:
        """The image with the names that the archive may tell; the others are given by `finish`."""

    def finish(self, image: Image) -> None:
        """What remains to be done when the archive has been read."""

    def holds(self, image: Image) -> bool:
        """Whether this very image is there, under all its names."""

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        """The diff IDs of the layers that need not be sent."""


def ask(*command: str) -> str | None:
    """What the client answers; None when it says that there is no such thing. Raises LaminaError: no client."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=False)
    except OSError:
        raise LaminaError(command[0], "no such program", "install the client, or choose another with --to") from None
    except subprocess.TimeoutExpired:
        raise LaminaError(command[0], f"no answer in {_TIMEOUT} s", "is the daemon well?") from None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def feed(command: Iterable[str], pieces: Iterator[Piece]) -> int:
    """Give the pieces to a client; how many bytes it took. Raises LaminaError with what it said when it failed."""
    words = list(command)
    with tempfile.TemporaryFile(dir=temporary_directory()) as said:
        try:
            client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=said, stderr=said)
        except OSError:
            raise LaminaError(words[0], "no such program", "install the client, or choose another with --to") from None
        sent = 0
        try:
            with client, contextlib.suppress(BrokenPipeError):  # its exit status tells what it thought of the rest
                assert client.stdin
                widen(client.stdin)
                for piece in pieces:
                    put(piece, client.stdin)
                    sent += len(piece)
        except BaseException:
            client.kill()
            raise
        if client.returncode == 0:
            return sent
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise LaminaError(words[0], f"refused the image: {lines[-1]}", "see the daemon's log")


def identities(image: Image) -> set[str]:
    """What an image's ID may be: the config's digest, or with a containerd store the manifest's."""
    return {sha256(image.document()), sha256(manifest(image))}


def _inspected(client: str, names: list[str]) -> list[Json]:
    """What the client tells of the images; nothing when one of them is not there."""
    told = ask(client, "image", "inspect", *names) if names else None
    result: list[Json] = json.loads(told) if told else []
    return result


def _all_images(client: str) -> list[Json]:
    ids = (ask(client, "image", "ls", "--quiet", "--no-trunc") or "").split()
    return _inspected(client, sorted(set(ids)))


def _names(image: Image) -> list[str]:
    """How to ask for the image: by its names, or by its ID when it has none."""
    return [name.qualified for name in image.names] or [sha256(image.document())]


def _diff_ids(told: Json) -> list[Digest]:
    return (told.get("RootFS") or {}).get("Layers") or []


def _all_are(found: list[Json], image: Image) -> bool:
    names = _names(image)
    known = {Digest(i if i.startswith("sha256:") else f"sha256:{i}") for i in (told["Id"] for told in found)}
    same_layers = all(_diff_ids(told) == image.diff_ids for told in found)
    return len(found) == len(names) and known <= identities(image) and same_layers


class Docker:
    """Docker of any generation, with its classic store or containerd's."""

    name = "docker"
    load = ("docker", "load")

    def as_sent(self, image: Image) -> Image:
        return image

    def finish(self, image: Image) -> None:
        pass

    def holds(self, image: Image) -> bool:
        return _all_are(_inspected("docker", _names(image)), image)

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        told = _all_images("docker")
        if "io.containerd.snapshotter" in (ask("docker", "info", "--format", "{{json .DriverStatus}}") or ""):
            return self._in_containerd(told, cache)
        return self._in_chains(told, image)

    def _in_chains(self, told: list[Json], image: Image) -> set[Digest]:
        """The classic store knows a layer by what is below it, so only those up to the first new one (load.go)."""
        there = {chain for item in told for chain in chain_ids(_diff_ids(item))}
        count = sum(1 for _ in itertools.takewhile(there.__contains__, chain_ids(image.diff_ids)))
        return set(image.diff_ids[:count]) - set(image.diff_ids[count:])

    def _in_containerd(self, told: list[Json], cache: Cache) -> set[Digest]:
        """The layers of images whose manifest we wrote: of others the store may hold compressed blobs only."""
        ours = (cache.layers_of_manifest(Digest(item["Id"])) for item in told)
        return {diff_id for layers in ours for diff_id in layers}


class Podman:
    """podman: its store knows layers by diff ID, wherever they stand."""

    name = "podman"
    load = ("podman", "load")

    def as_sent(self, image: Image) -> Image:
        """With several names podman reads the docker archive, which may have no holes."""
        return attrs.evolve(image, names=image.names[:1])

    def finish(self, image: Image) -> None:
        for name in image.names[1:]:
            ask("podman", "tag", image.names[0].qualified, name.qualified)

    def holds(self, image: Image) -> bool:
        return _all_are(_inspected("podman", _names(image)), image)

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        return {diff_id for item in _all_images("podman") for diff_id in _diff_ids(item)}


class Containerd:
    """containerd: its store knows blobs by digest; ctr's own variables tell where it listens and which namespace."""

    name = "containerd"
    load = ("ctr", "images", "import", "-")

    def as_sent(self, image: Image) -> Image:
        if not image.names:
            raise BadUsage("containerd", "keeps no image without a name", "give the image a name")
        return image

    def finish(self, image: Image) -> None:
        pass

    def holds(self, image: Image) -> bool:
        """Its names lead to our manifest, and everything that belongs to it is there."""
        wanted = sha256(manifest(image))
        told = (ask("ctr", "images", "check", f"name=={name.qualified}") or "" for name in image.names)
        return all(wanted in line and "complete" in line and "incomplete" not in line for line in told)

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        return {Digest(line) for line in (ask("ctr", "content", "ls", "--quiet") or "").split()}


CLIENTS: dict[str, type[Any]] = {"docker": Docker, "podman": Podman, "containerd": Containerd}
