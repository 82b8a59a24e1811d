"""Edges of layers in every consumer that unpacks: what edges.py says is there is what a container sees."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.builds import ROOT
from tests.support.consumers import edges
from tests.support.consumers.adapters import RUNNERS, Consumer, ConsumerError
from tests.support.consumers.base import HEAVY, check, unique
from tests.support.consumers.scanners import Scanner, scanned
from tests.support.consumers.umoci import Umoci
from tests.support.needs import absent, need
from tests.support.selection import first_of_family, group, thorough

PAGE = ROOT / "docs/use/edges.md"


@frozen
class Seen:
    """The small image in one consumer."""

    facts: dict[bytes, edges.Fact]
    capabilities: dict[str, list[bytes]]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """One of edges.IMAGES, built once in the session."""
    done: dict[str, Path] = {}

    def built(image: str) -> Path:
        if image not in done:
            done[image] = edges.IMAGES[image](tmp_path_factory.mktemp("e"))
        return done[image]

    return built


@pytest.fixture(scope="session")
def seen(request: pytest.FixtureRequest, archive: Callable[[str], Path]) -> Callable[[str], Seen]:
    done: dict[str, Seen] = {}

    def looked(kind: str) -> Seen:
        if kind not in done:
            done[kind] = look(request.getfixturevalue(kind), archive("small"))
        return done[kind]

    return looked


def look(consumer: Consumer, archive: Path) -> Seen:
    [name] = consumer.load(archive)
    ran = consumer.run(name, edges.LISTING)
    assert ran.returncode == 0, ran.stderr
    paths = [path for case in edges.CASES for path in case.capabilities]
    return Seen(edges.listed(ran.stdout), {path: capabilities(consumer, name, path) for path in paths})


def capabilities(consumer: Consumer, name: str, path: str) -> list[bytes]:
    """The attribute wherever the consumer has unpacked the file: containers are seldom allowed to read it."""
    top: Path = consumer.directory  # type: ignore[attr-defined]
    bundle = unique("caps")
    if isinstance(consumer, Umoci):
        consumer.bundle(name, bundle, [], host_network=False)
    # A daemon takes other things away meanwhile, and then find says so by its status.
    found = subprocess.run(["find", top, "-path", f"*/{path}"], capture_output=True, check=False, timeout=60).stdout
    values = []
    try:
        for file in found.split():
            with contextlib.suppress(FileNotFoundError):
                values.append(os.getxattr(file, edges.CAPABILITY))
        return values
    finally:
        if isinstance(consumer, Umoci):
            consumer.destroy(bundle)


@pytest.mark.parametrize("case", edges.CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("kind", RUNNERS)
def test_small(kind: str, case: edges.Case, seen: Callable[[str], Seen]) -> None:
    found = seen(kind)
    assert {path: found.facts.get(path) for path in case.files} == case.files
    for path in case.capabilities:
        assert set(found.capabilities[path]) == {edges.NET_BIND_SERVICE}


@pytest.mark.parametrize("image", edges.PATHS)
@pytest.mark.parametrize("kind", RUNNERS)
def test_path(kind: str, image: str, request: pytest.FixtureRequest, archive: Callable[[str], Path]) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    if name := loaded(kind, image, consumer, archive(image)):
        ran = consumer.run(name, ["/bin/sh", "-c", "find /deep -type f | wc -c"])
        assert ran.stdout.split() == [str(len("/") + edges.PATHS[image] + len("\n"))], ran.stderr


STACKED = [
    pytest.param(kind, image, marks=() if first_of_family(kind) else thorough)
    for kind in RUNNERS
    for image in edges.STACKS
    if image == "127 layers" or edges.refusal(kind, "127 layers")
]


@pytest.mark.parametrize(("kind", "image"), STACKED)
def test_layers(kind: str, image: str, request: pytest.FixtureRequest, archive: Callable[[str], Path]) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    if name := loaded(kind, image, consumer, archive(image)):
        ran = consumer.run(name, ["/bin/sh", "-c", "ls /layers | wc -l"])
        assert ran.stdout.split() == [str(edges.STACKS[image] - 1)], ran.stderr


def loaded(kind: str, image: str, consumer: Consumer, archive: Path) -> str | None:
    """The name; None where the consumer refuses, as it is expected to."""
    if refused := edges.refusal(kind, image):
        with pytest.raises(ConsumerError, match=refused.says):
            unpacked(consumer, archive)
        return None
    return unpacked(consumer, archive)


def unpacked(consumer: Consumer, archive: Path) -> str:
    """The name, once all layers are unpacked: umoci does that when something is run."""
    [name] = consumer.load(archive)
    if isinstance(consumer, Umoci):
        consumer.run(name, ["/bin/true"])
    return name


@contextlib.contextmanager
def held(consumer: Consumer, archive: Path) -> Iterator[str]:
    """An image that takes much room, for as long as it is looked at."""
    [name] = consumer.load(archive)
    try:
        yield name
    finally:
        consumer.remove(name)


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        *((kind, "20,000 files") for kind in RUNNERS if first_of_family(kind)),
        *(pytest.param(kind, "200,000 files", marks=thorough) for kind in RUNNERS),
    ],
)
def test_many_files(kind: str, image: str, request: pytest.FixtureRequest, archive: Callable[[str], Path]) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    with held(consumer, archive(image)) as name:
        ran = consumer.run(name, ["/bin/sh", "-c", "find /many -type f | wc -l"], timeout=HEAVY)
    assert ran.stdout.split() == [str(edges.MANY[image])], ran.stderr


CHEAPEST = "umoci_trixie"
"""It writes the fewest copies of the file of 9 GiB, and hashes it with the processor's instructions."""


@pytest.mark.xdist_group(group(Path(__file__), CHEAPEST))
def test_the_header_of_a_big_file_in_the_archive(archive: Callable[[str], Path]) -> None:
    """Go's reader of tars is that of Docker, podman, containerd and Skopeo; it finds all layers of the archive."""
    need("skopeo", "skopeo")
    described = json.loads(check(["skopeo", "inspect", "--raw", f"docker-archive:{big_file(archive)}"]))
    assert max(layer["size"] for layer in described["layers"]) > edges.BIG


def big_file(archive: Callable[[str], Path]) -> Path:
    if shutil.disk_usage(tempfile.gettempdir()).free < edges.ROOM:
        absent(f"{tempfile.gettempdir()} has less than {edges.ROOM >> 30} GiB free: make room, or set TMPDIR")
    return archive(edges.LARGE)


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind == CHEAPEST else thorough) for kind in RUNNERS])
def test_big_file(kind: str, request: pytest.FixtureRequest, archive: Callable[[str], Path]) -> None:
    """What lies behind it in the layer is found where it is."""
    consumer: Consumer = request.getfixturevalue(kind)
    with held(consumer, big_file(archive)) as name:
        ran = consumer.run(name, ["/bin/sh", "-c", "stat -c %s /big; ls /later"], timeout=HEAVY)
    assert ran.stdout.split() == [str(edges.BIG), "file"], ran.stderr


@thorough
def test_syft_looks_into_a_docker_archive(syft: Scanner, archive: Callable[[str], Path], tmp_path: Path) -> None:
    """It does so where it may choose; the same file as an OCI archive is too large for it."""
    assert syft.load(archive(edges.LARGE)) == ["docker.io/library/edges-big:1"]
    with pytest.raises(ConsumerError, match=edges.TWO_GIB.says):
        scanned(f"oci-archive:{archive(edges.LARGE)}", tmp_path)


def test_size_of_a_big_file(tmp_path: Path) -> None:
    layer = edges.big_layer(tmp_path)
    listed = subprocess.run(["tar", "-tvf", layer], capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(rf"-r--r--r-- 0/0 +{edges.BIG} \S+ \S+ big\n", listed.stdout), listed.stdout
    assert not listed.stderr
    with tarfile.open(layer) as members:
        assert [(info.name, info.size) for info in members] == [("big", edges.BIG)]


def test_page() -> None:
    """docs/use/edges.md has a line for each case, and gives every reason for which a consumer refuses one."""
    text = PAGE.read_text()
    listed = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:]
    images = [name for name in edges.IMAGES if name != "small"]
    assert listed == [*(case.name for case in edges.CASES), *images]
    for refused in edges.REFUSALS:
        assert f"{refused.reason} ({refused.source})" in " ".join(text.split()), refused.reason
