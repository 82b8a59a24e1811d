"""The clients of the daemons that `lamina load` can load images into."""

from __future__ import annotations

from collections.abc import Callable

from lamina.media.clients.client import Client
from lamina.media.clients.containerd import Containerd
from lamina.media.clients.docker import Docker
from lamina.media.clients.podman import Podman

CLIENTS: dict[str, Callable[[], Client]] = {"docker": Docker, "podman": Podman, "containerd": Containerd}
"""By the name of the daemon. A client sends its first questions to the daemon when it is made."""
