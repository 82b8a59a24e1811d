"""A replay of how a Mesos agent gets an image from a local archive.

The agent's `docker_registry` is a directory of `<image>.tar`. What follows is the way of one image
through src/slave/containerizer/mesos/provisioner/docker/image_tar_puller.cpp, then store.cpp beside
it, then runtime.cpp of the isolators/docker directory; the backends are in `backends.py`.

Mesos reads nothing but `repositories`, `<id>/json` and `<id>/layer.tar`, checks no digest, and
extracts with the machine's own tar.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.support.replays import backends, v1manifest
from tests.support.replays.backends import Backend as Backend
from tests.support.replays.errors import MesosError

TIMEOUT = 300


@frozen
class Reference:
    """An image reference as src/docker/spec.cpp splits it."""

    repository: str
    registry: str | None = None
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        if self.digest:
            return f"{name}@{self.digest}"
        return f"{name}:{self.tag}" if self.tag else name


@frozen
class Pulled:
    """An image in the store: layer ids and their root file systems, bottom first, and the top's manifest."""

    reference: Reference
    backend: Backend
    ids: tuple[str, ...]
    layers: tuple[Path, ...]
    manifest: v1manifest.Manifest

    @property
    def command(self) -> tuple[str, ...]:
        """What runs when the task gives no command: getLaunchCommand in isolators/docker/runtime.cpp."""
        config = self.manifest.config
        words = (*config.entrypoint, *config.cmd) if config else ()
        if not words:
            raise MesosError("No executable is found")
        return words

    @property
    def environment(self) -> dict[str, str]:
        """getLaunchEnvironment in isolators/docker/runtime.cpp: an entry without `=` is passed over."""
        entries = self.manifest.config.env if self.manifest.config else ()
        return {name: value for name, equals, value in (entry.partition("=") for entry in entries) if equals}


def parse_reference(text: str) -> Reference:
    """parseImageReference in src/docker/spec.cpp."""
    name, *digests = text.split("@")
    if len(digests) > 1:
        raise MesosError(f"Multiple '@' symbols found in '{text}'")
    digest = digests[0] if digests else None
    tag = None
    # A colon before the last slash belongs to the registry's port.
    before, colon, after = name.rpartition(":")
    if digest is None and colon and "/" not in after:
        name, tag = before, after
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Reference(rest, first, tag, digest)
    return Reference(name, None, tag, digest)


def archive_path(docker_registry: Path, reference: Reference) -> Path:
    """getImageArchiveTarPath in docker/paths.cpp: the slashes of the name are directories."""
    return docker_registry / f"{reference}.tar"


def pull(
    archive: Path, reference: str | Reference, store: Path, backend: Backend, workers: int | None = None
) -> Pulled:
    """StoreProcess::_get and __get in store.cpp: stage, extract, move into the store, read the manifest.

    Mesos extracts all layers at once. `workers=1` is one of the orders in which that may happen to
    end, bottom layer first, and makes a race that harms the archive certain.
    """
    wanted = parse_reference(reference) if isinstance(reference, str) else reference
    if not archive.exists():
        raise MesosError(f"Failed to find archive for image '{wanted}' at '{archive}'")
    staging_root = store / "staging"
    staging_root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=staging_root))
    try:
        untar(archive, staging)
        ids = chain(staging, top_id(staging, wanted))
        extract(staging, ids, store, backend, workers)
        for layer_id in ids:
            move(staging, layer_id, store, backend)
    finally:
        shutil.rmtree(staging)
    return stored(wanted, tuple(ids), store, backend)


def stored(reference: Reference, ids: tuple[str, ...], store: Path, backend: Backend) -> Pulled:
    """StoreProcess::__get, then what DockerRuntimeIsolatorProcess::prepare insists on."""
    manifest = v1manifest.parse(read(layer_directory(store, ids[-1]) / "json", "manifest"))
    if manifest.config is None:
        # There it is a CHECK on has_config(), and the whole agent aborts.
        raise MesosError(f"the agent aborts: the json of layer '{ids[-1]}' has no config object")
    layers = tuple(layer_directory(store, layer_id) / backends.rootfs_name(backend) for layer_id in ids)
    return Pulled(reference, backend, ids, layers, manifest)


def top_id(staging: Path, reference: Reference) -> str:
    """The first half of ImageTarPullerProcess::_pull: `repositories` to the id of the top layer."""
    table = json_object(read(staging / "repositories", "'repositories'"), "'repositories'")
    tags = table.get(reference.repository)
    if reference.repository not in table and reference.registry:
        tags = table.get(f"{reference.registry}/{reference.repository}")
    if tags is None:
        raise MesosError(f"Repository '{reference.repository}' does not exist in 'repositories'")
    if not isinstance(tags, dict):
        raise MesosError(f"Failed to find repository '{reference.repository}' in 'repositories'")
    tag = reference.tag or "latest"
    if tag not in tags:
        raise MesosError(f"Layer id '{tag}' is not found")
    if not isinstance(tags[tag], str):
        raise MesosError(f"Failed to access layer id '{tag}'")
    top: str = tags[tag]
    return top


def chain(staging: Path, top: str) -> list[str]:
    """The loop over getParentLayerId; ids bottom first. Mesos has no end to a cycle, the replay says so."""
    ids = [top]
    while above := parent_of(staging, ids[0]):
        if above in ids:
            raise MesosError(f"the puller never ends: the parents of layer '{top}' lead back to '{above}'")
        ids.insert(0, above)
    return ids


def parent_of(staging: Path, layer_id: str) -> str | None:
    """ImageTarPullerProcess::getParentLayerId. The `id` in the json is not looked at."""
    path = staging / layer_id / "json"
    what = f"manifest from '{path}'"
    parent = json_object(read(path, what), what).get("parent")
    if parent is not None and not isinstance(parent, str):
        raise MesosError(f"Unexpected 'parent' type in {what}")
    return parent or None


def extract(staging: Path, ids: list[str], store: Path, backend: Backend, workers: int | None) -> None:
    """ImageTarPullerProcess::extractLayers: all that the store lacks, at once."""
    name = backends.rootfs_name(backend)
    missing = [layer_id for layer_id in ids if not (layer_directory(store, layer_id) / name).exists()]
    with ThreadPoolExecutor(workers or max(len(missing), 1)) as pool:
        list(pool.map(lambda layer_id: extract_layer(staging / layer_id, name), missing))


def extract_layer(layer: Path, rootfs_name: str) -> None:
    """ImageTarPullerProcess::extractLayer. Where layer.tar is a link, the link alone is removed."""
    rootfs = layer / rootfs_name
    rootfs.mkdir(parents=True, exist_ok=True)
    archive = layer / "layer.tar"
    untar(archive, rootfs)
    try:
        archive.unlink()
    except OSError as error:
        raise MesosError(f"Failed to remove '{archive}' after extraction: {error.strerror}") from None


def move(staging: Path, layer_id: str, store: Path, backend: Backend) -> None:
    """StoreProcess::moveLayer: an id that the store has is never replaced, whatever its content."""
    source, target = staging / layer_id, layer_directory(store, layer_id)
    name = backends.rootfs_name(backend)
    if not source.exists() or (target / name).exists():
        return
    if backend == "overlay":
        backends.convert_whiteouts(source / name)
    if target.exists():
        # Pulled before for another backend: that one's json stays.
        (source / name).rename(target / name)
        return
    target.mkdir(parents=True)
    source.rename(target)


@contextmanager
def provision(pulled: Pulled, directory: Path) -> Iterator[Path]:
    """The image's root file system below `directory`, by the backend it was pulled for; gone afterwards."""
    directory.mkdir(parents=True, exist_ok=True)
    with backends.provisioned(pulled.backend, pulled.layers, directory) as rootfs:
        yield rootfs


def layer_directory(store: Path, layer_id: str) -> Path:
    """getImageLayerPath in docker/paths.cpp."""
    return store / "layers" / layer_id


def untar(archive: Path, directory: Path) -> None:
    """command::untar in src/common/command_utils.cpp: tar alone finds the compression, if there is any."""
    argv = ["tar", "-x", "-f", str(archive), "-C", str(directory)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
    if done.returncode:
        raise MesosError(f"Failed to execute 'tar -x' on '{archive}': {done.stderr.strip()}")


def read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MesosError(f"Failed to read {what}: {error.strerror}") from None


def json_object(data: bytes, what: str) -> dict[str, Any]:
    try:
        return v1manifest.strict_json(data)
    except ValueError as error:
        raise MesosError(f"Failed to parse {what}: {error}") from None
