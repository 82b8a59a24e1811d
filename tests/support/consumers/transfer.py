"""What a daemon does with a registry that has no TLS: it pulls from it, or pushes to it."""

from __future__ import annotations

from typing import Literal

from tests.support.consumers.base import HEAVY, Consumer, check
from tests.support.consumers.containerd import Containerd
from tests.support.consumers.docker import Docker
from tests.support.consumers.podman import Podman


def pull(consumer: Consumer, name: str) -> None:
    _transfer(consumer, "pull", name)


def push(consumer: Consumer, name: str) -> None:
    _transfer(consumer, "push", name)


def _transfer(consumer: Consumer, verb: Literal["pull", "push"], name: str) -> None:
    if isinstance(consumer, Docker):
        check(consumer.docker(verb, name), timeout=HEAVY)
    elif isinstance(consumer, Podman):
        consumer.check(verb, "--tls-verify=false", name, timeout=HEAVY)
    elif isinstance(consumer, Containerd):
        check(consumer.ctr("images", verb, "--plain-http", name), timeout=HEAVY)
    else:
        raise TypeError(f"{type(consumer).__name__} knows no registries")
