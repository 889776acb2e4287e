"""A member that stops leaves its group at once, also the first one that the embedded broker's group ever had."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer

from schemas import topics
from tillstream import aio, kafka
from tillstream.waiting import admin

pytestmark = pytest.mark.integration


def test_a_member_of_the_groups_first_generation_has_left_when_it_has_stopped(migrated):
    group = f"leaving-{uuid.uuid4().hex[:10]}"

    async def members():
        async with admin(migrated) as client:
            [answer] = await client.describe_consumer_groups([group])
        [(_, _, _, _, _, found, *_)] = answer.groups
        return len(found)

    async def run():
        consumer = AIOKafkaConsumer(
            migrated.topic_prefix + topics.RECEIPTS,
            **kafka.client_options(migrated),
            group_id=group,
            # The embedded broker's join takes half of it; a member that said nothing would be there for all of it.
            session_timeout_ms=6_000,
            heartbeat_interval_ms=500,
        )
        await consumer.start()
        async with asyncio.timeout(60):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=50)
        assert await members() == 1
        await consumer.stop()
        assert await members() == 0

    aio.run(run())
