"""What `tillstream status` and the gauges say of an installation in which something is odd."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY
from pydantic import SecretStr

from schemas import delivery as messages
from schemas.delivery import EndpointState
from schemas.topics import RECEIPTS
from sinks import deliveries
from sinks.store import ClickHouseStore
from tests.integration.harness import ready, roles, settled
from tests.unit.schemas.receipts import RECEIPT, encoded
from tests.unit.sinks.records import Record
from tests.unit.sinks.webhooks.samples import NOW, SECRET, delivery
from tillstream import ch, kafka, store_partitions
from tillstream.local.launch import free_port

pytestmark = pytest.mark.integration


def receipt(number, day, store="12", kind="sale"):
    at = f"2026-10-{day:02}T10:00:00Z"
    return encoded({**RECEIPT, "transaction_id": f"t{number}", "store_id": store, "occurred_at": at, "type": kind})


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


def test_settings_that_do_not_fit_are_named_and_the_rest_is_told(migrated, command):
    other = migrated.model_copy(update={"partitions": 3, "window": timedelta(minutes=1)})
    told = status(command, other, code=1)
    assert set(told["away"]) == {"topics", "settings"}, told["away"]
    assert "has 4 partitions, not 3" in told["away"]["topics"]
    assert "TILLSTREAM_WINDOW is 60 s, but epoch 1 was computed with 300 s" in told["away"]["settings"]
    assert {topic["partitions"] for topic in told["topics"]} == {1, 4}
    assert told["epoch"]["window_seconds"] == 300
    assert len(told["lag"]) == 9
    assert told["counts"]["folded"] == 0


def test_one_that_is_away_is_said_and_the_other_is_told(migrated, command):
    nobody = free_port()
    told = status(command, migrated.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{nobody}"}), code=1)
    assert told["away"] == {"kafka": f"Kafka at 127.0.0.1:{nobody} does not answer: connection refused"}
    assert told["clickhouse"]["version"]
    assert told["counted_twice"] == {"found": 0, "newest": [], "incomplete": None}
    away = SecretStr(f"http://127.0.0.1:{nobody}/nowhere")
    told = status(command, migrated.model_copy(update={"clickhouse_url": away}), code=1)
    assert set(told["away"]) == {"clickhouse"}
    assert len(told["lag"]) == 9


def test_stores_in_two_partitions_and_receipts_counted_twice_are_named(migrated, environment, command):
    sent = [
        (0, receipt(1, 1)), (0, receipt(1, 1)),  # a duplicate
        (0, receipt(1, 2, kind="post_void")),  # no copy: it takes t1 back
        (0, receipt(2, 9)),  # closes the window of t1
        (0, receipt(1, 10)),  # t1 again with a new time: counts twice
        (0, receipt(3, 2)),  # late
        (0, receipt(1, 1)),  # and once more as it was: a duplicate
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
    assert report.counts == {"folded": 6, "duplicate": 3, "late": 1, "rejected": 0, "ignored": 0}
    assert told["away"] == {}
    assert told["counts"] == report.counts
    assert told["stores_in_two_partitions"] == [{"store_id": "12", "partitions": [0, 1]}]
    twice = told["counted_twice"]
    assert (twice["found"], twice["incomplete"]) == (1, None)
    (pair,) = twice["newest"]
    assert (pair["store_id"], pair["transaction_id"]) == ("12", "t1")
    assert (pair["first_offset"], pair["copy_offset"], pair["reversal"]) == (0, 4, False)
    assert (pair["first_occurred_at"], pair["copy_occurred_at"]) == ("2026-10-01T10:00:00Z", "2026-10-10T10:00:00Z")
    assert {lag["role"] for lag in told["lag"]} == {"worker", "clickhouse", "ledger"}
    assert all(lag["records"] == 0 for lag in told["lag"])
    assert told["epoch"] == {"epoch": 1, "window_seconds": 300, "grace_seconds": 345_600}
    assert "receipts: 10 = 6 folded + 3 duplicate + 1 late + 0 rejected + 0 ignored" in shown
    assert "1 receipt counted twice" in shown
    assert REGISTRY.get_sample_value("tillstream_store_partitions", {"store_id": "12"}) == 2
    assert REGISTRY.get_sample_value("tillstream_store_partitions", {"store_id": "13"}) is None


def test_endpoints_that_are_disabled_or_for_which_something_waits_are_told(migrated, command, tmp_path, monkeypatch):
    file = tmp_path / "tillstream.toml"
    table = '[[webhooks]]\nname = "{0}"\nurl = "https://{0}.example/"\nsecret = "{1}"\n'
    file.write_text(table.format("erp", SECRET) + table.format("dead", SECRET), "utf-8")
    monkeypatch.setenv("TILLSTREAM_CONFIG", str(file))
    given = [
        *(delivery(webhook_id=f"msg_{number}", state="pending") for number in range(3)),
        delivery(webhook_id="msg_1", state="requested"), delivery(webhook_id="msg_2", state="delivered"),
        delivery(webhook_id="msg_3", endpoint="former"),
        delivery(webhook_id="msg_4", endpoint="older", state="failed"),
        EndpointState(endpoint="dead", state="failing", since=NOW - 1, reason="answered 500", at=NOW),
        EndpointState(endpoint="dead", state="disabled", since=NOW, reason="answered 410", at=NOW),
    ]  # fmt: skip
    records = [Record(value=messages.encode(one), offset=offset) for offset, one in enumerate(given)]
    ClickHouseStore("test", partial(ch.connect, migrated)).write(deliveries.prepare(records))
    told = status(command, migrated)
    assert told["away"] == {}, "a receiver that is away is no fault of this installation"
    assert told["webhooks"] == [
        {"endpoint": "erp", "configured": True, "state": "ok", "since": None, "reason": "", "waiting": 2},
        {"endpoint": "dead", "configured": True, "state": "disabled", "since": "2026-11-23T17:05:09Z",
         "reason": "answered 410", "waiting": 0},
        {"endpoint": "former", "configured": False, "state": "ok", "since": None, "reason": "", "waiting": 1},
    ]  # fmt: skip
    shown = command(migrated, "status").out
    assert re.search(r"dead\W+disabled\W+2026-11-23T17:05:09Z\W+0\W+answered 410", shown.replace(" 17:", "T17:")), shown
    assert re.search(r"former\W+not in \[\[webhooks\]\]\W+1", shown), shown


async def one_report(settings):
    """One round of the gauge's reporter."""
    stop = asyncio.Event()
    task = asyncio.create_task(store_partitions.report(settings, stop))
    async with asyncio.timeout(30):
        while REGISTRY.get_sample_value("tillstream_store_partitions", {"store_id": "12"}) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the reporter has nobody to tell
    stop.set()
    await task
