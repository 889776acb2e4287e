"""A TCP proxy between a client and a server on loopback, that can cut its connections, refuse, and come back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Proxy:
    """`async with Proxy(port) as proxy:` listens at `proxy.port`; `cut()` and `restore()` are an outage.

    Kafka's clients connect where the broker says it is, so the broker must advertise the proxy's address.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = target
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
        for pipe in list(self._pipes):
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted in the moment of the cut
            writer.transport.abort()
            return
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        other = None
        try:
            back, other = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.wait(
                {asyncio.create_task(_pump(reader, other)), asyncio.create_task(_pump(back, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._pipes.discard(task)
            for end in (writer, other):
                if end is not None:
                    end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
