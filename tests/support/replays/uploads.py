"""The little of the registry protocol v2 that pushing takes, over plain http."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from types import TracebackType
from typing import BinaryIO
from urllib.parse import urlsplit

from attrs import define, frozen

CHUNK = 1 << 20
TIMEOUT = 300
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class PushError(Exception):
    """The archive does not hold what the pusher knows, or the registry refused."""


@frozen
class Descriptor:
    media_type: str
    digest: str
    size: int

    def document(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@frozen
class Pushed:
    """What went up, byte for byte."""

    config: bytes
    manifest: bytes


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def describe(media_type: str, stream: BinaryIO) -> Descriptor:
    digest, size = sha256(), 0
    for chunk in chunks(stream):
        digest.update(chunk)
        size += len(chunk)
    return Descriptor(media_type, f"sha256:{digest.hexdigest()}", size)


@define
class Repository:
    """One repository of a registry at `host:port`, for as long as the `with` lasts."""

    address: str
    name: str
    connection: http.client.HTTPConnection

    @classmethod
    def at(cls, address: str, name: str) -> Repository:
        return cls(address, name, http.client.HTTPConnection(address, timeout=TIMEOUT))

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def put_blob(self, blob: Descriptor, opened: Callable[[], BinaryIO]) -> None:
        """In one piece, unless the registry has it."""
        if self.ask("HEAD", f"blobs/{blob.digest}", wanted=(200, 404)).status == 200:
            return
        place = self.ask("POST", "blobs/uploads/", wanted=(202,)).getheader("Location") or ""
        parts = urlsplit(place)
        query = f"{parts.query}&digest={blob.digest}".lstrip("&")
        headers = {"Content-Length": str(blob.size), "Content-Type": "application/octet-stream"}
        with closing(opened()) as stream:
            self.send("PUT", f"{parts.path}?{query}", chunks(stream), headers, wanted=(201,))

    def put_manifest(self, tag: str, config: Descriptor, layers: list[Descriptor]) -> bytes:
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.document(),
            "layers": [layer.document() for layer in layers],
        }
        data = json.dumps(document).encode()
        headers = {"Content-Type": MANIFEST, "Content-Length": str(len(data))}
        self.send("PUT", f"/v2/{self.name}/manifests/{tag}", iter([data]), headers, wanted=(201,))
        return data

    def ask(self, method: str, path: str, wanted: tuple[int, ...]) -> http.client.HTTPResponse:
        return self.send(method, f"/v2/{self.name}/{path}", None, {}, wanted)

    def send(
        self,
        method: str,
        path: str,
        body: Iterator[bytes] | None,
        headers: dict[str, str],
        wanted: tuple[int, ...],
    ) -> http.client.HTTPResponse:
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        answer = response.read()
        if response.status not in wanted:
            raise PushError(f"{method} {path}: {response.status} {answer.decode(errors='replace')}")
        return response
