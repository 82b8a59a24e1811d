"""Every example in every consumer: loaded, known by its name and its ID, and run."""

from __future__ import annotations

import http.client
import json
import socket
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from ..examples import EXAMPLES, Example
from ..fixtures import Built
from .adapters import KINDS
from .base import Consumer

RUNNERS = ("dockerd", "podman", "containerd", "umoci")
COPIERS = ("skopeo", "registry")
LAYOUTS = {"universal": ("docker-archive", "oci-layout"), "classic": ("docker-archive",)}

Build = Callable[[str], Built]


def readable(kind: str, example: Example) -> bool:
    """umoci reads only OCI layouts, which the classic archive is not."""
    return kind != "umoci" or "oci-layout" in LAYOUTS[example.layout]


def pairs(kinds: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(kind, example.attribute) for kind in kinds for example in EXAMPLES if readable(kind, example)]


@pytest.fixture
def consumer(request: pytest.FixtureRequest) -> Consumer:
    found: Consumer = request.getfixturevalue(request.param)
    return found


def archive_config(archive: Path) -> bytes:
    with tarfile.open(archive) as members:
        stream = members.extractfile("manifest.json")
        assert stream
        config = members.extractfile(json.load(stream)[0]["Config"])
        assert config
        return config.read()


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def expected_name(kind: str, built: Built) -> str:
    """The name in the consumer's own spelling; umoci knows tags only, a registry has no name for itself."""
    spellings = {
        "dockerd": built.familiar,
        "umoci": built.tag,
        "registry": built.qualified.partition("/")[2],
    }
    return spellings.get(kind, built.qualified)


def told_name(kind: str, name: str) -> str:
    return name.rpartition(":")[2] if kind == "umoci" else name


@pytest.mark.parametrize(("consumer", "attribute"), pairs(RUNNERS), indirect=["consumer"])
def test_loaded_and_run(consumer: Consumer, attribute: str, build: Build, request: pytest.FixtureRequest) -> None:
    built = build(attribute)
    kind = request.node.callspec.params["consumer"]
    [name] = consumer.load(built.archive)
    assert told_name(kind, name) == expected_name(kind, built)
    assert consumer.config_digest(name) == digest(archive_config(built.archive))
    if built.example.port:
        with consumer.serve(name, built.example.port):
            answer = ask(built.example.port)
    else:
        done = consumer.run(name, built.example.command or None)
        assert done.returncode == 0, done.stderr
        answer = done.stdout
    assert all(text in answer for text in built.example.says), answer


@pytest.mark.parametrize(("consumer", "attribute"), pairs(COPIERS), indirect=["consumer"])
def test_copied(consumer: Consumer, attribute: str, build: Build, request: pytest.FixtureRequest) -> None:
    """Skopeo copies from the docker archive and, where there is one, from the OCI layout; a registry takes it."""
    built = build(attribute)
    kind = request.node.callspec.params["consumer"]
    [name] = consumer.load(built.archive)
    assert name == expected_name(kind, built)
    assert consumer.config_digest(name) == digest(archive_config(built.archive))


def ask(port: int) -> str:
    """What a service says: redis to a PING, anything else to a GET."""
    if port == 6390:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100).decode()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", "/")
    return client.getresponse().read().decode()


def test_every_consumer_is_covered() -> None:
    assert {*RUNNERS, *COPIERS} == set(KINDS)
