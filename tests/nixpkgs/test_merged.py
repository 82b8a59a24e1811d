"""Several images in one archive."""

from __future__ import annotations

import socket

import pytest

from tests.nixpkgs.conftest import Examples


def ping(port: int) -> bytes:
    """What redis answers to a PING."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(100)


@pytest.mark.parametrize(
    ("example", "others"),
    [
        ("mergedBashAndRedis", ["bash"]),
        ("mergedBashNoTagAndRedis", ["bashNoTag"]),
        ("mergeVaryingCompressor", ["bashUncompressed", "bashZstdCompressed"]),
    ],
)
def test_all_of_them_are_loaded_and_run(examples: Examples, example: str, others: list[str]) -> None:
    names = examples.names(example)
    assert sorted(names) == sorted([*(examples.name(other) for other in others), "redis:latest"])
    for name in names:
        program = "/bin/redis-server" if name.startswith("redis:") else "/bin/bash"
        assert examples.run_name(name, program, "--version")


def test_redis(examples: Examples) -> None:
    with examples.docker.serve(examples.name("redis"), 6379):
        assert ping(6379) == b"+PONG\r\n"


def test_owners_stay(examples: Examples) -> None:
    scripted, bash = sorted(examples.names("mergedBashFakeRoot"), reverse=True)
    assert bash == "bash:latest"
    assert examples.run_name(scripted, "stat", "-c", "%u:%g", "/home/alice") == "1000:1000\n"
