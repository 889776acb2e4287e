"""Restock's start: read back from a snapshot and the feed's tail, and from the feed's beginning, in alternation.

    python bench/restart.py [--messages 50000] [--rounds 3] [--broker kafka] [--write] [--json]

One partition's feed has so many messages, each a store's purchases of twenty tracked SKUs. A worker's restock part
takes it all in and writes snapshots by its own rules. Then each of the two starts, timed until all of the feed is in,
and both must know the same.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaProducer
from lib import broker, log, machine, told
from lib.figures import Spread

from schemas import feed, topics
from schemas.feed import Movement, Sales, purchases_of
from streams.flush import Role
from streams.framed import Message
from streams.outlet import KafkaOutlet
from streams.restock.state import RestockState
from streams.restock_part import SENT, RestockPart
from streams.restocking import Restocking
from streams.snapshots import SnapshotWriter
from streams.tracking import Tracking
from streams.windows import Windows
from tillstream import console, kafka
from tillstream.settings import Settings

STORES, SKUS, BOUGHT = 40, 250, 20
MINUTE, UNIT = 60_000_000, 100_000
BEGIN = 1_764_000_000_000_000
LONGEST = 600.0
WAYS = {"with snapshots": topics.SNAPSHOTS, "from the beginning": topics.LATE}  # the latter holds none


def messages(many: int) -> Iterator[feed.FeedMessage]:
    """Every shelf is counted, then so many messages of sales, a minute of its store's time each."""
    window = 5 * MINUTE
    for number in range(STORES * SKUS):
        store, sku = divmod(number, SKUS)
        yield Movement(
            offset=number, movement_id=f"m{number}", store_id=f"{store}", sku=f"sku-{sku}", kind="count",
            quantity=10_000_000 * UNIT, occurred_at=BEGIN,
        )  # fmt: skip
    for number in range(many):
        minute, store = divmod(number, STORES)
        at = BEGIN + minute * MINUTE
        skus = [f"sku-{(number * 7 + step * 11) % SKUS}" for step in range(BOUGHT)]
        bought = {} if minute == 0 else {"NOK": {sku: [number, at, UNIT, 0, 20_000] for sku in skus}}
        yield Sales(
            log=1, offset=number, store_id=f"{store}", watermark=at,
            receipts=[[at - at % window, BOUGHT * (minute % 5 + 1)]], purchases=purchases_of(bought),
            opened={"NOK": {f"sku-{sku}": [] for sku in range(SKUS)}} if minute == 0 else {},
        )  # fmt: skip


async def publish(settings: Settings, many: int) -> tuple[int, int]:
    """Into the feed, and an alert that says that all were sent; gives (messages, bytes)."""
    count = size = 0
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all", linger_ms=20) as producer:
        for one in messages(many):
            value = feed.encode(one)
            await producer.send(settings.topic_prefix + topics.FEED, value, partition=0)
            count, size = count + 1, size + len(value)
        sent = [(SENT, str(count).encode())]
        await producer.send(settings.topic_prefix + topics.ALERTS, b"{}", partition=0, headers=sent)
        await producer.flush()
    return count, size


class OnlySnapshots:
    """Where a part sends to: snapshots to Kafka, all else nowhere."""

    def __init__(self, kafka_outlet: KafkaOutlet) -> None:
        self._kafka = kafka_outlet

    async def send(self, role: Role, partition: int, told: Sequence[Message]) -> None:
        """Hand snapshots over."""
        if role == "snapshots":
            await self._kafka.send(role, partition, told)

    async def acknowledged(self) -> None:
        """Wait for them."""
        await self._kafka.acknowledged()


async def start(settings: Settings, snapshots: str, *, writes: bool) -> tuple[float, int, RestockState]:
    """Have a part read back what there is; gives (seconds, messages read, the state)."""
    prefix, ended = settings.topic_prefix, asyncio.get_running_loop().create_future()
    names = {"feed": prefix + topics.FEED, "alerts": prefix + topics.ALERTS, "stock": prefix + topics.STOCK}

    async def crash(fault: BaseException) -> None:
        ended.set_exception(fault)

    async def nothing() -> None:
        pass

    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all", max_batch_size=2 * 2**20) as producer:
        outlet = OnlySnapshots(KafkaOutlet(lambda: producer, {"snapshots": prefix + topics.SNAPSHOTS}, nothing))
        writer = SnapshotWriter(0, outlet, None if writes else 1 << 62)
        state = RestockState(Windows(settings.window_us, settings.grace_us))
        tracking = Tracking(1, missed=False)
        part = RestockPart(0, state, tracking, outlet, names["stock"], 0, writer)
        restocking = Restocking(kafka.client_options(settings), {**names, "snapshots": prefix + snapshots}, crash)
        begun = time.perf_counter()
        restocking.start([part])
        async with asyncio.timeout(LONGEST):
            while not tracking.ready:
                if ended.done():
                    ended.result()
                await asyncio.sleep(0.005)
            took = time.perf_counter() - begun
            rounds = restocking._rounds  # noqa: SLF001  # nobody else asks whether one goes on
            while writer.is_due(part.state) or not all(one.done() for one in rounds.values()):
                await asyncio.wait([asyncio.create_task(asyncio.sleep(0.05)), *rounds.values()])
        await restocking.drop()
    return took, part.read, part.state


async def measure(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    await log.create_topics(settings)
    with console.progress() as bar:
        task = bar.add_task("the feed is published", total=given.rounds * len(WAYS) + 2, rate="")
        count, size = await publish(settings, given.messages)
        bar.update(task, description="a first start writes snapshots", advance=1)
        _, _, wanted = await start(settings, topics.SNAPSHOTS, writes=True)
        bar.advance(task)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for number in range(given.rounds):
            for way, topic in WAYS.items():
                bar.update(task, description=f"round {number + 1} of {given.rounds}: {way}")
                seconds, read, state = await start(settings, topic, writes=False)
                if state != wanted:
                    raise SystemExit(f"{way}: it knows something else than who read all of it.")
                runs[way].append({"seconds": seconds, "read": read})
                bar.advance(task)
    items = sum(len(shop.items) for shop in wanted.shops.values())
    return {"messages": count, "bytes": size, "items": items, "runs": runs}


def measured(given: argparse.Namespace) -> dict[str, Any]:
    kind = given.broker or broker.best()
    load = machine.load()
    with broker.fresh_broker(timedelta(minutes=5), kind, partitions=1) as settings:
        found = asyncio.run(measure(settings, given))
    return {"machine": machine.machine(), "load_before": round(load, 1), "broker": broker.NAMES[kind],
            "rounds": given.rounds, **found}  # fmt: skip


def cells(found: dict[str, Any]) -> list[list[str]]:
    """A heading, and a row for each of them."""
    table = [["start", "s, median", "min to max", "messages read", "times faster"]]
    whole = found["runs"]["from the beginning"]
    for way, runs in found["runs"].items():
        took = Spread.of([one["seconds"] for one in runs])
        times = Spread.of([other["seconds"] / one["seconds"] for one, other in zip(runs, whole, strict=True)])
        said = "1" if runs is whole else f"{times.median:.1f} ({times.low:.1f} to {times.high:.1f})"
        table.append([way, f"{took.median:.2f}", f"{took.low:.2f} to {took.high:.2f}", f"{runs[0]['read']:,}", said])
    return table


def conditions(found: dict[str, Any]) -> str:
    """What was read."""
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    return (
        f"{found['messages']:,} messages of the feed, {found['bytes'] / 2**20:.0f} MiB, of {found['items']:,} tracked"
        f" items in one partition. With {found['broker']} on {found['machine']}, {found['rounds']} round(s) in"
        f" alternation.{busy}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measured(given)
    told.tell(given, found, "restart", "restock's start", cells(found), conditions(found))


if __name__ == "__main__":
    main()
