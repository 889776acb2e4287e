"""F1: SIGKILLs of workers, at failpoints of the flush chosen by seed and at random moments."""

import asyncio
import itertools
import random
import time
from collections import Counter

import pytest

from streams.failpoints import POINTS, VARIABLE
from tests.faults.harness import feeder, judged
from tests.faults.load import Disorder, receipts, receipts_of, with_stock
from tests.faults.programs import programs
from tillstream.migrate import migrate

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]
AT_RANDOM = "at random"
# Reached only once data has passed grace, so they come after half of it.
LAST = [point for point in POINTS if ".5" in point]
FIRST = [point for point in POINTS if point not in LAST]
ONE_A_STEP = ["send.1.windows", "acknowledged.2", "send.3.state", "commit.4", "send.5.state"]
SLICE = 150


def plan(drawn, full):
    """Where workers die, in order; the second half of the list may wait for step 5."""
    if not full:
        return ONE_A_STEP
    early = FIRST * 10 + [AT_RANDOM] * 20
    drawn.shuffle(early)
    half = (len(early) + 10 * len(LAST)) // 2
    late = early[half:] + LAST * 10
    drawn.shuffle(late)
    return early[:half] + late


def variables(point, drawn):
    return {} if point == AT_RANDOM else {VARIABLE: f"{point}:{drawn.randint(1, 3)}"}


async def killed(feed, workers, left, share, drawn):
    """Publish what is left in slices until all workers have died, and at least a share of it."""
    begun = time.monotonic()
    doom = {worker: begun + drawn.uniform(0.3, 4) for worker, point in workers.items() if point == AT_RANDOM}
    while any(worker.alive for worker in workers):
        # A share is enough but where workers wait for each other's partitions: then on with less, to have some left.
        many = SLICE if share > 0 else SLICE // 10
        share -= many
        await feed(list(itertools.islice(left, many)))
        await asyncio.sleep(0.15)  # the load's own pace: a slice is a chunk
        for worker, moment in doom.items():
            if worker.alive and time.monotonic() > moment:
                worker.kill()
        assert time.monotonic() < begun + 90, f"not reached: {[p for w, p in workers.items() if w.alive]}"
    await feed(list(itertools.islice(left, max(0, share))))


def test_f1_workers_killed_anywhere_lose_and_double_nothing(settings, environment, full, table, tmp_path):
    drawn = random.Random(1)
    together = 4 if full else 2
    points = plan(drawn, full)
    # Seven lines a receipt. Malformed ones too, since a flush has dead letters only then.
    sent = receipts(145_000 if full else 12_000, seed=1, disorder=Disorder(malformed=0.01))
    if full:  # telling the feed of sales is a point of the flush, too
        sent = with_stock(sent, seed=1)
    settings = settings.model_copy(update={"partitions": 8})
    hit: Counter[str] = Counter()
    recovered = []

    async def run(start):
        await migrate(settings)
        start("sink")
        rounds = [points[at : at + together] for at in range(0, len(points), together)]
        left = iter(sent)
        async with feeder(settings) as feed:
            for these in rounds:
                began = time.monotonic()
                workers = {start("worker", variables(point, drawn)): point for point in these}
                for worker in workers:
                    await worker.says()
                recovered.append(time.monotonic() - began)
                await killed(feed, workers, left, len(sent) // (len(rounds) + 3), drawn)
                hit.update(these)
            for _ in range(together):
                start("worker")
            await feed(list(left))
        return await judged(settings)

    with programs(environment, settings, tmp_path / "programs") as start:
        events, differences, _ = asyncio.run(run(start))
    table("F1", hit.total(), events, differences, f"{max(recovered[1:]):.1f} s")
    assert hit == Counter(points)
    assert (events, differences) == (receipts_of(sent), 0)
