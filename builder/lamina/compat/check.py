"""The form of a compatibility check and of its findings, and the consumers that checks protect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from lamina.compat.facts import Facts

CONSUMERS = {
    "docker": "Docker 1.10 and later, classic store",
    "docker-containerd": "Docker that keeps images in containerd",
    "docker-1.9": "Docker up to 1.9",
    "docker-spec": "tools written to Docker's image specification v1.2",
    "podman": "podman load",
    "buildah": "buildah, and CRI-O",
    "skopeo": "Skopeo, docker-archive: and oci-archive:",
    "containerd": "ctr, nerdctl, k3s, RKE2",
    "kind": "kind load image-archive, kind build node-image",
    "mesos": "Mesos' local puller",
    "umoci": "umoci, on the archive unpacked",
    "oras": "oras",
    "buildkit": "BuildKit's oci-layout, on the archive unpacked",
    "apptainer": "Apptainer 1.3 and later",
    "crane": "go-containerregistry: crane, ko, minikube",
    "trivy": "Trivy",
    "syft": "Syft and Grype, docker-archive: and oci-archive:",
    "dive": "dive",
}
"""Descriptions by name. A consumer is a program that reads archives."""

BY_NAME_ONLY = frozenset({"docker-1.9"})
"""Not part of `all`: it needs files that no other reader needs (docs/design/archive.md, "Docker up to 1.9")."""

ALL = tuple(name for name in CONSUMERS if name not in BY_NAME_ONLY)

Fault = tuple[str, str]
"""(where in the archive, what is wrong there)."""


@attrs.frozen
class Check:
    """A check: `id` does not change, `sentence` says what must hold, and `source` is the evidence for it.

    `run` returns each place where it does not hold. `needs` are checks whose failure implies a failure of this one,
    which is then left out, so that a fault is reported once.
    """

    id: str
    sentence: str
    protects: tuple[str, ...]
    source: str
    run: Callable[[Facts], Iterator[Fault]]
    needs: tuple[str, ...] = ()


@attrs.frozen
class Finding:
    """A failed check: its first place, the number of further places, and the requested consumers that it hurts."""

    check: str
    where: str
    what: str
    more: int
    hurts: tuple[str, ...]

    def __str__(self) -> str:
        more = f" (and {self.more} more)" if self.more else ""
        return f"{self.check}: {self.where}: {self.what}{more}; hurts {', '.join(self.hurts)}"
