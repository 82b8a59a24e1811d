"""All consumers by name: how each is started, and which Debian packages it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from attrs import frozen

from . import containerd, docker, podman, registry, skopeo, umoci
from .base import Completed, Consumer, ConsumerError, Prefix, UnsupportedError, scratch

__all__ = ["KINDS", "Completed", "Consumer", "ConsumerError", "Kind", "UnsupportedError", "opened"]


class Start(Protocol):
    def __call__(self, directory: Path, prefix: Prefix = ()) -> AbstractContextManager[Consumer]: ...


@frozen
class Kind:
    """`programs` maps each program that must be there to the package that has it."""

    start: Start
    programs: Mapping[str, str]


KINDS: Mapping[str, Kind] = {
    "dockerd": Kind(
        docker.started,
        {"dockerd": "docker.io", "docker": "docker.io", "containerd": "containerd", "runc": "runc"},
    ),
    "podman": Kind(podman.started, {"podman": "podman", "runc": "runc"}),
    "containerd": Kind(containerd.started, {"containerd": "containerd", "ctr": "containerd", "runc": "runc"}),
    "skopeo": Kind(skopeo.started, {"skopeo": "skopeo"}),
    "umoci": Kind(umoci.started, {"umoci": "umoci", "runc": "runc"}),
    "registry": Kind(registry.started, {"docker-registry": "docker-registry", "skopeo": "skopeo"}),
}


@contextmanager
def opened(kind: str, prefix: Prefix = ()) -> Iterator[Consumer]:
    """One consumer in a directory of its own; stopped and swept away at the end."""
    with scratch(prefix) as directory, KINDS[kind].start(directory, prefix) as consumer:
        yield consumer
