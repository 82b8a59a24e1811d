"""What `lamina diff` says of a pull is what a registry then sends to a client that has the old image."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import Piece, tar_of
from tests.support.builds import COMMAND, environment
from tests.support.consumers.base import check, unique
from tests.support.consumers.registry import Registry
from tests.support.recipes import archive_of, recipe, tar_layer


class Counter:
    """Forwards connections to a port, and counts the bytes that come back."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.received = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self.forward, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self.forward, args=(server, client, True), daemon=True).start()

    def forward(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.received += len(data) if counts else 0
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def counting(port: int) -> Iterator[Counter]:
    counter = Counter(port)
    thread = threading.Thread(target=counter.serve, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        counter.listener.shutdown(socket.SHUT_RDWR)
        counter.listener.close()
        thread.join(10)


def layer(path: Path, seed: int, size: int) -> Path:
    """A layer that compresses to about half."""
    data = random.Random(seed).randbytes(size // 2)
    path.write_bytes(tar_of([Piece(f"file-{seed}", data + bytes(size // 2))]))
    return path


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two images with a layer in common."""
    directory = tmp_path_factory.mktemp("images")
    layers = [tar_layer(layer(directory / f"{seed}.tar", seed, 2_000_000)) for seed in range(3)]
    old = archive_of(recipe(layers[0], layers[1], config={"Env": ["A=1"]}), directory / "old.tar")
    return old, archive_of(recipe(layers[0], layers[2], config={"Env": ["A=2"]}), directory / "new.tar")


@pytest.mark.parametrize("form", ["compressed by Skopeo", "as Lamina writes it"])
def test_bytes_of_a_pull(registry: Registry, archives: tuple[Path, Path], form: str, tmp_path: Path) -> None:
    names = [f"{unique('pull')}:{tag}" for tag in ("old", "new")]
    kept = ["--preserve-digests"] if form == "as Lamina writes it" else []
    transport = "oci-archive" if kept else "docker-archive"
    with counting(registry.port) as counter:
        for archive, name in zip(archives, names, strict=True):
            target = f"docker://{registry.address}/{name}"
            push = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", *kept]
            check([*push, f"{transport}:{archive}", target])
        references = [f"docker://{counter.address}/{name}" for name in names]
        words: list[str | Path] = [COMMAND, "diff", *references, "--no-tls-verify", "--json"]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)["update"]
        pull = [
            "skopeo",
            "--insecure-policy",
            "copy",
            "--src-tls-verify=false",
            "--dest-oci-accept-uncompressed-layers",
        ]
        for reference in references:
            counter.received = 0
            check([*pull, reference, f"oci:{tmp_path / 'layout'}:{reference.rpartition(':')[2]}"])
    assert shown["newLayers"] == 1
    assert shown["compressed"] is (not kept)
    assert shown["pull"] == pytest.approx(counter.received, rel=0.01)
    assert shown["pull"] > 900_000
