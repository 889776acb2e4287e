"""What tests of the whole job share: load, roles as processes, and waiting for what must come true."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager

from aiokafka import AIOKafkaProducer

from schemas import topics
from tillstream import ch, kafka
from tillstream.groups import groups_of, wait_until_assigned
from tillstream.reconcile.run import reconcile


async def publish(settings, sent, pause=0.0, stamp=None):
    """Publish (store, bytes); `stamp` is the Kafka timestamp of the first in milliseconds, default: now."""
    producer = AIOKafkaProducer(**kafka.client_options(settings), linger_ms=5, acks="all")
    await producer.start()
    try:
        for number, (store, value) in enumerate(sent):
            await producer.send(
                settings.topic_prefix + topics.RECEIPTS,
                value,
                key=store.encode(),
                timestamp_ms=None if stamp is None else stamp + number,
            )
            if pause and number % 200 == 199:
                await asyncio.sleep(pause)  # the pace of the load, not a wait for anything
        await producer.flush()
    finally:
        await producer.stop()


@contextmanager
def roles(environment, settings, *names, **more):
    """Run roles as processes; gives them in order, and a function that starts one more."""
    running = []

    def start(name, variables=None):
        process = subprocess.Popen(
            [sys.executable, "-m", "tillstream", name], env={**environment(settings), **(variables or {})}, **more
        )
        running.append(process)
        return process

    try:
        yield [start(name) for name in names], start
    finally:
        for process in running:
            process.kill()
            process.wait()


async def ready(settings, epoch=1):
    async with asyncio.timeout(60):
        await wait_until_assigned(settings, groups_of(settings, "worker", epoch) + groups_of(settings, "sink", epoch))


async def settled(settings, many):
    report = await reconcile(settings, wait=90)
    assert report.differences == []
    assert report.different == 0
    assert report.inputs == many
    return report


async def progressed(settings, messages):
    """Return once ClickHouse shows so many judged messages."""
    client = await asyncio.to_thread(ch.connect, settings)
    async with asyncio.timeout(60):
        while True:
            rows = await asyncio.to_thread(client.query, "SELECT sum(messages) FROM partition_counts")
            if rows.result_rows[0][0] >= messages:
                return
            await asyncio.sleep(0.1)
