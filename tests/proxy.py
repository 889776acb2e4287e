"""A TCP proxy between a client and a server on loopback: it cuts, resets, refuses, delays, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Self

# Closing then discards what was not sent, and the other side sees a reset instead of an end.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """`async with Proxy(port) as proxy:` listens at `proxy.port`; `cut()` and `restore()` are an outage.

    What the server answers arrives `latency` seconds later. Kafka's clients connect where the broker says it is, so
    the broker must advertise the proxy's address.
    """

    def __init__(self, target: int, port: int = 0, latency: float = 0.0) -> None:
        self._target = target
        self._latency = latency
        self.port = port
        self.connections = 0
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def restore(self) -> None:
        """Listen (again)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse new connections and reset those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.reset()

    async def reset(self) -> int:
        """Reset the connections that are open, and take new ones; gives how many there were."""
        pipes = list(self._pipes)
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        return len(pipes)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted in the moment of the cut
            writer.transport.abort()
            return
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        other = None
        pumps: set[asyncio.Task[None]] = set()
        try:
            back, other = await asyncio.open_connection("127.0.0.1", self._target)
            pumps = {
                asyncio.create_task(_pump(reader, other, 0.0)),
                asyncio.create_task(_pump(back, writer, self._latency)),
            }
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            for end in (writer, other):
                if end is not None:
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        finally:
            self._pipes.discard(task)
            for pump in pumps:
                pump.cancel()
            for end in (writer, other):
                if end is not None:
                    end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    """Hand on what comes, each piece `latency` seconds after it came, however many are under way."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1_000)

    async def hand_on() -> None:
        with contextlib.suppress(OSError):
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()

    handing = asyncio.create_task(hand_on())
    try:
        data = b"."
        while data and not handing.done():
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            await pieces.put((loop.time() + latency, data))
        await handing
    finally:
        handing.cancel()
