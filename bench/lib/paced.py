"""Receipts published at an even pace of lines, and when Kafka acknowledged each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas import topics
from tillstream import console, kafka
from tillstream.outgoing import Outgoing
from tillstream.settings import Settings

Acknowledged = tuple[float, int, int]


def first(receipts: Iterable[Outgoing], lines: float) -> list[Outgoing]:
    """The first receipts that have so many lines or just more; fewer where there are no more."""
    found = []
    for one in receipts:
        if lines <= 0:
            break
        found.append(one)
        lines -= one.lines
    return found


async def published(settings: Settings, receipts: Sequence[Outgoing], rate: float) -> list[Acknowledged]:
    """(moment of the acknowledgement, partition, offset) of each, in their order."""
    acknowledged: dict[int, Acknowledged] = {}

    def noting(number: int) -> Any:
        def note(sent: asyncio.Future[Any]) -> None:
            record = sent.result()
            acknowledged[number] = time.monotonic(), record.partition, record.offset

        return note

    lines, total = 0, sum(one.lines for one in receipts)
    options = kafka.client_options(settings)
    topic = settings.topic_prefix + topics.RECEIPTS
    with console.progress() as bar:
        task = bar.add_task(f"{rate:,.0f} lines/s", total=total, rate="")
        async with AIOKafkaProducer(**options, linger_ms=5, acks="all", compression_type="zstd") as producer:
            begun = time.monotonic()
            for number, one in enumerate(receipts):
                ahead = lines / rate - (time.monotonic() - begun)
                if ahead > 0.001:
                    await asyncio.sleep(ahead)  # the pace
                    bar.update(task, completed=lines)
                sent = await producer.send(topic, one.value, key=one.store_id.encode())
                sent.add_done_callback(noting(number))
                lines += one.lines
            took = time.monotonic() - begun
            await producer.flush()
    if took > total / rate * 1.05 + 1:
        raise SystemExit(f"This machine published only {lines / took:,.0f} lines/s.")
    return [acknowledged[number] for number in range(len(receipts))]
