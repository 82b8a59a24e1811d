"""The readers: two generations of Docker, Docker with containerd's store, podman and Skopeo. Each is asked in turn."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs

from tests.differential.http import request, values
from tests.differential.outcome import Image, Outcome, Read, Refused, settings_of, short_names
from tests.differential.packing import Packing
from tests.support.consumers import docker, podman
from tests.support.consumers.adapters import Consumer, opened
from tests.support.consumers.base import QUICK, Prefix, call, daemon, scratch
from tests.support.consumers.docker import LOADED

DAEMONS = {
    "dockerd": "docker 20.10",
    "dockerd_trixie": "docker 26",
    "dockerd_trixie_containerd": "docker 26, containerd store",
    "podman": "podman",
}
"""The names of the readers, by the kind of consumer."""

SKOPEO_SIDES = ("docker-archive", "oci-archive")
NAMES = (*DAEMONS.values(), *(f"skopeo {side}" for side in SKOPEO_SIDES))
"""All readers."""

PODMAN = "/v4.0.0/libpod/images"
DOCKER_SIDE, OCI_SIDE = "manifest.json", "index.json"
_TRANSPORTS = {DOCKER_SIDE: "docker-archive", OCI_SIDE: "oci-archive"}


class Reader(Protocol):
    def sides(self, packing: Packing) -> tuple[str, ...]:
        """Which of the archive's two sides it reads, the first that it can."""

    def read(self, packing: Packing, path: Path) -> Outcome:
        """What it makes of the archive at `path`. Nothing of it is left afterwards."""


def _has(packing: Packing, name: str) -> bool:
    return packing.find(name) is not None


@attrs.frozen
class Docker:
    """The daemon's own interface. With containerd's store it reads OCI layouts, too."""

    socket: Path
    in_containerd: bool

    def sides(self, packing: Packing) -> tuple[str, ...]:
        if self.in_containerd and _has(packing, "oci-layout"):
            return (OCI_SIDE,)
        return (DOCKER_SIDE,)

    def read(self, packing: Packing, path: Path) -> Outcome:
        before = self._identities()
        loaded: list[str] = []
        try:
            status, body = request(self.socket, "POST", "/images/load?quiet=1", path.read_bytes())
            said = values(body) if body[:1] in (b"{", b"[") else [{"error": body.decode(errors="replace")}]
            text = "".join(str(each.get("stream", "")) for each in said)
            errors = [str(each.get("error") or each.get("message")) for each in said if not each.get("stream")]
            loaded += LOADED.findall(text)
            if status != 200 or errors or "Error unpacking image" in text:
                return Refused("; ".join([*errors, text.strip()]))
            if self.in_containerd:
                return Read(None) if self._keeps_short_names(packing) else self._seen(loaded)
            return self._seen(self._identities() - before)
        finally:
            for name in [*loaded, *(self._identities() - before)]:
                request(self.socket, "DELETE", f"/images/{name}?force=1")

    def _identities(self) -> set[str]:
        """All images. (With containerd's store one broken image makes this an error.)"""
        found = self._get("/images/json")
        return {each["Id"] for each in found} if isinstance(found, list) else set()

    def _keeps_short_names(self, packing: Packing) -> bool:
        """containerd's store takes names of OCI layouts as they are, and finds images by whole names only."""
        return OCI_SIDE in self.sides(packing) and b"io.containerd.image.name" not in (packing.find(OCI_SIDE) or b"")

    def _get(self, url: str) -> Any:
        """Nothing if the answer is no JSON, as for an image whose name is no part of an address."""
        try:
            return json.loads(request(self.socket, "GET", url)[1])
        except ValueError:
            return {}

    def _seen(self, loaded: Iterable[str]) -> Outcome:
        images = []
        for name in loaded:
            found = self._get(f"/images/{name}/json")
            if "Id" not in found:
                return Read(None) if self.in_containerd else Refused(f"inspect {name}: {found}")
            layers = tuple(found.get("RootFS", {}).get("Layers") or ())
            settings = settings_of(found.get("Config"))
            if self.in_containerd:
                images.append(Image(layers, None, settings, None))
            else:
                images.append(Image(layers, found["Id"], settings, short_names(found.get("RepoTags") or ())))
        return Read(tuple(images))


@attrs.frozen
class Podman:
    """podman's service. It tries an archive as an OCI layout first."""

    socket: Path

    def sides(self, packing: Packing) -> tuple[str, ...]:
        return tuple(name for name in (OCI_SIDE, DOCKER_SIDE) if _has(packing, name))

    def read(self, packing: Packing, path: Path) -> Outcome:
        status, body = request(self.socket, "POST", f"{PODMAN}/load", path.read_bytes())
        answer = values(body)[0]
        if status != 200:
            return Refused(of_sides(str(answer.get("cause")), self.sides(packing)))
        try:
            images = [self._image(name) for name in answer["Names"]]
            return Read(tuple(filter(None, images)) if all(images) else None)
        finally:
            for name in answer["Names"]:
                request(self.socket, "DELETE", f"{PODMAN}/{name}?force=true")

    def _image(self, name: str) -> Image | None:
        found = json.loads(request(self.socket, "GET", f"{PODMAN}/{name}/json")[1])
        if "Id" not in found:
            return None
        layers = tuple(found.get("RootFS", {}).get("Layers") or ())
        names = short_names(found.get("RepoTags") or ())
        return Image(layers, f"sha256:{found['Id']}", settings_of(found.get("Config")), names)


def of_sides(error: str, sides: Iterable[str]) -> str:
    """What podman says of the sides that the archive has: it tries every kind of archive, and lists all errors."""
    prefixes = tuple(f"{_TRANSPORTS[side]}:" for side in sides)
    lines = [line.strip(" *") for line in error.splitlines()]
    return "; ".join(line for line in lines if line.startswith(prefixes)) or error


@attrs.frozen
class Skopeo:
    """A copy of each image into a directory. `transport` is the side that it is asked to read."""

    directory: Path
    transport: str
    prefix: Prefix = ()

    def sides(self, packing: Packing) -> tuple[str, ...]:
        """An OCI archive of several images only if each has a name of its own."""
        if self.transport == "docker-archive":
            return (DOCKER_SIDE,)
        names = _entry_names(packing)
        return (OCI_SIDE,) if len(names) < 2 or len({*names} - {None}) == len(names) else ()

    def read(self, packing: Packing, path: Path) -> Outcome:
        images = []
        for source in self._sources(packing, path):
            with tempfile.TemporaryDirectory(dir=self.directory) as target:
                words: list[str | Path] = [
                    "skopeo",
                    "--insecure-policy",
                    "--tmpdir",
                    self.directory,
                    "copy",
                    "--quiet",
                    source,
                ]
                done = call([*self.prefix, *words, f"dir:{target}"], timeout=QUICK)
                if done.returncode:
                    return Refused(done.stderr.strip())
                try:
                    images.append(_copied(Path(target)))
                except (
                    KeyError,
                    TypeError,
                    AttributeError,
                    ValueError,
                    OSError,
                ):  # of a document that it does not read
                    return Read(None)
        return Read(tuple(images))

    def _sources(self, packing: Packing, path: Path) -> list[str]:
        """One for each image, where there are several."""
        plain = f"{self.transport}:{path}"
        if self.transport == "docker-archive":
            items = packing.json(DOCKER_SIDE)
            several = isinstance(items, list) and len(items) > 1
            return [f"{plain}:@{number}" for number in range(len(items))] if several else [plain]
        names = _entry_names(packing)
        return [f"{plain}:{name}" for name in names] if len(names) > 1 else [plain]


def _entry_names(packing: Packing) -> list[str | None]:
    """The name of each entry of `index.json`, as Skopeo reads it."""
    index = packing.json(OCI_SIDE)
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list):
        return []
    annotations = [each.get("annotations") if isinstance(each, dict) else None for each in entries]
    names = [each.get("org.opencontainers.image.ref.name") if isinstance(each, dict) else None for each in annotations]
    return [name if isinstance(name, str) else None for name in names]


def _copied(directory: Path) -> Image:
    """The image that Skopeo wrote. Its layers are compared by the diff IDs of their config."""
    manifest = json.loads((directory / "manifest.json").read_bytes())
    config = manifest["config"]["digest"]
    document = json.loads((directory / config.removeprefix("sha256:")).read_bytes())
    layers = tuple(map(str, document["rootfs"]["diff_ids"]))
    for layer in manifest["layers"]:
        name = layer["digest"].removeprefix("sha256:")
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == name
    return Image(layers, config, settings_of(document.get("config")), None)


def started(prefix: Prefix, names: Iterable[str], daemons: int, stack: ExitStack) -> dict[str, list[Reader]]:
    """So many daemons for each of the names, until the stack ends; `prefix` leads to the programs of Debian 13."""
    kinds = {name: kind for kind, name in DAEMONS.items()}
    skopeo = skopeos(stack.enter_context(scratch()))
    return {
        name: [
            skopeo[name] if name in skopeo else stack.enter_context(_daemon(kinds[name], prefix))
            for _ in range(daemons)
        ]
        for name in names
    }


@contextmanager
def _daemon(kind: str, prefix: Prefix) -> Iterator[Reader]:
    with opened(kind, prefix if "trixie" in kind else ()) as consumer, reader(consumer) as one:
        yield one


@contextmanager
def reader(consumer: Consumer) -> Iterator[Reader]:
    """A running daemon as a reader."""
    if isinstance(consumer, docker.Docker):
        yield Docker(consumer.directory / "s", consumer.contents is not None)
    elif isinstance(consumer, podman.Podman):
        socket = consumer.directory / "service"
        command = consumer.program("system", "service", "--time", "0", f"unix://{socket}")
        with daemon(command, consumer.directory, lambda: _answers(socket), env=consumer.env):
            yield Podman(socket)


def skopeos(directory: Path) -> dict[str, Reader]:
    """Skopeo, by each side that it can be asked to read."""
    return {f"skopeo {side}": Skopeo(directory, side) for side in SKOPEO_SIDES}


def _answers(socket: Path) -> bool:
    try:
        return request(socket, "GET", "/v4.0.0/libpod/_ping")[0] == 200
    except OSError:
        return False
