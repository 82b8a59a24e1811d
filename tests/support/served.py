"""Repositories for tests of the registry, and a client for it that compares nothing."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from lamina.errors import LaminaError
from lamina.image.encoding import LayerEncoding
from lamina.media.oci_content import Document, OciContent, oci_content
from lamina.media.registry.repositories import Repository, artifact, repositories_of
from lamina.media.registry.running import beside
from lamina.oci.digest import Digest
from tests.support.recipes import image_of, recipe, root_layer, store_layer
from tests.support.trees import Store, make_tree

SMALL, LARGE = b"small" * 100, bytes(range(256)) * 1000
"""Data of files: some are read with others, some are spans of their own."""


def content_of(store: Store, directory: Path, *names: str) -> OciContent:
    """An image of two layers of ours under the names `NAME:TAG`."""
    path = store.add("app", {"bin/small": SMALL, "bin/large": LARGE, "bin/other": SMALL})
    tree = make_tree(directory / "tree", {"etc/motd": b"hello"})
    described = [dict(zip(("name", "tag"), name.rsplit(":", 1), strict=True)) for name in names]
    fields = recipe(store_layer(path), root_layer(tree), names=described)
    return oci_content([image_of(fields)], LayerEncoding("none"))


def with_artifacts(repository: Repository, subject: Digest, *types: str) -> Repository:
    """The repository with artifacts of these types beside the manifest `subject`."""
    documents = dict(repository.documents)
    for artifact_type in types:
        described = documents[subject].descriptor
        manifest, blobs = artifact(described, artifact_type, b"{}", "text/plain", {"for": artifact_type})
        documents |= {item.descriptor.digest: item for item in (manifest, *blobs)}
    return Repository(repository.tags, documents, repository.layers)


class Response(NamedTuple):
    """What the registry answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client(NamedTuple):
    """A client of a registry on the loopback."""

    port: int

    def __call__(self, method: str, path: str, **headers: str) -> Response:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            return Response(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


class Served(NamedTuple):
    """A registry that runs, its content and the errors that it reported."""

    client: Client
    content: OciContent
    errors: list[LaminaError]


@contextmanager
def served(content: OciContent, repositories: Mapping[str, Repository] | None = None) -> Iterator[Served]:
    errors: list[LaminaError] = []
    with beside(repositories or repositories_of([content]), errors.append) as address:
        yield Served(Client(address.port), content, errors)


def bytes_of_layer(content: OciContent, digest: Digest) -> bytes:
    data = b"".join(content.blobs[digest].blob.chunks())
    assert f"sha256:{sha256(data).hexdigest()}" == digest
    return data


def top_manifest(content: OciContent) -> tuple[Digest, Document]:
    """The digest and the document of the only image."""
    [digest] = {descriptor.digest for descriptor in content.tags.values()}
    return digest, content.documents[digest]


def layers_of(document: Document) -> list[dict[str, Any]]:
    import json

    layers: list[dict[str, Any]] = json.loads(document.data)["layers"]
    return layers


@contextmanager
def process_of(words: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block at the latest, also if a test fails in it."""
    with subprocess.Popen(words, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key. Python 3.13 wants authorities to say what their key is for."""
    key, cert = directory / "key.pem", directory / "cert.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"]
    for extension in ("subjectAltName=IP:127.0.0.1", "keyUsage=critical,digitalSignature,keyCertSign"):
        words += ["-addext", extension]
    subprocess.run(words, check=True, capture_output=True)
    return cert, key
