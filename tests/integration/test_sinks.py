"""The sink's loop on real servers: it writes, then commits; waits while ClickHouse is away; stands bad rows alone."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from schemas import topics, window
from schemas.topics import rows_group
from sinks import loop, metrics
from sinks.run import run_clickhouse_sink
from tillstream import ch, consumer_lag, kafka
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.migrate import migrate
from tillstream.waiting import admin, wait_for_clickhouse

pytestmark = pytest.mark.integration
HOUR = 3_600_000_000
START = 1_795_453_200_000_000


def message(version, units=1, start=START, day="2026-11-23", store="12"):
    rows = {"NOK": {day: {"a": [units * 100_000, 0, 10_000, 0, 0, 1, version]}}}
    return window.encode(window.WindowMessage(1, 0, store, start, 1, version, rows))


async def send(settings, *values):
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        for value in values:
            await producer.send_and_wait(settings.topic_prefix + topics.WINDOWS, value, partition=0)


@asynccontextmanager
async def sink(settings, connect=None):
    """A clickhouse sink in this process; ended as SIGTERM ends it."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        run_clickhouse_sink(
            kafka.client_options(settings),
            connect or (lambda: ch.connect(settings)),
            settings.topic_prefix,
            stop,
            ready.set,
        )
    )
    try:
        await ready.wait()
        yield task
    finally:
        stop.set()
        await task


async def committed(settings):
    """What the sink's group has committed of sales.windows, partition 0."""
    lags = await consumer_lag.measure(settings, 1)
    return next(lag.committed for lag in lags if lag.topic.endswith(topics.WINDOWS) and lag.partition == 0)


async def until(condition, seconds=60):
    """Return once an awaited condition holds; there is nobody to tell us."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.1)


def query(settings, text):
    with ch.connect(settings) as client:
        return client.query(text).result_rows


async def test_rows_are_there_before_their_offset_is_committed_and_an_older_version_changes_nothing(migrated):
    await send(migrated, message(7, 3), message(5, 2))

    async def passed():
        at = await committed(migrated)
        rows = await asyncio.to_thread(query, migrated, "SELECT count() FROM sales_windows")
        assert at == 0 or rows[0][0] > 0, "committed before it was written"
        return at == 2

    async with sink(migrated):
        await until(passed)
    assert query(migrated, "SELECT units, receipts FROM sales") == [(3, 1)]


async def test_a_row_that_clickhouse_refuses_stands_alone_with_its_reason(migrated):
    with ch.connect(migrated) as client:
        client.command("ALTER TABLE sales_windows ADD CONSTRAINT few CHECK units < 1000")
    values = [message(n, units=5_000 if n == 3 else n + 1, store=str(n)) for n in range(8)]
    await send(migrated, *values[:4], b"{no message", message(9, day="yesterday"), *values[4:])
    async with sink(migrated):
        await until(lambda: _is(committed(migrated), 10))
    assert query(migrated, "SELECT groupArray(store_id) FROM (SELECT store_id FROM sales ORDER BY store_id)") == [
        (["0", "1", "2", "4", "5", "6", "7"],)
    ]
    aside = query(migrated, "SELECT topic, offset, reason FROM rejected FINAL ORDER BY offset")
    assert [(topic.removeprefix(migrated.topic_prefix), offset) for topic, offset, _ in aside] == [
        ("sales.windows", 3), ("sales.windows", 4), ("sales.windows", 5),
    ]  # fmt: skip
    assert "few" in aside[0][2]
    assert "malformed" in aside[1][2]
    assert "yesterday" in aside[2][2]


@pytest.mark.parametrize("how", ["raises", "is cancelled", "knows no broker"])
async def test_a_client_that_has_stopped_reading_is_replaced_and_nothing_is_left_out(migrated, monkeypatch, how):
    """aiokafka's task ends with whatever an answer that was cut off brings about, and then gives nothing for ever."""
    made = []

    class Kept(loop.AIOKafkaConsumer):
        async def start(self):
            made.append(self)
            if len(made) == 2:  # the connection of the next one is reset too
                raise KafkaConnectionError("reset")
            await super().start()

    async def started():
        return len(made)

    def broken(*_):
        raise ValueError("an answer that cannot be read")

    monkeypatch.setattr(loop, "AIOKafkaConsumer", Kept)
    await send(migrated, message(1))
    async with sink(migrated):
        await until(lambda: _is(committed(migrated), 1))
        if how == "raises":
            made[0]._fetcher._get_actions_per_node = broken
        elif how == "knows no broker":  # it reads on while its coordinator lives, and finds no other
            made[0]._client._metadata_update = broken
            made[0]._client.force_metadata_update()
        else:  # the task takes a fetch that was cancelled for the end of itself, and `stop` raises CancelledError
            made[0]._fetcher._pending_tasks.add(fetch := asyncio.create_task(asyncio.sleep(60)))
            fetch.cancel()
        await send(migrated, message(2, 2))
        await until(lambda: _is(committed(migrated), 2))
        await until(lambda: _is(started(), 3))
        await send(migrated, message(3, 3))
        await until(lambda: _is(committed(migrated), 3))
    assert query(migrated, "SELECT units FROM sales") == [(3,)]


async def _is(value, wanted):
    return await value == wanted


async def test_years_of_windows_go_into_one_insert(migrated):
    months = [message(n, start=n * 30 * 24 * HOUR, day="1970-01-01", store=str(n)) for n in range(300)]
    await send(migrated, *months)
    async with sink(migrated):
        await until(lambda: _is(committed(migrated), 300))
    assert query(migrated, "SELECT count(), sum(units) FROM sales") == [(300, 300)]


async def test_while_clickhouse_is_away_it_waits_stays_in_its_group_and_holds_few_records(migrated, tmp_path):
    port, folder = free_port(), tmp_path / "clickhouse"
    server = EmbeddedClickHouse("127.0.0.1", port, folder, tmp_path / "log")
    server.start()
    away = migrated.model_copy(
        update={"clickhouse_url": type(migrated.clickhouse_url)(f"http://127.0.0.1:{port}/test")}
    )
    try:
        await wait_for_clickhouse(away, 30)
        await migrate(away)
        async with sink(away) as task:
            await send(away, message(0))
            await until(lambda: _is(committed(away), 1))
            server.process.kill()
            server.process.wait()
            before = metrics.retries.labels("clickhouse")._value.get()
            await send(away, *(message(n, units=n, store="away") for n in range(1, 200)))

            async def retried():
                return metrics.retries.labels("clickhouse")._value.get() >= before + 4

            await until(retried)
            assert not task.done()
            assert await members(away) == 1
            assert await committed(away) == 1
            server.start()
            await until(lambda: _is(committed(away), 200))
        assert query(away, "SELECT store_id, units FROM sales ORDER BY store_id") == [("12", 1), ("away", 199)]
    finally:
        server.stop()


@pytest.mark.parametrize("mood", ["refuses connections", "never answers"])
async def test_it_ends_when_asked_to_while_clickhouse_is_away_and_commits_nothing_that_it_could_not_write(
    migrated, monkeypatch, mood
):
    monkeypatch.setattr(loop, "LAST_SECONDS", 0.5)
    tried, answers = asyncio.Event(), threading.Event()
    here = asyncio.get_running_loop()

    def connect():
        here.call_soon_threadsafe(tried.set)
        if mood == "never answers":
            answers.wait()
        return ch.connect(migrated.model_copy(update={"clickhouse_url": away}))

    away = type(migrated.clickhouse_url)(f"http://127.0.0.1:{free_port()}/test")
    await send(migrated, message(0))
    try:
        async with asyncio.timeout(30), sink(migrated, connect):
            await tried.wait()
        assert await committed(migrated) == 0
    finally:
        answers.set()


async def members(settings):
    """How many members the sink's group has."""
    async with admin(settings) as client:
        (answer,) = await client.describe_consumer_groups([rows_group(settings.topic_prefix)])
    return len(answer.groups[0][5])
