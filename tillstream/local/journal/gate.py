"""The door to the embedded broker: its public address opens only when the log is whole again, and shuts at once.

The broker listens on a port of its own and tells clients the public one; whoever connects there is passed on, byte by
byte. (Its log is in memory, so it cannot be filled first and listen publicly afterwards; and whoever has a client's
address of it could write between what is replayed, at offsets that rows name already.)
"""

from __future__ import annotations

import asyncio
from typing import cast

from schemas.errors import Stop

# Beyond this much that the other side has not taken, nothing more is read.
HIGH_WATER = 1024 * 1024


class _End(asyncio.Protocol):
    """One end of a passage: what it receives it writes to the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if (beyond := self._beyond()) is not None:
            beyond.write(data)

    def pause_writing(self) -> None:
        if (beyond := self._beyond()) is not None:
            beyond.pause_reading()

    def resume_writing(self) -> None:
        if (beyond := self._beyond()) is not None:
            beyond.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if (beyond := self._beyond()) is not None:
            beyond.close()

    def _beyond(self) -> asyncio.Transport | None:
        """The other end's transport, unless it is closing already."""
        transport = self.other.transport if self.other is not None else None
        return None if transport is None or transport.is_closing() else transport


class _Client(_End):
    """A client's end: what comes before the broker's end is there is kept until then."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gate.admit(self)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)  # a client waits for answers before it sends much
        else:
            super().data_received(data)

    def join(self, other: _End) -> None:
        """The broker's end is there."""
        self.other = other
        for data in self._early:
            super().data_received(data)
        self._early.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gate.forget(self)


class Gate:
    """Passes clients of `host:port` on to `broker`, between `open` and `shut`."""

    def __init__(self, host: str, port: int, broker: tuple[str, int]) -> None:
        self._host, self._port = host, port
        self._broker = broker
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether clients get in."""
        return self._server is not None

    async def open(self) -> None:
        """Let clients in; raises Stop where the address cannot be had."""
        if self._server is not None:
            return
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Client(self), self._host, self._port, reuse_address=True
            )
        except OSError as fault:
            raise Stop(
                f"{self._host}:{self._port} cannot be opened for clients: {fault.strerror or fault}.",
                "Stop what listens there, or choose another port with TILLSTREAM_KAFKA_URL=kafka://127.0.0.1:19092.",
            ) from None

    def shut(self) -> None:
        """Let nobody in any more, and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._passing:
            task.cancel()
        for client in list(self._clients):
            if client.transport is not None:
                client.transport.abort()

    def admit(self, client: _Client) -> None:
        """A client has connected: connect it with the broker."""
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._join(client))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    def forget(self, client: _Client) -> None:
        """A client has gone."""
        self._clients.discard(client)

    async def _join(self, client: _Client) -> None:
        assert client.transport is not None
        inner = _End()
        inner.other = client
        try:
            await asyncio.get_running_loop().create_connection(lambda: inner, *self._broker)
        except OSError:
            client.transport.abort()
            return
        if client.transport.is_closing():
            assert inner.transport is not None
            inner.transport.close()
            return
        client.join(inner)
