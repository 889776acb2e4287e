"""Restock on the embedded broker: receipts and stock movements in, alerts out, whoever works and however often."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer

from schemas import alert, feed, topics
from streams.app import run_worker
from tests.integration.test_worker import whole
from tillstream import kafka, topic_admin
from tillstream.roles import worker_config
from tillstream.waiting import admin

pytestmark = pytest.mark.integration
MORNING = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)


def receipt(number, minutes, units, store="12", sku="milk"):
    return {
        "transaction_id": f"{store}-{number}", "store_id": store, "currency": "NOK",
        "occurred_at": (MORNING + timedelta(minutes=minutes)).isoformat(),
        "lines": [{"sku": sku, "quantity": str(units), "amount": f"{2 * units}.00"}],
    }  # fmt: skip


def movement(name, kind, minutes, quantity, store="12", sku="milk", **more):
    return {
        "movement_id": name, "store_id": store, "sku": sku, "kind": kind, "quantity": str(quantity),
        "occurred_at": (MORNING + timedelta(minutes=minutes)).isoformat(), **more,
    }  # fmt: skip


async def tell(settings, topic, *messages):
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        for one in messages:
            await producer.send_and_wait(
                settings.topic_prefix + topic, json.dumps(one).encode(), key=one["store_id"].encode()
            )


class Worker:
    """A worker with restock, in this process."""

    def __init__(self, settings, log=1):
        self.settings, self.log = settings, log
        self.stop = asyncio.Event()

    async def __aenter__(self):
        ready = asyncio.Event()
        config = worker_config(self.settings, 1, self.log)
        self.running = asyncio.create_task(run_worker(config, self.stop, ready.set))
        async with asyncio.timeout(60):
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({self.running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        return self

    async def __aexit__(self, *_):
        self.stop.set()
        await self.running


async def alerts(settings):
    """Every alert so far, in the order of its partition."""
    found = await whole(settings, topics.ALERTS)
    return [alert.decode(record.value) for records in found.values() for record in records]


async def until(settings, wanted, read=alerts):
    """What is read, once `wanted` says yes to it: the alerts so far, or what else `read` reads."""
    async with asyncio.timeout(60):
        while True:
            found = await read(settings)
            if wanted(found):
                return found
            await asyncio.sleep(0.1)


async def fed(settings):
    """Every message of the feed so far."""
    return [
        feed.decode(record.value) for records in (await whole(settings, topics.FEED)).values() for record in records
    ]


async def rejected(settings):
    """Every dead letter so far."""
    return [one for records in (await whole(settings, topics.REJECTED)).values() for one in records]


async def opened(settings, sku="milk"):
    """Return once the SKU's sales are told."""

    def told(found):
        sales = [one for one in found if isinstance(one, feed.Sales)]
        return any(sku in skus for one in sales for skus in one.opened.values())

    await until(settings, told, fed)


def states(found, rule="stock_out"):
    return [one.state for one in found if one.rule == rule]


async def test_a_shelf_that_sells_out_raises_one_alert_and_a_delivery_resolves_it(migrated):
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 3))
        await opened(migrated)
        await tell(migrated, topics.RECEIPTS, receipt(2, 20, 1), receipt(3, 30, 2), receipt(3, 30, 2))
        (first,) = [
            one for one in await until(migrated, lambda found: "raised" in states(found)) if one.rule == "stock_out"
        ]
        assert (first.store_id, first.sku, first.on_hand, first.sequence) == ("12", "milk", "0", 1)
        await tell(migrated, topics.STOCK, movement("d1", "delivery", 40, 50))
        found = await until(migrated, lambda found: "resolved" in states(found))
    assert states(found) == ["raised", "resolved"]
    assert {one.alert_id for one in found if one.rule == "stock_out"} == {first.alert_id}


async def test_sales_before_the_count_was_told_come_off_it(migrated):
    # sold at 00, 20 and 25 minutes; a count of minute 10 is told after all of them
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 5), receipt(2, 20, 1), receipt(3, 25, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 2))
        found = await until(migrated, lambda found: "raised" in states(found))
    assert [one.on_hand for one in found if one.rule == "stock_out"] == ["0"]


async def test_a_restarted_worker_goes_on_and_says_nothing_twice(migrated):
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 2))
        await opened(migrated)
        await tell(migrated, topics.RECEIPTS, receipt(2, 20, 2))
        before = await until(migrated, lambda found: "raised" in states(found))
    async with Worker(migrated):
        await tell(migrated, topics.STOCK, movement("d1", "delivery", 40, 9))
        found = await until(migrated, lambda found: "resolved" in states(found))
        await tell(migrated, topics.RECEIPTS, receipt(4, 50, 9))
        found = await until(migrated, lambda found: states(found).count("raised") == 2)
    assert found[: len(before)] == before
    assert states(found) == ["raised", "resolved", "raised"]
    assert len({(one.alert_id, one.sequence) for one in found}) == len(found)


async def test_a_worker_that_loses_its_state_decides_the_same(migrated):
    # The second reads the log anew under another group, as after a restart of an embedded broker; the feed is whole.
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 4))
        await opened(migrated)
        await tell(migrated, topics.RECEIPTS, *(receipt(number, 20 + number, 1) for number in range(2, 6)))
        before = await until(migrated, lambda found: "raised" in states(found))
    async with admin(migrated) as client:
        spec = topics.changelog_spec(migrated.topic_prefix, migrated.partitions, 2)
        await topic_admin.create_missing(client, [spec])
    config = worker_config(migrated, 2, 1)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(run_worker(config, stop, ready.set))
    async with asyncio.timeout(60):
        await ready.wait()
    await tell(migrated, topics.STOCK, movement("d1", "delivery", 60, 9))
    found = await until(migrated, lambda found: "resolved" in states(found))
    await tell(migrated, topics.RECEIPTS, receipt(9, 70, 8))
    await tell(migrated, topics.RECEIPTS, receipt(10, 71, 1))
    found = await until(migrated, lambda found: states(found).count("raised") == 2)
    stop.set()
    await running
    assert found[: len(before)] == before
    assert [one.on_hand for one in found if one.rule == "stock_out"] == ["0", "9", "0"]


async def test_a_movement_that_is_none_is_rejected_with_its_reason(migrated):
    async with Worker(migrated):
        await tell(migrated, topics.STOCK, {**movement("c1", "count", 0, 1), "quantity": "-1"})
        letters = await until(migrated, bool, rejected)
    headers = dict(letters[0].headers)
    assert headers["path"] == b"$.quantity"
    assert headers["topic"].endswith(b"stock.movements")


async def test_what_people_do_goes_through_the_feed(migrated):
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 0))
        (first, *_) = await until(migrated, lambda found: "raised" in states(found))
        act = feed.Action(action_id="a1", store_id="12", alert_id=first.alert_id, kind="acknowledge", actor="me")
        policy = feed.PoliciesSet(
            version="1", since=0, rules=[feed.PolicySetting(sku="milk", reorder_point=0, order_up_to=900_000)]
        )
        async with AIOKafkaProducer(**kafka.client_options(migrated), acks="all") as producer:
            for one in (act, act, policy):
                await producer.send_and_wait(migrated.topic_prefix + topics.FEED, feed.encode(one), key=b"12")
        await tell(migrated, topics.STOCK, movement("d1", "delivery", 20, 3))
        found = await until(migrated, lambda found: "resolved" in states(found))
    assert states(found) == ["raised", "acknowledged", "resolved"]
    assert states(found, "reorder_point") == [], "3 on hand are enough by the policy"
