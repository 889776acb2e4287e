"""History that comes after the present: receipts older than grace by the million, each late, all of them counted."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.harness import publish, ready, roles
from tillstream import ch
from tillstream.reconcile.run import reconcile

pytestmark = pytest.mark.integration
STORES, NOW = 60, datetime(2026, 9, 1, tzinfo=UTC)


def receipt(name, store, at, lines):
    value = {
        "transaction_id": name,
        "store_id": store,
        "currency": "NOK",
        "occurred_at": at.isoformat(),
        "lines": lines,
    }
    return store, json.dumps(value).encode()


def history(many, seed):
    """A receipt of today from every store; then `many` of the two years before, one in fifty of them twice."""
    drawn = random.Random(seed)
    line = {"sku": "today", "quantity": "1", "amount": "1.00"}
    for store in range(STORES):
        yield receipt("today", str(store), NOW, [line])
    last = None
    for number in range(many):
        if last is not None and drawn.random() < 0.02:
            yield last
            continue
        at = NOW - timedelta(days=5) - timedelta(minutes=drawn.randrange(2 * 365 * 1440))
        lines = [
            {"sku": f"sku{drawn.randrange(400)}", "quantity": "1", "amount": f"{drawn.randrange(9_999) / 100:.2f}"}
            for _ in range(drawn.randrange(1, 4))
        ]
        last = receipt(f"t{number}", str(drawn.randrange(STORES)), at, lines)
        yield last


@pytest.mark.timeout(3_600)
def test_a_backfill_older_than_grace_reconciles(migrated, environment, full):
    many = 1_500_000 if full else 20_000

    async def run():
        await ready(migrated)
        await publish(migrated, history(many, seed=1))
        return await reconcile(migrated, wait=1_800)

    with roles(environment, migrated, "worker", "sink"):
        report = asyncio.run(run())
    assert report.different == 0
    assert report.inputs == many + STORES
    # A copy of a late receipt is late too, since its window is closed; `sales` counts the first.
    assert report.counts["late"] == many
    with ch.connect(migrated) as client:
        counted = client.query("SELECT sum(receipts) FROM receipt_counts").result_rows[0][0]
    assert many * 0.975 < counted - STORES < many * 0.985, "each once"
