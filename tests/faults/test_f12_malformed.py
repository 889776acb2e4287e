"""F12: malformed receipts among good ones."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.harness import judged, load
from tests.faults.load import Disorder, receipts
from tests.integration.harness import ready, roles
from tillstream import ch

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


def test_f12_malformed_receipts_among_good_ones_are_dead_letters(migrated, environment, full, table):
    many = 12_000
    sent = receipts(2 * many if full else many, seed=12, disorder=Disorder(malformed=0.5))

    async def run(processes):
        await ready(migrated)
        await load(migrated, sent, 1)
        result = await judged(migrated)
        assert [process.poll() for process in processes] == [None, None], "both are alive"
        return result

    with roles(environment, migrated, "worker", "sink") as (processes, _):
        events, differences, took = asyncio.run(run(processes))
    with ch.connect(migrated) as client:
        letters, cards = client.query(
            "SELECT uniqExact(partition, offset), countIf(position(ifNull(value, ''), '4111 1111') > 0) FROM rejected"
        ).result_rows[0]
        counted = client.query("SELECT sum(messages) FROM partition_counts WHERE result = 'rejected'").result_rows[0][0]
    table("F12", letters, events, differences, f"{took:.1f} s")
    assert differences == 0
    assert letters == counted > many * 0.45
    assert cards == 0
