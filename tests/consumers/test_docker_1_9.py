"""`format = "docker-1.9"`: the loader of Docker up to 1.9, which 20.10 still has, takes it; so does everybody else."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builds import expression, nix_build
from tests.support.built_examples import Built
from tests.support.consumers.adapters import KINDS, Consumer
from tests.support.consumers.base import ConsumerError, check
from tests.support.consumers.docker import Docker
from tests.support.consumers.trial import check as check_example
from tests.support.replays import mesos
from tests.support.selection import first_of_family, thorough

Build = Callable[[str], Built]


@pytest.fixture(scope="session")
def archive() -> Path:
    return nix_build(*expression('lamina.buildImage (lamina.examples.hello.buildArgs // { format = "docker-1.9"; })'))


def without_manifest(archive: Path, target: Path) -> Path:
    """As Docker up to 1.9 sees it: later ones read `repositories` only where there is no `manifest.json`."""
    with tarfile.open(archive) as source, tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as copy:
        for info in source:
            if info.name != "manifest.json":
                copy.addfile(info, source.extractfile(info) if info.isreg() else None)
    return target


def images(dockerd: Docker) -> set[str]:
    return set(check(dockerd.docker("images", "--all", "--quiet", "--no-trunc")).split())


def test_the_loader_of_docker_1_9(dockerd: Docker, archive: Path, tmp_path: Path) -> None:
    before = images(dockerd)
    # This loader prints nothing.
    assert dockerd.load(without_manifest(archive, tmp_path / "it.tar")) == []
    assert dockerd.run("hello:latest").stdout == "Hello, world!\n"
    assert len(images(dockerd) - before) == 1, "blobs/ became no image"
    dockerd.remove("hello:latest")


def test_it_does_not_take_the_universal_archive(dockerd: Docker, build: Build, tmp_path: Path) -> None:
    with pytest.raises(ConsumerError, match=r"blobs/json: no such file"):
        dockerd.load(without_manifest(build("hello").archive, tmp_path / "it.tar"))


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if first_of_family(kind) else thorough) for kind in KINDS]
)
def test_everybody_else(request: pytest.FixtureRequest, kind: str, archive: Path, build: Build) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    check_example(kind, consumer, build("hello"), archive)


@pytest.mark.parametrize("backend", ["copy", "overlay"])
def test_mesos(backend: mesos.Backend, archive: Path, tmp_path: Path) -> None:
    pulled = mesos.pull(archive, "hello:latest", tmp_path, backend)
    assert len(pulled.layers) == len(pulled.ids) > 0
