"""From a receipt's acknowledgement by Kafka until its totals can be read in SQL, at an even pace of lines.

    python bench/latency.py [--rate 10000] [--seconds 60] [--broker embedded] [--write] [--json]

A worker, a sink and an embedded ClickHouse run beside a fresh broker, all of them on this machine. The demo's receipts
are published at the pace that is asked for. Each one's clock starts when Kafka acknowledges it and stops when an
answer of ClickHouse holds its partition's count of messages up to its offset: a sink writes that count after the rows
of the same flush. The first seconds, in which everything warms up, are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer
from lib import broker, machine, told
from lib.side_by_side import tillstream, with_clickhouse
from lib.waits import waits

from schemas import topics
from tillstream import ch, console, kafka, migrate
from tillstream.groups import groups_of, wait_until_assigned
from tillstream.local import demo_data
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse

LOOK = 0.02
PATIENCE = 120.0
READABLE = "SELECT partition, max(version) FROM partition_results GROUP BY partition"
HEAD = ["what", "p50, s", "p90, s", "p99, s", "longest, s"]


class Readable(threading.Thread):
    """Looks, again and again, up to which offset each partition can be read: `seen`, (moment, offsets by partition)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._over = threading.Event()
        self.seen: list[tuple[float, dict[int, int]]] = []

    def run(self) -> None:
        with ch.connect(self._settings) as client:
            while not self._over.wait(LOOK):
                found = dict(client.query(READABLE).result_rows)
                self.seen.append((time.monotonic(), found))

    def until(self, offsets: dict[int, int]) -> None:
        """Return once all of these can be read."""
        deadline = time.monotonic() + PATIENCE
        while not (self.seen and all(self.seen[-1][1].get(part, -1) >= at for part, at in offsets.items())):
            if time.monotonic() > deadline:
                raise SystemExit(f"The last receipts could not be read within {PATIENCE:.0f} s.")
            time.sleep(LOOK)

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


async def published(settings: Settings, rate: float, seconds: float) -> tuple[list[tuple[float, int, int]], int]:
    """((moment of the acknowledgement, partition, offset) of each receipt, lines); published at an even pace."""
    acknowledged: list[tuple[float, int, int]] = []

    def note(sent: asyncio.Future[Any]) -> None:
        record = sent.result()
        acknowledged.append((time.monotonic(), record.partition, record.offset))

    lines = 0
    options = kafka.client_options(settings)
    with console.progress() as bar:
        task = bar.add_task(f"{rate:,.0f} lines/s", total=rate * seconds, rate="")
        async with AIOKafkaProducer(**options, linger_ms=5, acks="all", compression_type="zstd") as producer:
            begun = time.monotonic()
            for one in demo_data.receipts():
                ahead = lines / rate - (time.monotonic() - begun)
                if ahead > 0.001:
                    await asyncio.sleep(ahead)  # the pace
                    bar.update(task, completed=lines)
                if lines >= rate * seconds:
                    break
                sent = await producer.send(
                    settings.topic_prefix + topics.RECEIPTS, one.value, key=one.store_id.encode()
                )
                sent.add_done_callback(note)
                lines += one.lines
            took = time.monotonic() - begun
            await producer.flush()
    if took > seconds * 1.05 + 1:
        raise SystemExit(f"This machine published only {lines / took:,.0f} lines/s.")
    return acknowledged, lines


async def measured(kind: broker.Kind, rate: float, seconds: float, warm_up: float) -> dict[str, Any]:
    """One run at one pace."""
    load = machine.load()
    with ExitStack() as stack:
        on_broker = stack.enter_context(broker.fresh_broker(timedelta(minutes=5), kind))
        settings, _ = stack.enter_context(with_clickhouse(on_broker))
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it is asked before it listens
        await wait_for_clickhouse(settings, quietly=True)
        await migrate.migrate(settings)
        for role in ("sink", "worker"):
            stack.enter_context(tillstream(role, settings))
        await wait_until_assigned(settings, groups_of(settings, "worker", 1) + groups_of(settings, "sink", 1))
        readable = Readable(settings)
        readable.start()
        stack.callback(readable.stop)
        acknowledged, lines = await published(settings, rate, seconds + warm_up)
        last: dict[int, int] = {}
        for _, partition, offset in acknowledged:
            last[partition] = max(offset, last.get(partition, -1))
        await asyncio.to_thread(readable.until, last)
    wait = waits(acknowledged, readable.seen, warm_up)
    p50, p90, p99 = (float(one) for one in np.percentile(wait, [50, 90, 99]))
    return {
        "machine": machine.machine(), "load_before": round(load, 1), "broker": broker.NAMES[kind], "rate": rate,
        "receipts": len(wait), "lines": lines, "p50": p50, "p90": p90, "p99": p99, "longest": float(wait.max()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=10_000, help="lines a second")
    parser.add_argument("--seconds", type=float, default=60, help="measured, after the warm-up")
    parser.add_argument("--warm-up", type=float, default=10, help="seconds before them")
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = asyncio.run(measured(given.broker or broker.best(), given.rate, given.seconds, given.warm_up))
    row = [
        "acknowledged by Kafka until readable in SQL",
        *(f"{found[name]:.2f}" for name in ("p50", "p90", "p99", "longest")),
    ]
    said = (
        f"{found['receipts']:,} receipts at {given.rate:,.0f} lines/s, with {found['broker']}, worker, sink and"
        f" ClickHouse on {found['machine']}."
    )
    told.tell(given, found, "latency", "latency", [HEAD, row], said)


if __name__ == "__main__":
    main()
