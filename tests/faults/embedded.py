"""`tillstream up` on a data folder of its own: stopped, killed and started again; and producers that go on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager, suppress

import psutil

from schemas.topics import RECEIPTS, STOCK
from tests.conftest import REPOSITORY
from tests.faults.harness import log_of
from tests.faults.hooks import configured
from tests.faults.load import is_movement
from tests.faults.oracle import Oracle
from tests.integration.programs import Program, none_left
from tillstream import ch
from tillstream.local.launch import free_port, settings_environment
from tillstream.publish import Publisher, partition_of
from tillstream.reconcile.run import reconcile
from tillstream.settings import Settings

PATIENCE = 240.0
PER_SECOND = 400


class Stand:
    """One data folder, and the `up` that runs on it; its only endpoint is the receiver, where there is one."""

    def __init__(self, folder, receiver=None):
        self.settings, self._environment = (
            Settings(
                kafka_url=f"kafka://127.0.0.1:{free_port()}",
                clickhouse_url=f"http://127.0.0.1:{free_port()}/tillstream",
                metrics_bind=f"127.0.0.1:{free_port()}",
                partitions=4,
                data_dir=folder,
            ),
            _environment,
        )
        if receiver is not None:
            file = folder.with_suffix(".toml")
            self.settings, self._environment = configured(self.settings, _environment, file, receiver)
        self.recoveries = []

    def start(self):
        self.begun = time.monotonic()
        self.up = Program(["up"], self._environment(self.settings))

    async def ready(self, line="ready", times=1):
        """Return once `up` has said so, so many times, and note how long that took."""
        await self.says(line, times)
        self.recoveries.append(time.monotonic() - self.begun)

    async def says(self, line, times=1):
        """Return once so many lines hold the text."""
        async with asyncio.timeout(PATIENCE):
            while sum(line in text for text in [*self.up.out, *self.up.err]) < times:
                assert self.up.process.poll() is None, self.up.everything()
                await asyncio.sleep(0.05)

    async def kill_all(self):
        processes = [psutil.Process(self.up.process.pid), *psutil.Process(self.up.process.pid).children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(self.up.process.wait)
        assert await asyncio.to_thread(none_left, processes[1:])

    async def stop(self):
        assert await asyncio.to_thread(self.up.ends, signal.SIGTERM, 90) == 0, self.up.everything()

    async def judged(self):
        """(log, differences), once everything was counted; reconcile must agree with the oracle."""
        report = await reconcile(self.settings, wait=PATIENCE)
        oracle, log = Oracle(self.settings.window, self.settings.grace), await log_of(self.settings)
        for messages in log:
            oracle.take(messages)
        with ch.connect(self.settings) as client:
            differences = oracle.differences(client)
            places = client.query("SELECT partition, offset, transaction_id FROM receipts FINAL").result_rows
        assert (differences == 0) == (report.different == 0), f"oracle: {differences}, reconcile: {report.different}"
        foreign = [row for row in places if f'"transaction_id": "{row[2]}"'.encode() not in log[row[0]][row[1]]]
        assert not foreign, "rows of receipts that the log does not hold at their place"
        return log, differences


def _environment(settings):
    return {**os.environ, **settings_environment(settings), "PYTHONPATH": str(REPOSITORY)}


@asynccontextmanager
async def publishing(settings, sent):
    """Receipts and movements go on through whatever happens; gives the list of what Kafka has acknowledged."""
    acknowledged, enough = [], asyncio.Event()

    async def run():
        async with Publisher(settings, RECEIPTS) as receipts, Publisher(settings, STOCK) as stock:
            many = PER_SECOND // 20
            while not enough.is_set():
                of_partition = {}
                for store, value in (next(sent) for _ in range(many)):
                    publisher = stock if is_movement(value) else receipts
                    place = publisher, partition_of(store.encode(), publisher.partitions)
                    of_partition.setdefault(place, []).append((store.encode(), value))
                for (publisher, partition), records in of_partition.items():
                    await publisher.send(partition, records)
                    acknowledged.extend(value for _, value in records)
                await asyncio.sleep(1 / 20)  # the pace of the load

    running = asyncio.create_task(run())
    try:
        yield acknowledged
    finally:
        enough.set()
        await running
