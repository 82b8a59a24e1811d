"""Every example in every consumer: loaded, known by its name and its ID, and run."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from ..builds import expression, nix_build
from ..fixtures import Built
from .adapters import KINDS, Consumer, ConsumerError
from .matrix import Case, pairs, refusal
from .skopeo import opened_tar

Build = Callable[[str], Built]
PAIRS = tuple(pairs())


@pytest.fixture
def consumer(request: pytest.FixtureRequest) -> Consumer:
    found: Consumer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def compressed() -> Callable[[Case], Path]:
    """An example's archive, compressed as a whole."""
    done: dict[Case, Path] = {}

    def built(case: Case) -> Path:
        if case not in done:
            arguments = f'lamina.examples.{case.example.attribute}.buildArgs // {{ compressor = "{case.compressor}"; }}'
            done[case] = nix_build(*expression(f"lamina.buildImage ({arguments})"))
        return done[case]

    return built


@pytest.mark.parametrize(
    ("consumer", "kind", "case"),
    [pytest.param(kind, kind, case, id=f"{kind}-{case.title}") for kind, case in PAIRS],
    indirect=["consumer"],
)
def test_example(
    consumer: Consumer,
    kind: str,
    case: Case,
    build: Build,
    compressed: Callable[[Case], Path],
    record_property: Callable[[str, object], None],
) -> None:
    built = build(case.example.attribute)
    archive = built.archive if case.compressor == "none" else compressed(case)
    if refused := refusal(kind, case):
        with pytest.raises(ConsumerError, match=refused.says):
            consumer.load(archive)
    else:
        check(kind, consumer, built, archive)
    for key, value in (("kind", kind), ("case", case.title), ("version", consumer.version())):
        record_property(key, value)


def check(kind: str, consumer: Consumer, built: Built, archive: Path) -> None:
    [name] = consumer.load(archive)
    assert KINDS[kind].reported(name) == KINDS[kind].spelling(built.qualified)
    assert consumer.config_digest(name) == digest(archive_config(archive))
    if KINDS[kind].runs:
        said = answer(consumer, name, built)
        assert all(text in said for text in built.example.says), said


def archive_config(archive: Path) -> bytes:
    with opened_tar(archive) as members:
        stream = members.extractfile("manifest.json")
        assert stream
        config = members.extractfile(json.load(stream)[0]["Config"])
        assert config
        return config.read()


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def answer(consumer: Consumer, name: str, built: Built) -> str:
    """What the image prints, or what the service in it answers."""
    if built.example.port:
        with consumer.serve(name, built.example.port):
            return ask(built.example.port)
    done = consumer.run(name, built.example.command or None)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(port: int) -> str:
    """What a service says: redis to a PING, anything else to a GET."""
    if port == 6390:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100).decode()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", "/")
    return client.getresponse().read().decode()
