"""The clients of the daemons that `lamina load` can load images into."""

from __future__ import annotations

from collections.abc import Callable

from lamina.media.clients.client import Client
from lamina.media.clients.containerd import Containerd
from lamina.media.clients.docker import Docker
from lamina.media.clients.podman import Podman

CLIENTS: dict[str, Callable[[], Client]] = {"docker": Docker, "podman": Podman, "containerd": Containerd}
"""The clients by the name of the daemon. A client starts its first queries when it is created."""
