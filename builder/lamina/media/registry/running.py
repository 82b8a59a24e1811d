"""A registry that runs until it is interrupted, or beside other work of this process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.errors import BadInput, LaminaError
from lamina.media.registry.repositories import Repository
from lamina.oci.digest import Digest

try:
    from lamina.media.registry.server import Address, Registry
except ModuleNotFoundError as error:
    if TYPE_CHECKING or error.name != "aiohttp":
        raise
    raise LaminaError(
        "aiohttp", "this Python package is not installed", "install it: pip install lamina[serve]"
    ) from None


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """The server's side of TLS. Raises BadInput: the files are not a certificate with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise BadInput(certificate, f"no certificate with its key: {reason}", "give PEM files") from None
    return context


def serve(
    repositories: Mapping[str, Repository],
    address: Address,
    tls: ssl.SSLContext | None,
    started: Callable[[Address], None],
    on_error: Callable[[LaminaError], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `started` gets the address. Raises LaminaError: the address cannot be used."""

    async def run() -> None:
        registry = Registry(repositories, on_error)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        started(await _listening(registry, address, tls))
        await stop.wait()
        await registry.stop()

    asyncio.run(run())


@contextlib.contextmanager
def beside(
    repositories: Mapping[str, Repository],
    on_error: Callable[[LaminaError], None],
    on_sent: Callable[[Digest, int], None] = lambda *_: None,
) -> Iterator[Address]:
    """Serve on a loopback port in a thread of this process. Raises LaminaError: there is no such port."""
    ready: Future[Address] = Future()
    stop: Future[None] = Future()

    async def run() -> None:
        registry = Registry(repositories, on_error, on_sent)
        ready.set_result(await _listening(registry, Address(), None))
        await asyncio.wrap_future(stop)
        await registry.stop()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=main, name="registry", daemon=True)
    thread.start()
    try:
        yield ready.result()
    finally:
        stop.cancel() if ready.done() and ready.exception() else stop.set_result(None)
        thread.join()


async def _listening(registry: Registry, address: Address, tls: ssl.SSLContext | None) -> Address:
    try:
        return await registry.start(address, tls)
    except (OSError, OverflowError) as error:
        await registry.stop()
        reason = getattr(error, "strerror", None) or str(error)
        raise LaminaError(address, f"cannot listen: {reason}", "listen at another address") from None
