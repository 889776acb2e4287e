"""F4: workers come and go while receipts flow, and three stores arrive in two partitions each."""

import asyncio
import time

import pytest

from tests.faults.harness import feeder, judged, sales
from tests.faults.load import receipts
from tests.faults.programs import programs
from tillstream import ch
from tillstream.migrate import migrate
from tillstream.publish import partition_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
SPLIT = {"0", "1", "2"}


def scattered(partitions):
    """The partition by key, but for stores whose tills disagree: theirs alternate between two."""
    return lambda store, number: (
        (partition_of(store.encode(), partitions) + (store in SPLIT and number % 2)) % partitions
    )


async def change(start, workers, many):
    """Bring the workers to so many, one more or one fewer; returns once the one that stays has its partitions."""
    stays = workers[0]
    before = stays.times()
    if many > len(workers):
        workers.append(start("worker"))
        await workers[-1].says()
    else:
        workers.pop().stop()
    await stays.says(times=before + 1)


def test_f4_rebalances_leave_the_same_rows_as_one_worker(migrated, environment, full, table, tmp_path):
    most = 4 if full else 3
    up_and_down = [*range(2, most + 1), *range(most - 1, 0, -1)]
    counts = up_and_down * (5 if full else 1)
    sent = receipts(60_000 if full else 6_000, seed=4)
    place = scattered(migrated.partitions)
    slowest = 0.0

    async def shared(start):
        nonlocal slowest
        size = len(sent) // (len(counts) + 1)
        start("sink")
        workers = [start("worker")]
        await workers[0].says()
        async with feeder(migrated, place) as feed:
            for number, many in enumerate(counts):
                # What is sent now is under way when the partitions move.
                feeding = asyncio.create_task(feed(sent[number * size : (number + 1) * size]))
                begun = time.monotonic()
                await change(start, workers, many)
                slowest = max(slowest, time.monotonic() - begun)
                await feeding
            await feed(sent[len(counts) * size :])
        return await judged(migrated)

    async def alone(settings, start):
        await migrate(settings)
        start("sink")
        start("worker")
        async with feeder(settings, place) as feed:
            await feed(sent)
        return await judged(settings)

    with programs(environment, migrated, tmp_path / "shared") as start:
        events, differences, _ = asyncio.run(shared(start))
    url = type(migrated.clickhouse_url)(migrated.clickhouse_url.get_secret_value() + "_alone")
    other = migrated.model_copy(update={"topic_prefix": migrated.topic_prefix + "alone.", "clickhouse_url": url})
    with programs(environment, other, tmp_path / "alone") as start:
        asyncio.run(alone(other, start))
    table("F4", len(counts), events, differences, f"{slowest:.1f} s")
    assert (events, differences) == (len(sent), 0)
    assert sales(migrated) == sales(other)
    with ch.connect(migrated) as client:
        query = "SELECT store_id FROM sales_windows GROUP BY store_id HAVING uniqExact(partition) > 1"
        assert {store for (store,) in client.query(query).result_rows} == SPLIT
