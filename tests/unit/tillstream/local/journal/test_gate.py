"""The gate: bytes pass both ways, nobody passes before it opens or after it shuts, a slow reader holds up the other."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from schemas.errors import Stop
from tillstream import aio
from tillstream.local.journal import gate as module
from tillstream.local.journal.gate import Gate
from tillstream.local.launch import free_port

LIMIT = 20


@asynccontextmanager
async def passage(serve):
    """A gate before a server; gives the gate and its port."""
    inner = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = free_port()
    gate = Gate("127.0.0.1", port, inner.sockets[0].getsockname())
    try:
        async with asyncio.timeout(LIMIT):
            yield gate, port
    finally:
        gate.shut()
        inner.close()


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def is_cut(reader):
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("run", [asyncio.run, aio.run])
def test_bytes_pass_both_ways_also_those_sent_at_once(run):
    run(pass_both_ways())


async def pass_both_ways():
    async with passage(echo) as (gate, port):
        await gate.open()
        data = bytes(range(256)) * 20_000
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        writer.close()
        assert await reader.read() == b""


async def test_nobody_gets_in_before_it_opens_and_all_are_out_when_it_shuts():
    async with passage(echo) as (gate, port):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await gate.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        gate.shut()
        assert await is_cut(reader)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await gate.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"y")
        assert await reader.readexactly(1) == b"y"
        writer.close()


async def test_a_client_is_told_at_once_when_the_broker_is_away_or_goes():
    async def leave(reader, writer):
        await reader.readexactly(1)
        writer.close()

    async with passage(leave) as (gate, port):
        await gate.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        assert await reader.read() == b""
        writer.close()
    nowhere = Gate("127.0.0.1", free_port(), ("127.0.0.1", free_port()))
    await nowhere.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", nowhere._port)
    assert await is_cut(reader)
    nowhere.shut()


async def test_what_a_slow_reader_does_not_take_is_not_read_from_the_other_side():
    sent = 0

    async def flood(reader, writer):
        nonlocal sent
        while not writer.is_closing():
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with passage(flood) as (gate, port):
        await gate.open()
        with socket.create_connection(("127.0.0.1", port)):
            before = -1
            while sent > before:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < 32 * module.HIGH_WATER


async def test_a_taken_address_is_a_sentence_with_the_setting():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(Stop, match=rf"127.0.0.1:{port} cannot be opened for clients: .*TILLSTREAM_KAFKA_URL="):
            await Gate("127.0.0.1", port, ("127.0.0.1", 1)).open()
