"""What `tillstream status` and the gauges say of an installation in which something is odd."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from schemas.topics import RECEIPTS
from tests.integration.harness import ready, roles, settled
from tests.unit.schemas.receipts import RECEIPT, encoded
from tillstream import kafka, store_partitions

pytestmark = pytest.mark.integration


def receipt(number, day, store="12"):
    at = f"2026-10-{day:02}T10:00:00Z"
    return encoded({**RECEIPT, "transaction_id": f"t{number}", "store_id": store, "occurred_at": at})


async def send(settings, *sent):
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        for partition, value in sent:
            store = json.loads(value)["store_id"]
            await producer.send_and_wait(
                settings.topic_prefix + RECEIPTS, value, key=store.encode(), partition=partition
            )


def status(command, settings, code=0):
    return json.loads(command(settings, "status", "--json", code=code).out)


def test_an_installation_that_is_not_migrated_is_told_what_to_do(settings, command):
    told = status(command, settings, code=1)
    assert "tillstream migrate" in told["away"]["topics"]
    assert told["kafka"]["brokers"] == 1


def test_stores_in_two_partitions_and_receipts_counted_twice_are_named(migrated, environment, command):
    sent = [
        (0, receipt(1, 1)), (0, receipt(1, 1)),  # a duplicate
        (0, receipt(2, 9)),  # closes the window of t1
        (0, receipt(1, 10)),  # t1 again with a new time: counts twice
        (0, receipt(3, 2)),  # late
        (0, receipt(2, 10)),  # a duplicate with a new time while its window is open
        (1, receipt(4, 1)), (1, receipt(5, 1, store="13")),  # store 12 in another partition
    ]  # fmt: skip

    async def run():
        await ready(migrated)
        await send(migrated, *sent)
        return await settled(migrated, len(sent))

    with roles(environment, migrated, "worker", "sink"):
        report = asyncio.run(run())
        told = status(command, migrated)
        shown = command(migrated, "status").out
        asyncio.run(one_report(migrated))
    assert report.counts == {"folded": 5, "duplicate": 2, "late": 1, "rejected": 0, "ignored": 0}
    assert told["away"] == {}
    assert told["counts"] == report.counts
    assert told["stores_in_two_partitions"] == [{"store_id": "12", "partitions": [0, 1]}]
    (pair,) = told["counted_twice"]
    assert (pair["store_id"], pair["transaction_id"], pair["copy_offset"]) == ("12", "t1", 3)
    assert (pair["first_occurred_at"], pair["copy_occurred_at"]) == ("2026-10-01T10:00:00Z", "2026-10-10T10:00:00Z")
    assert {lag["role"] for lag in told["lag"]} == {"worker", "clickhouse", "ledger"}
    assert all(lag["records"] == 0 for lag in told["lag"])
    assert told["epoch"] == {"epoch": 1, "window_seconds": 300, "grace_seconds": 345_600}
    assert "receipts: 8 = 5 folded + 2 duplicate + 1 late + 0 rejected + 0 ignored" in shown
    assert "counted twice" in shown
    assert REGISTRY.get_sample_value("tillstream_store_partitions", {"store_id": "12"}) == 2
    assert REGISTRY.get_sample_value("tillstream_store_partitions", {"store_id": "13"}) is None


async def one_report(settings):
    """One round of the gauge's reporter."""
    stop = asyncio.Event()
    task = asyncio.create_task(store_partitions.report(settings, stop))
    async with asyncio.timeout(30):
        while REGISTRY.get_sample_value("tillstream_store_partitions", {"store_id": "12"}) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the reporter has nobody to tell
    stop.set()
    await task
