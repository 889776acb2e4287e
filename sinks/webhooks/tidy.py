"""Tidies the log: what waits in vain is given up, and what nothing needs any more is forgotten; some at a time."""

from __future__ import annotations

import asyncio
import logging

from sinks import metrics
from sinks.clients import stopped_within
from sinks.webhooks import strangers
from sinks.webhooks.book import Book
from sinks.webhooks.clock import now_us
from sinks.webhooks.endpoint import SECOND
from sinks.webhooks.record import Recorder

log = logging.getLogger(__name__)

# Of a partition, or an endpoint: a million are forgotten within three hours, and nothing waits for that.
MOST_AT_ONCE = 1_000


async def tidy(book: Book, recorder: Recorder, every: int, stop: asyncio.Event) -> None:
    """Do it every so many microseconds until `stop`; raises KafkaError."""
    while not await stopped_within(stop, every / SECOND):
        for name in sorted(book.strangers):
            await _give_up(book, recorder, name)
        for partition in sorted(book.whole):
            await recorder.forget(partition, book.forgetting.due(partition, now_us(), MOST_AT_ONCE))


async def _give_up(book: Book, recorder: Recorder, stranger: str) -> None:
    now, many = now_us(), 0
    while many < MOST_AT_ONCE and (delivery := book.outbox.take(stranger, now)) is not None:
        many += 1
        await recorder.write(strangers.given_up(delivery, now))
        metrics.webhook_deliveries.labels("failed").inc()
        book.outbox.done(delivery.webhook_id)
    if many:
        log.warning("%d webhooks for the endpoint %s have failed: %s", many, stranger, strangers.REASON)
