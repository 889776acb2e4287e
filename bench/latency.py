"""From a receipt's acknowledgement by Kafka until SQL shows it, and until its alert's webhook comes, at an even pace.

    python bench/latency.py [--rate 10000] [--seconds 60] [--alerts 20] [--broker embedded] [--write] [--json]

A worker, a sink and an embedded ClickHouse run beside a fresh broker, all of them on this machine. The demo's receipts
are published at the pace of lines that is asked for. Each one's clock starts when Kafka acknowledges it, and stops

- when an answer of ClickHouse holds its partition's count of messages up to its offset: a sink writes that count after
  the rows of the same flush;
- of a receipt that takes the last unit off a shelf: when the webhook that says so has come. Before the first receipt,
  shelves are counted such that so many a second get empty, all along; the receipts themselves say which one does it.

The first seconds, in which everything warms up, are left out. A webhook that does not come, or comes twice, ends the
benchmark with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer
from lib import broker, machine, told
from lib.hook_waits import faults, hook_waits, missing
from lib.hooks import LOOK, PATIENCE, Hooks
from lib.paced import first, published
from lib.readable import Readable
from lib.shelves import Shelf, counts, shelves
from lib.side_by_side import tillstream, with_clickhouse
from lib.waits import waits

from schemas import topics
from tillstream import ch, kafka, migrate
from tillstream.groups import groups_of, wait_until_assigned
from tillstream.local import demo_data
from tillstream.outgoing import Outgoing
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse

HEAD = ["acknowledged by Kafka until", "p50, s", "p90, s", "p99, s", "longest, s"]
FIGURES = ("p50", "p90", "p99", "longest")


async def counted(settings: Settings, receipts: list[Outgoing], shelves_: list[Shelf]) -> None:
    """Publish the counts, and return once restock knows all of them."""
    async with AIOKafkaProducer(**kafka.client_options(settings), linger_ms=5, acks="all") as producer:
        for one in counts(shelves_, receipts[0].occurred_at):
            await producer.send(settings.topic_prefix + topics.STOCK, one.value, key=one.store_id.encode())
        await producer.flush()
    deadline = time.monotonic() + PATIENCE
    with ch.connect(settings) as client:
        while (taken := client.query("SELECT count() FROM stock_now").first_row[0]) < len(shelves_):
            if time.monotonic() > deadline:
                raise SystemExit(f"Of {len(shelves_):,} counts {taken:,} were taken up within {PATIENCE:.0f} s.")
            await asyncio.sleep(LOOK)


def told_of_all(hooks: Hooks, shelves_: list[Shelf]) -> None:
    """Return once a webhook has come for each shelf; raises SystemExit where it does not, or one came twice."""
    deadline = time.monotonic() + PATIENCE
    while missing(shelves_, hooks.got) and time.monotonic() < deadline:
        time.sleep(LOOK)
    if found := faults(shelves_, hooks.got):
        raise SystemExit(f"{'; '.join(found)}.")
    if hooks.unverified:
        raise SystemExit(f"{hooks.unverified:,} webhooks were not signed as they must be.")


def figures(wait: np.ndarray[Any, Any]) -> dict[str, float]:
    """What the table says of them."""
    if not len(wait):
        raise SystemExit("Nothing was acknowledged after the warm-up: give it more seconds.")
    p50, p90, p99 = (float(one) for one in np.percentile(wait, [50, 90, 99]))
    return {"p50": p50, "p90": p90, "p99": p99, "longest": float(wait.max())}


async def measured(kind: broker.Kind, rate: float, seconds: float, warm_up: float, alerts: float) -> dict[str, Any]:
    """One run at one pace."""
    load = machine.load()
    receipts = first(demo_data.receipts(), rate * (seconds + warm_up))
    empty = shelves(receipts, rate / alerts)
    with ExitStack() as stack:
        on_broker = stack.enter_context(broker.fresh_broker(timedelta(minutes=5), kind))
        hooks = stack.enter_context(Hooks())
        settings, _ = stack.enter_context(with_clickhouse(hooks.settings(on_broker)))
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it is asked before it listens
        await wait_for_clickhouse(settings, quietly=True)
        await migrate.migrate(settings)
        for role in ("sink", "worker"):
            environment = hooks.environment(settings.data_dir.parent)
            stack.enter_context(tillstream(role, settings, environment=environment))
        await wait_until_assigned(settings, groups_of(settings, "worker", 1) + groups_of(settings, "sink", 1))
        await counted(settings, receipts, empty)
        readable = Readable(settings)
        readable.start()
        stack.callback(readable.stop)
        acknowledged = await published(settings, receipts, rate)
        last: dict[int, int] = {}
        for _, partition, offset in acknowledged:
            last[partition] = max(offset, last.get(partition, -1))
        await asyncio.to_thread(readable.until, last)
        await asyncio.to_thread(told_of_all, hooks, empty)
    read = waits(acknowledged, readable.seen, warm_up)
    hooked = hook_waits(empty, hooks.got, acknowledged, warm_up)
    return {
        "machine": machine.machine(), "load_before": round(load, 1), "broker": broker.NAMES[kind], "rate": rate,
        "receipts": len(read), "lines": sum(one.lines for one in receipts), **figures(read),
        "webhook": {"tracked": len(empty), "webhooks": len(hooked), "received": len(hooks.got), **figures(hooked)},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=10_000, help="lines a second")
    parser.add_argument("--seconds", type=float, default=60, help="measured, after the warm-up")
    parser.add_argument("--warm-up", type=float, default=10, help="seconds before them")
    parser.add_argument("--alerts", type=float, default=20, help="shelves that get empty a second")
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    kind = given.broker or broker.best()
    found = asyncio.run(measured(kind, given.rate, given.seconds, given.warm_up, given.alerts))
    hook = found["webhook"]
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    rows = [
        [what, *(f"{of[name]:.2f}" for name in FIGURES)]
        for what, of in (("readable in SQL", found), ("received as a webhook", hook))
    ]
    said = (
        f"{found['receipts']:,} receipts at {given.rate:,.0f} lines/s, {hook['webhooks']:,} webhooks of shelves that"
        f" they emptied, of {hook['tracked']:,} that were tracked ({hook['received']:,} webhooks came in all), with"
        f" {found['broker']}, worker, sink and ClickHouse on {found['machine']}.{busy}"
    )
    told.tell(given, found, "latency", "latency", [HEAD, *rows], said)


if __name__ == "__main__":
    main()
