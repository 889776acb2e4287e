"""F7: receipts late, sent again and out of order."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.harness import judged, load
from tests.faults.load import receipts
from tests.integration.harness import ready, roles

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


def test_f7_late_repeated_and_shuffled_receipts_are_exact(migrated, environment, full, table):
    sent = receipts(100_000 if full else 12_000, seed=7)

    async def run():
        await ready(migrated)
        await load(migrated, sent, 1)
        return await judged(migrated)

    with roles(environment, migrated, "worker", "sink"):
        events, differences, took = asyncio.run(run())
    table("F7", len(sent) // 10, events, differences, f"{took:.1f} s")
    assert (events, differences) == (len(sent), 0)
