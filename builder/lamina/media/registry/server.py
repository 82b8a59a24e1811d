"""Sends the answers of a registry: connections, back-pressure and TLS are aiohttp's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

import attrs
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from lamina.data.span import CHUNK
from lamina.errors import LaminaError
from lamina.limits import STALLED
from lamina.media.registry.answers import Answer, Request, answer, error_answer
from lamina.media.registry.piece import HeldPiece, HeldSpan
from lamina.media.registry.production import Production
from lamina.media.registry.repositories import Repository
from lamina.oci.digest import Digest

_READERS = 8
"""Threads that read files and hash. More would wait for Python's lock."""

_PORTION = 4 << 20
"""Bytes that the kernel sends at once: a client that takes fewer in the time of STALLED is disconnected."""

_HEADER = {"Docker-Distribution-API-Version": "registry/2.0"}

T = TypeVar("T")


@attrs.frozen
class Address:
    """Where a registry listens. With port 0 the system chooses one."""

    host: str = "127.0.0.1"
    port: int = 0

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Registry:
    """A registry in the current event loop. `on_error` gets the errors of layers that cannot be sent.

    `on_sent` gets the digest of a blob and a number of its bytes that were sent.
    """

    def __init__(
        self,
        repositories: Mapping[str, Repository],
        on_error: Callable[[LaminaError], None],
        on_sent: Callable[[Digest, int], None] = lambda *_: None,
    ) -> None:
        self._repositories = repositories
        self._on_error = on_error
        self._on_sent = on_sent
        self._production = Production(self._in_thread)
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        log = logging.Logger("registry")
        log.addHandler(_Log(on_error))
        self._server = _Server(self._respond, access_log=None, logger=log, keepalive_timeout=STALLED)
        self._socket: asyncio.Server | None = None
        self._is_full = False

    async def start(self, address: Address, tls: ssl.SSLContext | None = None) -> Address:
        """Listen; returns the address, with the port that the system chose. Raises OSError: it is not free."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._report)
        self._socket = await loop.create_server(self._server, address.host, address.port, ssl=tls, backlog=512)
        return Address(*self._socket.sockets[0].getsockname()[:2])

    async def stop(self) -> None:
        """Disconnect all clients."""
        if self._socket:
            self._socket.close()
        await self._server.shutdown(0.1)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _report(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report what happens outside of requests. asyncio tries thousands of times to accept the same connection."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            if not self._is_full:
                self._on_error(LaminaError("connections", str(error.strerror), "allow more open files: ulimit -n"))
            self._is_full = True
        elif not isinstance(error, ConnectionError):
            self._on_error(_fault(context["message"], error))

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        self._server.has_request(request.protocol)
        headers = {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}
        answered = answer(self._repositories, Request(request.method, request.raw_path, headers))
        if request.method == "HEAD" or all(isinstance(item, bytes) for item in answered.body):
            return _short(answered, is_head=request.method == "HEAD")
        try:
            return await self._send(request, answered)
        except ConnectionError:  # the client has gone, or was disconnected: aiohttp notices it with any response
            return web.Response()

    async def _send(self, request: web.BaseRequest, answered: Answer) -> web.StreamResponse:
        response: web.StreamResponse | None = None
        try:
            async for piece in self._pieces(answered):
                if response is None:  # not before the first piece, because an error changes the status
                    response = _response(answered)
                    await response.prepare(request)
                await self._send_piece(request, response, piece)
        except LaminaError as error:
            self._on_error(error)
            if response is not None:
                _abort(request)
            return _short(error_answer(404, "BLOB_UNKNOWN", "the blob cannot be read any more"))
        return _short(answered) if response is None else response  # aiohttp 3.11 has responses that are false

    async def _pieces(self, answered: Answer) -> AsyncIterator[HeldPiece]:
        """The body. Raises BadInput: a blob cannot be read, or is wrong."""
        for item in answered.body:
            if isinstance(item, bytes):
                yield item
                continue
            position, end = item.part.start, item.part.start + item.part.size
            while position < end:
                piece = await self._production.piece(item.blob, position, end)
                size = min(len(piece), end - position)
                position += size
                if size < len(piece):
                    piece = piece[:size] if isinstance(piece, bytes) else piece.cut(0, size)
                yield piece
                self._on_sent(item.blob.digest, size)  # the piece was sent when the next one is asked for

    async def _send_piece(self, request: web.BaseRequest, response: web.StreamResponse, piece: HeldPiece) -> None:
        if isinstance(piece, bytes):
            await _in_time(request, response.write(piece))
            return
        is_secure = request.transport is None or request.transport.get_extra_info("sslcontext") is not None
        portion = CHUNK if is_secure else _PORTION
        for start in range(0, piece.size, portion):
            part = piece.cut(start, min(start + portion, piece.size))
            if not is_secure:
                with contextlib.suppress(asyncio.SendfileNotAvailableError):  # nothing of it was sent
                    await _in_time(request, _sendfile(request, part))
                    continue
            data = await self._in_thread(os.pread, part.file.fileno(), part.size, part.offset)
            await _in_time(request, response.write(data))

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)


async def _sendfile(request: web.BaseRequest, span: HeldSpan) -> None:
    """Let the kernel send a span. Raises ConnectionResetError: the client has gone, or the file is shorter.

    Raises SendfileNotAvailableError: the kernel cannot, since the client has gone or the file system lacks it.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    sent = await asyncio.get_running_loop().sendfile(transport, span.file, span.offset, span.size, fallback=False)
    if sent != span.size:
        _abort(request)


class _Server(web.Server):
    """Disconnects a client that connects and sends no request, which aiohttp waits for without an end."""

    def __init__(self, handler: Any, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._silent: dict[object, asyncio.TimerHandle] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        self._silent[handler] = loop.call_later(STALLED, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self.has_request(handler)
        super().connection_lost(handler, exc)

    def has_request(self, handler: object) -> None:
        """The client has sent a request, or has gone."""
        if timer := self._silent.pop(handler, None):
            timer.cancel()


class _Log(logging.Handler):
    """Reports faults of this program. Requests that are no HTTP are not: aiohttp answers them with status 400."""

    def __init__(self, on_error: Callable[[LaminaError], None]) -> None:
        super().__init__(logging.ERROR)
        self._on_error = on_error

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            self._on_error(_fault(record.getMessage(), error))


def _fault(message: str, error: object) -> LaminaError:
    return LaminaError("a request", f"{message}: {error!r}", "please report this fault")


def _response(answered: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answered.status, headers={**_HEADER, **answered.headers})
    response.content_length = answered.size
    return response


def _short(answered: Answer, is_head: bool = False) -> web.StreamResponse:
    """A response without parts of blobs. For HEAD it has the length that the body would have."""
    if is_head:
        return _response(answered)
    body = b"".join(item for item in answered.body if isinstance(item, bytes))
    return web.Response(status=answered.status, headers={**_HEADER, **answered.headers}, body=body)


async def _in_time(request: web.BaseRequest, work: Awaitable[object]) -> None:
    """Wait for the client to take some bytes. Raises ConnectionResetError: it does not."""
    try:
        async with asyncio.timeout(STALLED):
            await work
    except TimeoutError:
        _abort(request)


def _abort(request: web.BaseRequest) -> NoReturn:
    """End the connection, so that the client sees that bytes are missing. Raises ConnectionResetError."""
    if request.transport:
        request.transport.abort()
    raise ConnectionResetError
