"""A proxy in front of a registry: it counts requests and bytes, and gives answers of its own."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import attrs

Change = Callable[[bytes], bytes]

_DENIED = b'{"errors":[{"code":"DENIED","message":"no"}]}'
_TOO_MANY = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'


class Seen(NamedTuple):
    """A request, the bytes of its body, and the status and the bytes of the answer."""

    method: str
    path: str
    sent: int
    status: int
    answered: int = 0


@attrs.define
class Limit:
    """A registry that has had too many requests: the next `times` get status 429. `after` is its Retry-After."""

    times: int
    after: str

    def take(self) -> bool:
        """Whether the next request is one too many."""
        self.times -= 1
        return self.times >= 0


@attrs.define
class Proxy:
    """`faults` are statuses by a pattern of `METHOD PATH`, `changes` change the body of an answer by such a pattern.

    `limits` are requests that are too many, by such a pattern.
    """

    port: int
    seen: list[Seen] = attrs.field(factory=list)
    faults: dict[str, int] = attrs.field(factory=dict)
    limits: dict[str, Limit] = attrs.field(factory=dict)
    changes: dict[str, Change] = attrs.field(factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def taken(self) -> list[Seen]:
        """The requests since the last call."""
        seen, self.seen = self.seen, []
        return seen


def match(patterns: Mapping[str, Any], line: str) -> Any:
    return next((value for pattern, value in patterns.items() if re.search(pattern, line)), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy
    target: int

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _forward(self) -> None:
        body = self._body()
        line = f"{self.command} {self.path}"
        if status := match(self.proxy.faults, line):
            self._answer(status, {}, _DENIED, len(body))
            return
        limit: Limit | None = match(self.proxy.limits, line)
        if limit and limit.take():
            self._answer(429, {"Retry-After": limit.after}, _TOO_MANY, len(body))
            return
        with closing(http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)) as connection:
            headers = {name: ", ".join(self.headers.get_all(name, [])) for name in set(self.headers)}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            data = response.read()
            if change := match(self.proxy.changes, line):
                data = change(data)
            self._answer(response.status, dict(response.getheaders()), data, len(body))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        del self.headers["Transfer-Encoding"]
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        self.headers["Content-Length"] = str(len(body))
        return body

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes, sent: int) -> None:
        self.proxy.seen.append(Seen(self.command, self.path, sent, status, len(data)))
        self.send_response(status)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        for name, value in {**headers, "Content-Length": length}.items():
            if name.lower() not in ("transfer-encoding", "date", "server", "connection"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    with ThreadingHTTPServer(("127.0.0.1", 0), None) as server:  # type: ignore[arg-type]
        proxy = Proxy(server.server_address[1])
        server.RequestHandlerClass = type("Handler", (_Handler,), {"proxy": proxy, "target": port})
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
