"""Takes alerts in: their deliveries are written down and acknowledged, and only then is the offset committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas import alert as alerts
from schemas.delivery import Delivery
from schemas.times import TimeFault
from sinks import metrics
from sinks.clients import reads_no_more
from sinks.webhooks.book import Book
from sinks.webhooks.clock import now_us
from sinks.webhooks.intake import deliveries_of
from sinks.webhooks.memory import Memory
from sinks.webhooks.record import Recorder
from sinks.webhooks.shelf import Shelf

log = logging.getLogger(__name__)

RECORDS_PER_POLL = 500
POLL_MS = 200


async def take_in(
    consumer: Any, memory: Memory, book: Book, recorder: Recorder, shelf: Shelf, stop: asyncio.Event
) -> None:
    """Take alerts in until `stop`, or until a client reads no more; raises KafkaError."""
    while not (stop.is_set() or reads_no_more(consumer) or memory.reads_no_more()):
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL)
        taken: dict[TopicPartition, int] = {}
        # Side by side: what is acknowledged late of one partition holds up no other one's webhooks.
        async with asyncio.TaskGroup() as group:
            for place, records in fetched.items():
                if place.partition in book.whole:
                    group.create_task(_take_records(book, recorder, shelf, place, records, taken))
                else:
                    with contextlib.suppress(IllegalStateError):
                        consumer.seek(place, records[0].offset)
        if taken:
            with contextlib.suppress(CommitFailedError, IllegalStateError):
                await consumer.commit(taken)


async def _take_records(
    book: Book,
    recorder: Recorder,
    shelf: Shelf,
    place: TopicPartition,
    records: Sequence[Any],
    taken: dict[TopicPartition, int],
) -> None:
    now = now_us()
    made: dict[str, Delivery] = {}

    def known(webhook_id: str) -> bool:
        return webhook_id in made or webhook_id in book.outbox or webhook_id in book.known

    for record in records:
        try:
            alert = alerts.decode(record.value or b"")
            found = deliveries_of(
                alert, (place.partition, record.offset), book.endpoints.values(), now, book.max_age,
                known=known, disabled=book.health.disabled,
            )  # fmt: skip
        except (msgspec.MsgspecError, TimeFault) as fault:
            log.warning("no webhook for %s at %d:%d: %s", place.topic, place.partition, record.offset, fault)
            continue
        if found:
            shelf.keep(place.partition, record.offset, record.value)
            made |= {one.webhook_id: one for one in found}
    await recorder.write_all(place.partition, list(made.values()))
    if place.partition not in book.whole:
        return  # taken from us meanwhile; its next owner finds them in the log
    for delivery in made.values():
        book.known.add(delivery)
        if delivery.state == "pending":
            book.open(delivery)
        else:
            metrics.webhook_deliveries.labels(delivery.state).inc()
    book.known.forget(now)
    taken[place] = records[-1].offset + 1
