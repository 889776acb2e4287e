"""The main job on the embedded servers, with crashes in the middle: exact, by an oracle of its own."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest

from tests.integration.harness import progressed, publish, ready, roles, settled
from tests.unit.streams.world import message
from tillstream import ch

pytestmark = pytest.mark.integration
STORES = 24


def receipts(many: int, seed: int):
    """(store, bytes): two per cent late beyond grace, three sent again, some malformed, void, returned."""
    drawn = random.Random(seed)
    sent = []
    for number in range(many):
        store = str(drawn.randrange(STORES))
        minutes = number * 12_000 / many - drawn.random() * 60 - (8_000 if drawn.random() < 0.02 else 0)
        kind = drawn.choices(["sale", "return", "post_void", "training", "void"], [90, 5, 3, 1, 1])[0]
        lines = [
            (f"sku{drawn.randrange(300)}", drawn.choice(["1", "2", "0.754"]), f"{drawn.randrange(9999) / 100:.2f}")
            for _ in range(drawn.randrange(1, 12))
        ]
        value = message(f"t{number}", minutes - 20_000, lines, store, type=kind)
        if drawn.random() < 0.005:
            value = value[:-2]
        elif sent and drawn.random() < 0.03:
            store, value = drawn.choice(sent[-400:])
        sent.append((store, value))
    return sent


def test_the_whole_job_is_exact_and_every_input_has_one_result(migrated, environment):
    sent = receipts(6_000, seed=1)

    async def run():
        await ready(migrated)
        await publish(migrated, sent)
        return await settled(migrated, len(sent))

    with roles(environment, migrated, "worker", "sink"):
        report = asyncio.run(run())
    assert report.rows > 10_000
    assert all(report.counts[result] > 0 for result in ("folded", "duplicate", "late", "rejected", "ignored"))
    client = ch.connect(migrated)
    rejected = client.query("SELECT count(), countIf(path = '' OR reason = '') FROM rejected FINAL").result_rows
    assert rejected == [(report.counts["rejected"], 0)]
    once = client.query("SELECT count(), sum(amount) FROM receipts_once").result_rows[0]
    lines = client.query(
        "SELECT sum(if(reversal, -1, 1) * if(kind = 'return', -1, 1) * amount) FROM receipt_lines_once"
    ).result_rows[0]
    assert once[1] == lines[0], "the ledger's receipts and lines agree"


def test_two_workers_and_a_sigkill_of_a_worker_and_of_the_sink_leave_it_exact(migrated, environment):
    sent = receipts(9_000, seed=2)

    async def run(processes, start):
        await ready(migrated)
        load = asyncio.create_task(publish(migrated, sent, pause=0.1))
        first, _, sink = processes
        await progressed(migrated, 500)
        first.send_signal(signal.SIGKILL)
        start("worker")
        await progressed(migrated, 2_000)
        sink.send_signal(signal.SIGKILL)
        start("sink")
        await load
        return await settled(migrated, len(sent))

    with roles(environment, migrated, "worker", "worker", "sink") as (processes, start):
        report = asyncio.run(run(processes, start))
    assert report.counts["folded"] > 7_000


def test_a_clean_stop_loses_nothing_and_a_restart_goes_on(migrated, environment):
    sent = receipts(3_000, seed=3)

    async def first(processes):
        await ready(migrated)
        await publish(migrated, sent[:1_500])
        await progressed(migrated, 200)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            assert await asyncio.to_thread(process.wait, 10) == 0

    async def second():
        await publish(migrated, sent[1_500:])
        await settled(migrated, len(sent))

    with roles(environment, migrated, "worker", "sink") as (processes, _):
        asyncio.run(first(processes))
    with roles(environment, migrated, "worker", "sink"):
        asyncio.run(second())
