"""F15: `up` stopped and started, all of it killed at once, its broker killed alone; a producer never stops."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.faults.embedded import Stand, publishing
from tests.faults.load import receipts
from tests.integration.journals import journaled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


async def stopped_and_started(stand, times, sent, drawn):
    """Differences after so many clean stops, which must lose nothing that Kafka has acknowledged."""
    async with publishing(stand.settings, sent) as acknowledged:
        for _ in range(times):
            await asyncio.sleep(drawn.uniform(1, 4))  # the fault's own moment, by seed
            await stand.stop()
            stand.start()
            await stand.ready()
    log, differences = await stand.judged()
    missing = set(acknowledged) - {value for messages in log for value in messages}
    assert not missing, "a clean stop loses nothing that was acknowledged"
    return differences


async def killed(stand, faults, sent, drawn):
    """(messages, differences) after these SIGKILLs; what the journal had before each, the log has in the end."""
    again = 0
    async with publishing(stand.settings, sent):
        for fault in faults:
            await asyncio.sleep(drawn.uniform(0.5, 4))
            before = journaled(stand.settings)
            if fault == "broker":
                again += 1
                stand.begun = time.monotonic()
                stand.up.children()["broker"].kill()
                await stand.ready("ready again", again)
            else:
                again = 0
                await stand.kill_all()
                stand.start()
                if drawn.random() < 0.3:  # and once more, while it starts
                    await asyncio.sleep(drawn.uniform(0.5, 5))
                    await stand.kill_all()
                    stand.start()
                await stand.ready()
            assert journaled(stand.settings) >= before, "what the journal had, it has"
    log, differences = await stand.judged()
    assert all(len(log[partition]) >= many for partition, many in before.items())
    return sum(map(len, log)), differences


def test_f15_up_stopped_and_killed_in_mid_day_is_exact_for_all_that_the_log_holds(tmp_path, full, table):
    stops, kills = (10, 10) if full else (1, 1)
    drawn = random.Random(15)
    sent = iter(receipts(400_000 if full else 60_000, seed=15, days=30.0))
    faults = drawn.sample(["everything", "broker"] * kills, 2 * kills)
    stand = Stand(tmp_path / "data")

    async def run():
        stand.start()
        await stand.ready()
        first = await stopped_and_started(stand, stops, sent, drawn)
        events, second = await killed(stand, faults, sent, drawn)
        await stand.stop()
        return events, first + second

    try:
        events, differences = asyncio.run(run())
    finally:
        if stand.up.process.poll() is None:
            asyncio.run(stand.kill_all())
    table("F15", stops + 2 * kills, events, differences, f"{max(stand.recoveries):.1f} s")
    assert differences == 0
