"""A worker that tracks so many shelves of the synthetic chain, from its counts to the last decision."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from lib import broker, log, race
from lib.arrivals import arrivals
from lib.program import Program
from lib.tills import FIRST_DAY, Chain
from schemas import feed, metrics, topics
from schemas.feed import Sales
from tillstream.local.launch import settings_environment
from tillstream.publish import Publisher, partition_of
from tillstream.settings import Settings

PICKS = {"spread": "spread evenly", "best": "each store's best sellers"}
Pair = tuple[str, str]
_GRACE = timedelta(hours=96)
_AT_ONCE = 8_000
_FEWEST_DAYS, _MOST_DAYS, _FEWEST_UNITS = 7, 28, 6
# Receipts by which each store becomes known, before the clock runs.
_BEFORE = 20_000


class _Line(msgspec.Struct):
    sku: str


class _Receipt(msgspec.Struct):
    lines: list[_Line]


@dataclass(frozen=True, slots=True)
class Course:
    """Receipts as (store, text), in the order of their arrival, and how often each pair is in their lines."""

    receipts: list[tuple[str, bytes]]
    sold: Counter[Pair]
    lines: int
    days: float

    @classmethod
    def made(cls, chain: Chain, lines: int) -> Self:
        """About so many lines of a chain."""
        receipts: list[tuple[str, bytes]] = []
        sold: Counter[Pair] = Counter()
        read = msgspec.json.Decoder(_Receipt)
        for day in arrivals(chain, lines, int(_GRACE.total_seconds())):
            stores = [str(store + 1) for store in day.batch.heads["store"].tolist()]
            for store, text in zip(stores, day.batch.texts.tolist(), strict=True):
                receipts.append((store, text))
                sold.update((store, line.sku) for line in read.decode(text).lines)
        return cls(receipts, sold, sum(sold.values()), lines / chain.lines_a_day)

    def pick(self, how: str, many: int) -> list[Pair]:
        """The pairs to be tracked."""
        if how == "none":
            return []
        if how == "spread":
            return random.Random(1).sample(sorted(self.sold), min(many, len(self.sold)))
        stores: dict[str, list[tuple[int, str]]] = {}
        for (store, sku), times in self.sold.items():
            stores.setdefault(store, []).append((times, sku))
        each = many // len(stores)
        return [(store, sku) for store, skus in stores.items() for _, sku in sorted(skus, reverse=True)[:each]]

    def counts(self, pairs: list[Pair]) -> list[tuple[str, bytes]]:
        """A count of each, by store: stock for some days of what it sells."""
        chance = random.Random(2)
        before = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).isoformat()
        found = []
        for number, (store, sku) in enumerate(pairs):
            units = self.sold[store, sku] / self.days * chance.uniform(_FEWEST_DAYS, _MOST_DAYS)
            movement = {
                "movement_id": f"count-{number}", "store_id": store, "sku": sku, "kind": "count",
                "quantity": f"{max(_FEWEST_UNITS, round(units))}", "occurred_at": before,
            }  # fmt: skip
            found.append((store, json.dumps(movement).encode()))
        return found


async def publish(settings: Settings, topic: str, messages: list[tuple[str, bytes]]) -> None:
    """Publish messages, each by its store; returns when all are acknowledged."""
    async with Publisher(settings, settings.topic_prefix + topic) as publisher:
        for begin in range(0, len(messages), _AT_ONCE):
            lanes: list[list[tuple[bytes, bytes]]] = [[] for _ in range(publisher.partitions)]
            for store, text in messages[begin : begin + _AT_ONCE]:
                key = store.encode()
                lanes[partition_of(key, publisher.partitions)].append((key, text))
            await asyncio.gather(*(publisher.send(at, lane) for at, lane in enumerate(lanes) if lane))


async def run(kind: broker.Kind, partitions: int, course: Course, pairs: list[Pair]) -> dict[str, Any]:
    """One run: seconds until all was folded, and until all was decided."""
    with ExitStack() as stack:
        settings = stack.enter_context(broker.fresh_broker(timedelta(minutes=5), kind, partitions))
        await log.create_topics(settings)
        await publish(settings, topics.STOCK, course.counts(pairs))
        await publish(settings, topics.RECEIPTS, course.receipts[:_BEFORE])
        with _worker(settings) as worker:
            await _until_opened(settings, worker, len(pairs))
            await _until_committed(settings, worker)
        alerts = await _alerts(settings)
        await publish(settings, topics.RECEIPTS, course.receipts[_BEFORE:])
        with _worker(settings) as worker:
            while worker.begun is None:
                worker.check()
                await asyncio.sleep(race.POLL)  # its output is listened to in a thread
            before = worker.cpu_seconds()
            folded = await _until_committed(settings, worker)
            await _until_decided(settings, worker)
            decided, cpu = time.monotonic() - worker.begun, worker.cpu_seconds() - before
        raised = await _alerts(settings) - alerts
    lines = course.lines * (1 - _BEFORE / len(course.receipts))
    share = sum(course.sold[pair] for pair in pairs) / course.lines
    return {"tracked": len(pairs), "share": share, "lines": lines, "folded": folded, "decided": decided,
            "alerts": raised, "cpu": cpu}  # fmt: skip


def _worker(settings: Settings) -> Program:
    """Ready once it has read the feed of every partition."""
    ready: set[str] = set()

    def is_ready(line: str) -> bool:
        if "restock follows partition" in line:
            ready.add(line.split("restock follows partition")[1])
        return len(ready) == settings.partitions

    return Program([sys.executable, "-m", "tillstream", "worker"], settings_environment(settings), is_ready)


async def _until_committed(settings: Settings, worker: Program) -> float:
    ends = await race.ends_to_commit(settings)
    group = topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH)
    return await race.until_committed(settings, group, [worker], ends)


async def _until_opened(settings: Settings, worker: Program, pairs: int) -> None:
    """Wait until the feed has told the sales of every pair from their beginning on."""
    deadline = time.monotonic() + race.LONGEST_RUN
    while time.monotonic() < deadline:
        worker.check()
        opened: set[Pair] = set()
        async for record in log.all_records(settings, settings.topic_prefix + topics.FEED):
            message = feed.decode(record.value)
            if isinstance(message, Sales):
                opened |= {(message.store_id, sku) for skus in message.opened.values() for sku in skus}
        if len(opened) == pairs:
            return
        await asyncio.sleep(1)  # the broker has no way to tell us of its own accord
    raise SystemExit(f"Not all pairs were opened: {worker.last_words()}")


async def _until_decided(settings: Settings, worker: Program) -> None:
    deadline = time.monotonic() + race.LONGEST_RUN
    while time.monotonic() < deadline:
        worker.check()
        if not await asyncio.to_thread(_lag, settings):
            return
        await asyncio.sleep(race.POLL)  # the broker has no way to tell us of its own accord
    raise SystemExit(f"Restock did not finish: {worker.last_words()}")


def _lag(settings: Settings) -> float:
    with urllib.request.urlopen(f"http://{settings.metrics_bind}/metrics") as answer:
        text = answer.read().decode()
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == metrics.RESTOCK_LAG.name
    )


async def _alerts(settings: Settings) -> int:
    return sum((await log.ends_of(settings, settings.topic_prefix + topics.ALERTS)).values())
