"""F15: `up` stopped and started, all of it killed at once, its broker killed alone; producers never stop."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from schemas.topics import STOCK
from tests.faults.embedded import Stand, publishing
from tests.faults.harness import log_of
from tests.faults.hooks import delivered, ids_of, times
from tests.faults.load import receipts, with_stock
from tests.faults.shelves import alerts_judged, rows_differ, set_levels
from tests.integration.journals import journaled
from tests.integration.webhooks import Receiver

# Seconds: what has come to a log for longer the journal has, however busy the machine is.
UNJOURNALED = 3.0

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


async def alerts_are_told(stand):
    """(webhook-ids that the log's alerts come to, differences of the alerts from those due), once all were delivered.

    Each alert must be in ClickHouse, and once.
    """
    alerts, differences = await alerts_judged(stand.settings)
    await delivered(stand.settings, ids_of(alerts))
    async with asyncio.timeout(60):
        while rows_differ(stand.settings, alerts):  # noqa: ASYNC110  # nobody tells that a sink has passed a message
            await asyncio.sleep(0.2)
    return ids_of(alerts), differences


async def stopped_and_started(stand, receiver, times_, sent, drawn):
    """Differences after so many clean stops, which lose nothing that Kafka acknowledged, and repeat no webhook."""
    async with publishing(stand.settings, sent) as acknowledged:
        for _ in range(times_):
            await asyncio.sleep(drawn.uniform(1, 4))  # the fault's own moment, by seed
            await stand.stop()
            stand.start()
            await stand.ready()
    log, differences = await stand.judged()
    logged = {value for messages in [*log, *await log_of(stand.settings, STOCK)] for value in messages}
    assert not set(acknowledged) - logged, "a clean stop loses nothing that was acknowledged"
    ids, alerts_differ = await alerts_are_told(stand)
    assert times(receiver) == dict.fromkeys(ids, 1), "each webhook once, under the id of its alert"
    return differences + alerts_differ


async def killed(stand, receiver, faults, sent, drawn):
    """(messages, differences, webhooks of alerts that a kill took) after these SIGKILLs.

    What the journal had before each, the log has in the end. Every alert of the log has reached the receiver under its
    id. Under other ids came only those that went out shortly before a kill, and are gone with what they were decided
    by: the journal did not have it yet. What was told anew may have led to another state of the same alert. A webhook
    whose record a kill took comes again under the same id.
    """
    again, shortly_before = 0, set()

    async def wait(seconds):
        """Wait so long; gives how many webhooks had come by UNJOURNALED before the end."""
        await asyncio.sleep(max(0.0, seconds - UNJOURNALED))
        many = len(receiver.accepted)
        await asyncio.sleep(min(seconds, UNJOURNALED))
        return many

    async with publishing(stand.settings, sent):
        for fault in faults:
            begin = await wait(drawn.uniform(0.5, 4))
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
                    await wait(drawn.uniform(0.5, 5))
                    await stand.kill_all()
                    stand.start()
                await stand.ready()
            # Until it is ready again: who outlived the broker may still post what that had acknowledged.
            shortly_before.update(range(begin, len(receiver.accepted)))
            assert journaled(stand.settings) >= before, "what the journal had, it has"
    log, differences = await stand.judged()
    assert all(len(log[partition]) >= many for partition, many in before.items())
    ids, alerts_differ = await alerts_are_told(stand)
    assert ids <= times(receiver).keys(), "no alert of the log is lost"
    gone = {at: one.id for at, one in enumerate(receiver.accepted) if one.id not in ids}
    assert gone.keys() <= shortly_before, "an id that is not the log's came long before a kill"
    return sum(map(len, log)), differences + alerts_differ, len(set(gone.values()))


def test_f15_up_stopped_and_killed_in_mid_day_is_exact_for_all_that_the_log_holds(tmp_path, full, table):
    """Stock, policies and an endpoint are there; receipts and movements go on while `up` is stopped, and killed.

    Totals and alerts must be those that the log makes due, and webhooks those of its alerts: each id once over clean
    stops, and after kills none missing.
    """
    stops, kills = (10, 10) if full else (1, 1)
    drawn = random.Random(15)
    sent = iter(with_stock(receipts(400_000 if full else 60_000, seed=15, days=30.0 if full else 4.5), seed=15))
    faults = drawn.sample(["everything", "broker"] * kills, 2 * kills)

    async def run():
        async with Receiver() as receiver:
            stand = Stand(tmp_path / "data", receiver)
            try:
                stand.start()
                await stand.ready()
                await set_levels(stand.settings)
                first = await stopped_and_started(stand, receiver, stops, sent, drawn)
                events, second, gone = await killed(stand, receiver, faults, sent, drawn)
                await stand.stop()
                return events, first + second, gone, len(times(receiver)), max(stand.recoveries)
            finally:
                if stand.up.process.poll() is None:
                    await stand.kill_all()

    events, differences, gone, hooks, recovered = asyncio.run(run())
    what = f"embedded stack stopped and killed; {hooks:,} webhooks, {gone} of alerts that a kill took"
    table("F15", stops + 2 * kills, events, differences, f"{recovered:.1f} s", what)
    assert differences == 0
    assert hooks > 50, "there is little to be repeated"
