"""aiokafka's connections where the loop is uvloop's."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from tests.proxy import Proxy
from tillstream import aio

pytestmark = pytest.mark.integration


def test_a_write_to_a_connection_that_was_reset_a_moment_ago_is_a_broken_connection(settings):
    async def run():
        async with Proxy(int(settings.kafka_servers[0].split(":")[1])) as proxy:
            connection = await create_conn("127.0.0.1", proxy.port)
            # The moment that is meant: before the task that reads from it hears of it.
            connection._read_task.cancel()
            await asyncio.gather(connection._read_task, return_exceptions=True)
            await proxy.reset()
            await connection._closed_fut
            assert connection.connected()
            with pytest.raises(KafkaConnectionError, match="broken"):
                await connection.send(MetadataRequest([]))
            assert not connection.connected()

    aio.run(run())
