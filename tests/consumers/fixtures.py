"""One running consumer of each kind for the whole session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import cast

import pytest

from .adapters import KINDS, Consumer, opened
from .base import SYSTEM_PATH
from .containerd import Containerd
from .docker import Docker
from .podman import Podman
from .registry import Registry
from .skopeo import Skopeo
from .umoci import Umoci


def need(program: str, package: str) -> None:
    """Skip without the program, saying how to get it; under CI=true its absence is a failure."""
    if shutil.which(program, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}"):
        return
    reason = f"no {program} here: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def running(kind: str) -> Iterator[Consumer]:
    if os.geteuid():
        pytest.skip("container programs need root here: run the tests as root")
    for program, package in KINDS[kind].programs.items():
        need(program, package)
    with opened(kind) as consumer:
        yield consumer


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Docker]:
    yield from cast(Iterator[Docker], running("dockerd"))


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    yield from cast(Iterator[Podman], running("podman"))


@pytest.fixture(scope="session")
def containerd() -> Iterator[Containerd]:
    yield from cast(Iterator[Containerd], running("containerd"))


@pytest.fixture(scope="session")
def skopeo() -> Iterator[Skopeo]:
    yield from cast(Iterator[Skopeo], running("skopeo"))


@pytest.fixture(scope="session")
def umoci() -> Iterator[Umoci]:
    yield from cast(Iterator[Umoci], running("umoci"))


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    yield from cast(Iterator[Registry], running("registry"))
