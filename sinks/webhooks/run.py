"""Runs the sender: joins the group, and begins again from the log whenever Kafka's clients fail."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import AuthenticationFailedError, KafkaError

from schemas import topics
from sinks.clients import leave, stopped_within
from sinks.webhooks.endpoint import SECOND, Endpoint, Tuning
from sinks.webhooks.memory import Memory
from sinks.webhooks.post import Poster
from sinks.webhooks.record import Recorder
from sinks.webhooks.sender import Sender
from sinks.webhooks.shelf import Shelf

log = logging.getLogger(__name__)

START_AGAIN_SECONDS = (0.2, 3.0)
METADATA_AGE_MS = 10_000


@dataclass(frozen=True, slots=True)
class SenderConfig:
    """What the sender needs of the settings. `max_age` in microseconds; `dashboard`: what a link begins with."""

    kafka_options: Mapping[str, Any] = field(repr=False)
    prefix: str
    endpoints: Sequence[Endpoint]
    max_age: int
    allow_private: bool = False
    dashboard: str = ""
    tuning: Tuning = field(default_factory=Tuning)


async def run_webhook_sender(
    config: SenderConfig, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Send webhooks until `stop`; `on_ready` is called once the log has been read back. Raises what no retry mends."""
    while not stop.is_set():
        try:
            await _generation(config, stop, on_ready)
        except* AuthenticationFailedError:
            raise
        except* KafkaError as faults:
            log.warning("webhooks: Kafka does not answer (%s): beginning again", type(faults.exceptions[0]).__name__)
        if await stopped_within(stop, random.uniform(*START_AGAIN_SECONDS)):  # noqa: S311  # jitter
            return
        log.warning("webhooks: going on from what stands in the log")


async def _generation(config: SenderConfig, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    alerts, deliveries = config.prefix + topics.ALERTS, config.prefix + topics.DELIVERIES
    async with AsyncExitStack() as stack:
        recorder = Recorder(config.kafka_options, deliveries)
        stack.push_async_callback(recorder.stop)
        await recorder.start()
        shelf = Shelf(config.kafka_options, alerts)
        stack.push_async_callback(shelf.close)
        poster = await stack.enter_async_context(
            Poster(config.tuning.timeout / SECOND, allow_private=config.allow_private)
        )
        consumer = AIOKafkaConsumer(
            group_id=topics.webhooks_group(config.prefix),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            session_timeout_ms=config.tuning.session // 1000,
            heartbeat_interval_ms=config.tuning.session // 5000,
            rebalance_timeout_ms=6_000,
            metadata_max_age_ms=METADATA_AGE_MS,
            **config.kafka_options,
        )
        stack.push_async_callback(leave, consumer)
        await consumer.start()
        memory = Memory(config.kafka_options, deliveries)
        sender = Sender(
            consumer, memory, recorder, shelf, poster, config.endpoints, config.max_age, config.dashboard, config.tuning
        )
        stack.push_async_callback(memory.stop)
        await memory.start()
        consumer.subscribe([alerts], listener=sender)
        told = asyncio.create_task(_tell(sender, on_ready))
        stack.callback(told.cancel)
        await sender.run(stop)


async def _tell(sender: Sender, on_ready: Callable[[], None]) -> None:
    await sender.ready.wait()
    on_ready()
