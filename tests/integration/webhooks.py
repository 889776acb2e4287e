"""What tests of the sender share: a receiver over HTTP that answers as it is told, alerts in Kafka, the sender."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec.structs import replace
from standardwebhooks import Webhook

from schemas import alert as alerts
from schemas import delivery as messages
from schemas import topics
from schemas.delivery import Delivery
from sinks.webhooks.endpoint import HOUR, SECOND, Endpoint, Tuning
from sinks.webhooks.run import SenderConfig, run_webhook_sender
from tests.unit.sinks.webhooks.samples import ALERT, SECRET
from tillstream import kafka
from tillstream.publish import partition_of

MS = SECOND // 1000
# The schedule of the product in miniature, and a group that notices a dead member soon.
QUICK = Tuning(delays=(20 * MS,) * 9, timeout=SECOND, slow=MS, longest_pause=20 * MS, session=3 * SECOND)


class Got(NamedTuple):
    """One request; `at` is monotonic seconds."""

    id: str
    body: dict
    at: float


class Receiver:
    """An endpoint: `answers(got, times)` gives the response to a request whose id has come so often, or awaits one."""

    def __init__(self, answers=lambda got, times: web.Response(), secrets=(SECRET,)):
        self.answers = answers
        self.secrets = secrets
        self.got: list[Got] = []
        self.accepted: list[Got] = []
        self.unsigned = 0
        self.times: defaultdict[str, int] = defaultdict(int)
        self.news = asyncio.Event()
        self._ends = asyncio.Event()
        self.url = ""

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(self, *_):
        self._ends.set()
        await self._runner.cleanup()

    async def _take(self, request):
        body = await request.read()
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, dict(request.headers))
            except Exception:  # noqa: BLE001  # counted, whatever is wrong
                self.unsigned += 1
        got = Got(request.headers["webhook-id"], json.loads(body), time.monotonic())
        self.got.append(got)
        self.times[got.id] += 1
        self.news.set()
        answer = self.answers(got, self.times[got.id])
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer is None:  # the connection is reset
            request.transport.abort()
            return web.Response()
        if 200 <= answer.status < 300:
            self.accepted.append(got)
            self.news.set()
        return answer

    async def hangs(self):
        """An answer that does not come while this receiver is there."""
        await self._ends.wait()
        return web.Response()

    async def until(self, condition, seconds=60):
        """Return once it holds; asked after each request."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def has(self, many, seconds=60):
        """Return once so many were accepted."""
        await self.until(lambda: len(self.accepted) >= many, seconds)


def now_text():
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def fresh(number, **fields):
    """An alert of this moment, of a store of its own."""
    now = now_text()
    given = {"alert_id": f"a{number}", "store_id": f"s{number}", "raised_at": now, "changed_at": now, **fields}
    return replace(ALERT, **given)


async def publish(settings, *given):
    """Alerts into restock.alerts, each in its store's partition."""
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all", linger_ms=5) as producer:
        topic = settings.topic_prefix + topics.ALERTS
        await asyncio.gather(
            *[
                await producer.send(
                    topic, alerts.encode(one), key=one.store_id.encode(),
                    partition=partition_of(one.store_id.encode(), settings.partitions),
                )
                for one in given
            ]
        )  # fmt: skip


async def note(settings, partition, *given):
    """Messages into a partition of webhook.deliveries, in their order."""
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all", linger_ms=5) as producer:
        topic = settings.topic_prefix + topics.DELIVERIES
        for one in given:
            sent = await producer.send(topic, messages.encode(one), key=messages.key_of(one), partition=partition)
        await sent


async def forget(settings, partition, webhook_id):
    """A tombstone."""
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        topic = settings.topic_prefix + topics.DELIVERIES
        await producer.send_and_wait(topic, None, key=webhook_id.encode(), partition=partition)


def store_of(settings, partition):
    """A store whose alerts stand in this partition."""
    names = (f"in{partition}-{number}" for number in itertools.count())
    return next(name for name in names if partition_of(name.encode(), settings.partitions) == partition)


def config(settings, *endpoints, tuning=QUICK, max_age=24 * HOUR, allow_private=True):
    return SenderConfig(
        kafka.client_options(settings), settings.topic_prefix, endpoints, max_age, allow_private, "", tuning
    )


def endpoint(receiver, **fields):
    return Endpoint(**{"name": "erp", "url": receiver.url, "secrets": receiver.secrets, **fields})


@asynccontextmanager
async def sender(settings, *endpoints, **more):
    """A sender in this process, that has read back what stood in the log; ended as SIGTERM ends it."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_webhook_sender(config(settings, *endpoints, **more), stop, ready.set))
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield task
    finally:
        stop.set()
        await task


async def log_of(settings):
    """All messages of webhook.deliveries, by partition; tombstones are none."""
    records = await records_of(settings)
    return {
        partition: [messages.decode(one.value) for one in found if one.value is not None]
        for partition, found in records.items()
    }


async def tombstones_of(settings):
    """Ids of tombstones in webhook.deliveries, in their order."""
    found = (await records_of(settings)).values()
    return [record.key.decode() for records in found for record in records if record.value is None]


async def records_of(settings):
    """All records of webhook.deliveries, by partition."""
    found = {}
    async with AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        parts = [TopicPartition(settings.topic_prefix + topics.DELIVERIES, n) for n in range(settings.partitions)]
        for part, end in (await kafka.end_offsets(consumer, parts)).items():
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            read = found.setdefault(part.partition, [])
            while await consumer.position(part) < end:
                read += (await consumer.getmany(part, timeout_ms=500)).get(part, [])
    return found


async def states(settings):
    """How each delivery stands, by id."""
    everything = await log_of(settings)
    return {one.webhook_id: one for part in everything.values() for one in part if isinstance(one, Delivery)}


async def until_forgotten(settings, many, seconds=60):
    """Return the ids once so many have their tombstone; the log has nobody to tell us."""
    async with asyncio.timeout(seconds):
        while len(found := await tombstones_of(settings)) < many:  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.05)
        return found


async def until_stand(settings, condition, seconds=60):
    """Return the states once they are as wanted; the log has nobody to tell us."""
    async with asyncio.timeout(seconds):
        while not condition(found := await states(settings)):  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.05)
        return found
