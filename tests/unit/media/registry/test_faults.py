"""A registry goes on, and sends no wrong byte as a whole layer, whatever happens to clients and files."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from lamina.data.blob import Bytes
from lamina.media.registry import server
from lamina.media.registry.repositories import Repository, ServedBlob
from lamina.oci.digest import Digest
from tests.support.fixtures import Command
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.served import (
    LARGE,
    Client,
    Served,
    certificate,
    content_of,
    layers_of,
    process_of,
    served,
    top_manifest,
)
from tests.support.trees import Store

NAME = "library/app"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The server's library prints nothing: no traceback."""
    yield
    assert not caplog.records


@pytest.fixture
def registry(store: Store, tmp_path: Path) -> Iterator[Served]:
    with served(content_of(store, tmp_path, "app:1")) as running:
        yield running


def largest(registry: Served) -> tuple[Digest, int]:
    layer = max(layers_of(top_manifest(registry.content)[1]), key=lambda item: int(item["size"]))
    return Digest(layer["digest"]), int(layer["size"])


def path_of(digest: str) -> str:
    return f"/v2/{NAME}/blobs/{digest}"


def is_whole(client: Client, digest: str) -> bool:
    response = client("GET", path_of(digest))
    return response.status == 200 and f"sha256:{sha256(response.body).hexdigest()}" == digest


def test_a_client_that_goes_away(registry: Served) -> None:
    digest, _ = largest(registry)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", registry.client.port), 10) as connection:
            connection.sendall(f"GET {path_of(digest)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(10)
    assert is_whole(registry.client, digest) and not registry.errors


def test_a_client_that_sends_half_a_request(registry: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is disconnected after a time, and meanwhile others are served."""
    monkeypatch.setattr(server, "STALLED", 1)
    digest, _ = largest(registry)
    for start in (b"", b"GET /v2/ HTTP/1.1\r\nHost:"):
        with socket.create_connection(("127.0.0.1", registry.client.port), 10) as connection:
            connection.sendall(start)
            assert is_whole(registry.client, digest)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""


def test_a_client_that_takes_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends, so that the client does not hold a file open for ever."""
    monkeypatch.setattr(server, "STALLED", 1)
    content = content_of(store, tmp_path, "app:1")
    data = bytes(50 << 20)
    digest = Digest(f"sha256:{sha256(data).hexdigest()}")
    repository = Repository({}, {}, {digest: ServedBlob(digest, len(data), Bytes(data), "zeros")})
    with served(content, {NAME: repository}) as registry, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", registry.client.port))
        connection.sendall(f"GET {path_of(digest)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(100)
        threading.Event().wait(2.5)
        total = 0
        with pytest.raises(ConnectionResetError):
            while chunk := connection.recv(1 << 20):
                total += len(chunk)
            raise ConnectionResetError  # the end of the data, which is not all
        assert total < len(data)


@pytest.mark.parametrize(
    "request_line",
    [b"GET", b"GET /v2/ HTTP/9.9", b"\x00\x01\x02", b"GET " + b"/a" * 9000 + b" HTTP/1.1", b"G\xffT / HTTP/1.1"],
)
def test_what_is_no_request(registry: Served, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", registry.client.port), 10) as connection:
        connection.sendall(request_line + b"\r\n\r\n")
        received = connection.recv(1000)
    assert not received or b" 4" in received.split(b"\r\n")[0] or b" 5" in received.split(b"\r\n")[0]
    assert registry.client("GET", "/v2/").status == 200


def test_200_connections(registry: Served) -> None:
    """All of them are open at the same time, and each gets the right bytes."""
    digest, size = largest(registry)
    connections = [http.client.HTTPConnection("127.0.0.1", registry.client.port, timeout=60) for _ in range(200)]
    for connection in connections:
        connection.request("GET", path_of(digest))
    for connection in connections:
        body = connection.getresponse().read()
        assert len(body) == size and f"sha256:{sha256(body).hexdigest()}" == digest
        connection.close()


def test_a_store_path_that_is_deleted(registry: Served, store: Store) -> None:
    """404 from then on, also for a part, and one line for the person who serves it; no path in the answer."""
    digest, _ = largest(registry)
    shutil.rmtree(store.path("app"))
    for headers in ({}, {"Range": "bytes=1000-2000"}):
        response = registry.client("GET", path_of(digest), **headers)
        assert response.status == 404 and b"BLOB_UNKNOWN" in response.body and b"store" not in response.body
    assert all(str(store.path("app")) in str(error) for error in registry.errors) and registry.errors
    others = [item["digest"] for item in layers_of(top_manifest(registry.content)[1]) if item["digest"] != digest]
    assert all(is_whole(registry.client, other) for other in others)


def test_a_file_that_is_deleted_while_its_layer_is_sent(registry: Served, store: Store) -> None:
    """The client gets fewer bytes than were announced: the connection ends."""
    digest, _ = largest(registry)
    (store.path("app") / "bin/small").unlink()  # it comes after `large`
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        registry.client("GET", path_of(digest))
    # The member of the file is missing: a block for its header, and one for its data.
    sent, announced = map(int, re.findall(r"only (\d+) bytes of (\d+)", str(registry.errors[0]))[0])
    assert announced - sent == 1024


def test_wrong_bytes_are_never_whole(registry: Served, store: Store) -> None:
    """A file of the same size with other bytes: 404, because all of the layer is one piece."""
    digest, _ = largest(registry)
    (store.path("app") / "bin/large").write_bytes(LARGE[::-1])
    for _ in range(2):
        assert registry.client("GET", path_of(digest)).status == 404
    assert f"do not have the digest {digest}" in str(registry.errors[0])


def test_wrong_bytes_of_several_pieces_are_never_whole(store: Store, tmp_path: Path) -> None:
    """The connection ends before the last byte, and later it is 404."""
    digest = Digest(f"sha256:{'1' * 64}")
    wrong = ServedBlob(digest, 9 << 20, Bytes(bytes(9 << 20)), "a layer")
    with served(content_of(store, tmp_path, "app:1"), {NAME: Repository({}, {}, {digest: wrong})}) as registry:
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            registry.client("GET", path_of(digest))
        assert registry.client("GET", path_of(digest)).status == 404
        assert f"do not have the digest {digest}" in str(registry.errors[0])


@pytest.mark.parametrize("size", [-1, 1])
def test_a_blob_that_is_shorter_or_longer(store: Store, tmp_path: Path, size: int) -> None:
    data = bytes(range(200))
    digest = Digest(f"sha256:{sha256(data).hexdigest()}")
    wrong = ServedBlob(digest, len(data), Bytes(bytes(len(data) + size)), "a layer")
    with served(content_of(store, tmp_path, "app:1"), {NAME: Repository({}, {}, {digest: wrong})}) as registry:
        try:
            response = registry.client("GET", path_of(digest))
            assert response.status == 404
        except (http.client.IncompleteRead, ConnectionResetError):
            pass
        assert "a layer" in str(registry.errors[0])


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Path:
    return write_recipe(recipe(store_layer(store.add("app", {"large": LARGE}))), tmp_path)


def test_the_command(image: Path, tmp_path: Path) -> None:
    """It prints where it listens, serves over TLS, and ends with status 0 at SIGTERM.

    One connection gets one answer for each request, also with aiohttp 3.11 of Debian 13, whose responses are false.
    """
    cert, key = certificate(tmp_path)
    words: list[str | Path] = [sys.executable, "-m", "lamina", "serve", image, "--listen", "0", "--json"]
    words += ["--tls-cert", cert, "--tls-key", key, "--as", "team/app:2"]
    with process_of(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        described = json.loads(process.stdout.readline())
        assert described["images"] == ["team/app:2"] and described["url"] == f"https://{described['address']}"
        host, _, port = described["address"].rpartition(":")
        assert host == "127.0.0.1"
        trusting = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection(host, int(port), context=trusting, timeout=10)
        connection.request("GET", "/v2/team/app/manifests/2")
        manifest = json.loads(connection.getresponse().read())
        for _ in range(2):
            connection.request("GET", f"/v2/team/app/blobs/{manifest['layers'][0]['digest']}")
            body = connection.getresponse().read()
            assert f"sha256:{sha256(body).hexdigest()}" == manifest["layers"][0]["digest"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0 and process.stderr.read() == b""


def test_examples_of_pulls(image: Path) -> None:
    words: list[str | Path] = [sys.executable, "-m", "lamina", "serve", image, "--listen", "127.0.0.1:0"]
    with process_of(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        lines = [process.stdout.readline().decode() for _ in range(4)]
        address = lines[0].split()[2].removeprefix("http://").rstrip(";")
        assert lines[1].split() == ["docker", "pull", f"{address}/library/app:1"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_more_connections_than_open_files(image: Path) -> None:
    """One line, and afterwards clients are served as before."""
    limited = ["bash", "-c", 'ulimit -n 40 && exec "$@"', "-", sys.executable, "-m", "lamina"]
    words = [*limited, "serve", str(image), "--listen", "127.0.0.1:0", "--json"]
    with process_of(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        host, _, port = json.loads(process.stdout.readline())["address"].rpartition(":")
        with contextlib.ExitStack() as clients:
            for _ in range(60):
                clients.enter_context(socket.create_connection((host, int(port)), 10))
            assert b"connections: Too many open files; allow more open files: ulimit -n" in process.stderr.readline()
        client = Client(int(port))
        manifest = json.loads(client("GET", f"/v2/{NAME}/manifests/1").body)
        assert is_whole(client, manifest["layers"][0]["digest"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0 and process.stderr.read() == b""


MISTAKES = {
    "a port that is taken": (["--listen", "{taken}"], 1, "cannot listen: "),
    "no port": (["--listen", "localhost"], 2, "--listen: 'localhost' has no port; write PORT or HOST:PORT"),
    "a port of many digits": (["--listen", "9" * 5000], 2, "--listen: '99999"),
    "a port that cannot exist": (["--listen", "70000"], 2, "--listen: '70000' has no port"),
    "no such host": (["--listen", "no.such.host.invalid:0"], 1, "no.such.host.invalid:0: cannot listen: "),
    "a key alone": (["--tls-key", "key.pem"], 2, "--tls-key: given without --tls-cert; give the certificate, too"),
    "no certificate": (["--tls-cert", "recipe.json"], 1, "recipe.json: no certificate with its key: "),
    "a missing certificate": (["--tls-cert", "none.pem"], 1, "none.pem: no certificate with its key: No such file"),
    "no name": (["--as", "A B"], 1, "--as: 'A B' is no image name"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(lamina: Command, image: Path, mistake: str) -> None:
    options, status, message = MISTAKES[mistake]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [word.format(taken=f"127.0.0.1:{taken.getsockname()[1]}") for word in options]
        done = lamina("serve", image, *words)
    assert (done.returncode, done.stderr.count(b"\n")) == (status, 1)
    assert message in done.stderr.decode()


def test_images_with_the_same_name(lamina: Command, image: Path, tmp_path: Path, store: Store) -> None:
    (tmp_path / "other").mkdir()
    other = write_recipe(recipe(store_layer(store.add("other", {"f": b"x"}))), tmp_path / "other")
    done = lamina("serve", image, other)
    assert done.returncode == 1 and b"two images have the name app:1" in done.stderr.replace(b"library/", b"")
    nameless = write_recipe(recipe(store_layer(store.add("other", {"f": b"x"})), names=[]), tmp_path / "other")
    done = lamina("serve", nameless)
    assert done.returncode == 1 and b"an image has no name, so nobody could pull it" in done.stderr


def test_without_the_library(image: Path) -> None:
    """One line says what to install."""
    hide = "import sys; sys.modules['aiohttp'] = None; from lamina.commands.main import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", hide, "serve", image], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "aiohttp: this Python package is not installed; install it: pip install lamina[serve]" in done.stderr
