"""One example in one consumer: loaded, known by its name and its ID, and run."""

from __future__ import annotations

import http.client
import json
import socket
from hashlib import sha256
from pathlib import Path

from tests.support.built_examples import Built
from tests.support.consumers.adapters import KINDS, Consumer
from tests.support.consumers.skopeo import opened_tar


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
