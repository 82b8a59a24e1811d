"""Speaking HTTP to a daemon on its socket, as its own client does, without the start of a client for each request."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def request(path: Path, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    connection = UnixConnection(path)
    try:
        headers = {"Content-Type": "application/x-tar"} if body is not None else {}
        connection.request(method, url, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException:  # the daemon's code for this request has panicked
        return 0, b'{"error": "no answer"}'
    finally:
        connection.close()


def values(body: bytes) -> list[Any]:
    """The JSON values of an answer, which may be several in a row."""
    result, decoder, text = [], json.JSONDecoder(), body.decode(errors="replace").strip()
    while text:
        value, end = decoder.raw_decode(text)
        result.append(value)
        text = text[end:].lstrip()
    return result
