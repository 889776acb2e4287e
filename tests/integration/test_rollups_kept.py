"""The sink role rolls up beside its work, and goes on by itself after ClickHouse was away."""

from __future__ import annotations

import asyncio
import threading

import pytest

from schemas.errors import Unavailable
from tests.integration.test_rollups import row, write
from tillstream import ch
from tillstream.rollups import keep

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(keep, "SHORTEST_PAUSE", 0.05)


@pytest.fixture
def client(migrated):
    with ch.connect(migrated) as found:
        yield found


async def until(client, units):
    async with asyncio.timeout(30):
        query = "SELECT sum(units) FROM sales_daily"
        while (await asyncio.to_thread(client.query, query)).result_rows[0][0] != units:  # noqa: ASYNC110  # ClickHouse does not tell
            await asyncio.sleep(0.02)


async def test_new_rows_are_rolled_up_until_the_role_stops(migrated, client):
    from sinks.store import ClickHouseStore

    store = ClickHouseStore("clickhouse", lambda: ch.connect(migrated))
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep.keep(migrated, stop))
    await asyncio.to_thread(write, store, "sales_windows", row(units=3))
    await until(client, 3)
    await asyncio.to_thread(write, store, "sales_windows", row(9, units=5))
    await until(client, 5)
    stop.set()
    async with asyncio.timeout(5):
        await keeping


async def test_an_outage_is_said_once_and_its_end(migrated, client, monkeypatch, caplog):
    turn, turns = keep._turn, 0

    def away(*arguments):
        nonlocal turns
        turns += 1
        if turns < 4:
            raise Unavailable("ClickHouse", "connection refused")
        return turn(*arguments)

    monkeypatch.setattr(keep, "_turn", away)
    stop = asyncio.Event()
    with caplog.at_level("WARNING", "tillstream.rollups.keep"):
        keeping = asyncio.create_task(keep.keep(migrated, stop))
        async with asyncio.timeout(30):
            while "go on" not in caplog.text:  # noqa: ASYNC110  # the log has no event
                await asyncio.sleep(0.02)
        stop.set()
        await keeping
    assert [record.message.partition(":")[0] for record in caplog.records] == ["roll-ups wait", "roll-ups go on"]


async def test_the_end_of_a_role_does_not_wait_for_a_statement_that_runs(migrated, monkeypatch):
    begun, release = threading.Event(), threading.Event()

    def long(*_):
        begun.set()
        release.wait(60)

    monkeypatch.setattr(keep, "_turn", long)
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep.keep(migrated, stop))
    await asyncio.to_thread(begun.wait, 30)
    stop.set()
    async with asyncio.timeout(5):
        await keeping
    release.set()


async def test_a_sink_leaves_to_another_what_that_has_just_done(migrated, client):
    ended = asyncio.Event().is_set
    assert (await asyncio.to_thread(keep._turn, migrated, 60.0, ended)).as_of is not None
    assert (await asyncio.to_thread(keep._turn, migrated, 60.0, ended)).as_of is None
    assert (await asyncio.to_thread(keep._turn, migrated, 0.0, ended)).as_of is not None
