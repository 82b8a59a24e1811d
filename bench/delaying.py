"""A proxy that delays every byte, as a distant registry does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

CHUNK = 1 << 16


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, connected: float) -> None:
    """Hand on what comes in, each piece `delay` seconds later, and nothing before the connection would be there."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def hand_on() -> None:
        while True:
            at, data = await pieces.get()
            await asyncio.sleep(at - loop.time())
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    async def take() -> None:
        data = b"-"
        while data:
            data = await reader.read(CHUNK)
            await pieces.put((max(loop.time(), connected) + delay, data))

    with contextlib.suppress(OSError):
        await asyncio.gather(take(), hand_on())


@contextlib.contextmanager
def delayed(port: int, delay: float) -> Iterator[int]:
    """The port of a proxy to another port of this machine, with `delay` seconds each way.

    The handshake of TCP takes one way there and one back, before a client can send anything.
    """
    loop = asyncio.new_event_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = loop.time() + 2 * delay
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # at the end; asyncio would print it
            await asyncio.gather(_pump(reader, far_writer, delay, there), _pump(far_reader, writer, delay, there))
        for each in (writer, far_writer):
            each.close()

    server = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_ended(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _ended(server: asyncio.Server) -> None:
    """End all connections."""
    server.close()
    connections = asyncio.all_tasks() - {asyncio.current_task()}
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
