"""Publishing: in order, each receipt acknowledged, through outages; and the command that does it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import Stop, Unavailable
from schemas.topics import RECEIPTS
from tests.proxy import Proxy
from tests.unit.schemas.receipts import RECEIPT, encoded
from tillstream import ch, kafka, topic_admin
from tillstream.local.broker import broker_argv
from tillstream.local.launch import EmbeddedServer, free_port
from tillstream.outgoing import Outgoing
from tillstream.pacing import Pace
from tillstream.publish import partition_of
from tillstream.read_ahead import read_ahead
from tillstream.replay import publish
from tillstream.settings import Settings
from tillstream.waiting import admin, wait_for_kafka

pytestmark = pytest.mark.integration


def outgoing(number, store="12"):
    return Outgoing(store, number * 1_000_000, b"%d" % number, 1)


async def values(settings):
    """What stands in pos.receipts: (key, value) of each record by partition, in order."""
    found = {}
    async with AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        parts = [TopicPartition(settings.topic_prefix + RECEIPTS, n) for n in range(settings.partitions)]
        for part, end in (await kafka.end_offsets(consumer, parts)).items():
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            rows = found[part.partition] = []
            while await consumer.position(part) < end:
                records = (await consumer.getmany(part, timeout_ms=500)).get(part, [])
                rows += [(record.key, record.value) for record in records]
    return found


@pytest.mark.parametrize(
    ("key", "place"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)]
)
def test_a_key_goes_where_kafkas_own_partitioner_sends_it(key, place):
    """The hashes are those of Kafka's own test of its murmur2 (UtilsTest)."""
    assert partition_of(key, 1000) == (place & 0x7FFFFFFF) % 1000


@pytest.mark.parametrize(
    ("at", "now", "wait"), [(0, 100.0, 0.0), (60, 100.0, 1.0), (60, 100.4, 0.6), (-60, 100.0, 0.0)]
)
def test_a_receipt_is_due_at_its_own_time_divided_by_the_speed(at, now, wait):
    assert Pace(0, 100.0, 60).wait(at * 1_000_000, now) == pytest.approx(wait)


async def test_reading_ahead_gives_all_items_in_order_and_then_the_error():
    def source():
        yield from range(10_000)
        raise Stop("the file ends badly")

    found = []
    with pytest.raises(Stop, match="ends badly"):  # noqa: PT012  # the error comes in the middle of the loop
        async for items in read_ahead(source(), 100):
            assert 1 <= len(items) <= 100
            found += items
    assert found == list(range(10_000))


async def test_reading_ahead_runs_no_further_than_asked():
    taken = []

    def source():
        for number in range(1_000):
            taken.append(number)
            yield number

    ahead = read_ahead(source(), 5)
    first = await anext(ahead)
    assert len(taken) <= len(first) + 5 + 1
    await ahead.aclose()


async def test_receipts_of_a_store_keep_their_order_and_all_are_acknowledged(migrated):
    sent = [outgoing(number, store=str(number % 7)) for number in range(5_000)]
    seen = []
    done = await publish(migrated, sent, on_progress=seen.append)
    assert (done.receipts, done.lines, sum(seen)) == (5_000, 5_000, 5_000)
    for rows in (await values(migrated)).values():
        for store in {key for key, _ in rows}:
            numbers = [int(value) for key, value in rows if key == store]
            assert numbers == [int(one.value) for one in sent if one.store_id.encode() == store]


async def test_an_outage_is_waited_out_said_once_and_loses_nothing(tmp_path):
    """The broker advertises the proxy, so that every connection passes it."""
    behind, before = free_port(), free_port()
    argv = broker_argv("127.0.0.1", behind)
    argv[argv.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{before}"
    broker = EmbeddedServer(argv, tmp_path / "broker.log")
    broker.start()
    settings = Settings(kafka_url=f"kafka://127.0.0.1:{before}", partitions=2, data_dir=tmp_path)
    said, cut, noticed, is_cut = [], asyncio.Event(), asyncio.Event(), threading.Event()
    try:
        async with Proxy(behind, before) as proxy:
            await wait_for_kafka(settings, 30)
            async with admin(settings) as client:
                await topic_admin.create_missing(client, topic_admin.wanted(settings))

            async def outage():
                await cut.wait()
                await proxy.cut()
                is_cut.set()
                await noticed.wait()
                await proxy.restore()

            def notice(sentence):
                said.append(sentence)
                noticed.set()

            def receipts():
                for number in range(30_000):
                    if number == 8_000:
                        loop.call_soon_threadsafe(cut.set)
                        assert is_cut.wait(30)  # this runs in a thread of its own
                    yield outgoing(number)

            loop = asyncio.get_running_loop()
            task = asyncio.create_task(outage())
            done = await publish(settings, receipts(), on_wait=notice)
            await task
            rows = [int(value) for rows in (await values(settings)).values() for _, value in rows]
    finally:
        broker.stop()
    assert done.receipts == 30_000
    assert sorted(set(rows)) == list(range(30_000))
    firsts = list(dict.fromkeys(rows))
    assert firsts == sorted(firsts), "a repeated batch never overtakes a later one"
    assert "waiting, nothing is lost" in said[0]


async def test_a_missing_topic_and_a_broker_that_is_away_are_told_at_the_start(settings, monkeypatch):
    with pytest.raises(Stop, match="has no topic"):
        await publish(settings, [outgoing(1)])
    monkeypatch.setattr("tillstream.publish._START_SECONDS", 0.3)
    away = settings.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{free_port()}"})
    with pytest.raises(Unavailable):
        await publish(away, [outgoing(1)])


def test_products_are_loaded_and_the_newest_row_of_a_sku_holds(migrated, environment, tmp_path):
    file = tmp_path / "products.csv"
    run = [sys.executable, "-m", "tillstream", "products", str(file), "--json"]
    for name in ("Milk", "Whole milk"):
        file.write_text(f"sku,name,brand\n1,{name},Tine\n", "utf-8")
        done = subprocess.run(run, env=environment(migrated), capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["products"] == 1
    with ch.connect(migrated) as client:
        found = client.query("SELECT sku, name, brand, category FROM products FINAL").result_rows
    assert found == [("1", "Whole milk", "Tine", "")]


def test_the_command_publishes_every_kind_of_source(migrated, environment, tmp_path):
    def replay(*argv, code=0, **more):
        run = [sys.executable, "-m", "tillstream", "replay", *argv, "--json"]
        done = subprocess.run(run, env=environment(migrated), capture_output=True, check=False, **more)
        assert done.returncode == code, done.stderr.decode()
        return json.loads(done.stdout)

    journey = replay("complete-journey", "--limit", "300")
    assert (journey["receipts"], journey["refused"]) == (300, 0)
    with ch.connect(migrated) as client:
        assert client.query("SELECT uniqExact(sku) FROM products").result_rows == [(92_331,)]
    good = encoded(RECEIPT) + b"\n"
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_bytes(good + b"{\n" + good)
    told = replay(str(mixed), code=1)
    assert (told["receipts"], told["lines"], told["refused"]) == (2, 4, 1)
    assert told["refusals"][0]["line"] == 2
    assert replay("-", input=good)["receipts"] == 1
    table = tmp_path / "a.csv"
    table.write_text(
        "transaction_id,store_id,occurred_at,currency,sku,quantity,amount\nt,12,2026-11-23T17:05:09Z,NOK,a,1,1\n"
    )
    assert replay(str(table))["receipts"] == 1
    assert replay("complete-journey", "--limit", "20", "--speed", "1000000", "--no-products")["receipts"] == 20
    found = asyncio.run(values(migrated))
    assert sum(map(len, found.values())) == 300 + 2 + 1 + 1 + 20
    assert (b"12", encoded(RECEIPT)) in found[partition_of(b"12", migrated.partitions)]
