"""reconcile finds every kind of difference, and tells what it is; what is under way is no difference."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import pytest

from schemas.errors import Unavailable
from schemas.topics import RECEIPTS
from tests.integration.harness import publish, ready, roles, settled
from tests.unit.schemas.receipts import RECEIPT, encoded
from tillstream import ch
from tillstream.reconcile import log
from tillstream.reconcile import run as run_module
from tillstream.reconcile.found import Found
from tillstream.reconcile.run import reconcile

pytestmark = pytest.mark.integration


def receipt(number, day=23, sku="a", amount="1.00", **more):
    line = {"sku": sku, "quantity": "1", "amount": amount}
    at = f"2026-10-{day:02}T10:{number:02}:00Z"
    return encoded({**RECEIPT, "transaction_id": f"t{number}", "occurred_at": at, "lines": [line], **more})


# Ten receipts, then one six days later that closes their windows, and one that is too late for them.
LOG = [("12", receipt(number)) for number in range(10)] + [
    ("12", receipt(30, day=29)), ("12", receipt(31, sku="late")), ("12", b"{"), ("12", receipt(5)),
]  # fmt: skip
# What arrives while a reconciliation reads: into a row that is there, and into a new one.
LATER = [("12", receipt(32, day=29)), ("12", receipt(50, day=29, sku="new"))]


async def reconcile_under_traffic(settings):
    """A reconciliation that reads ClickHouse's first rows when LATER has arrived there."""
    original, published = Found.sales, []

    async def arrive():
        await publish(settings, LATER)
        ends = await log.ends_of(settings, settings.topic_prefix + RECEIPTS)
        await run_module._wait(settings, 1, ends, time.monotonic() + 60)

    def sales(self, where):
        if not published:
            published.append(True)
            asyncio.run(arrive())
        return original(self, where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Found, "sales", sales)
        return await reconcile(settings, 60)


@pytest.fixture(scope="module")
def folded(broker, clickhouse, tmp_path_factory):
    """Settings of an installation that has folded LOG, then LATER; the roles have ended."""
    import uuid

    from tests.conftest import TEST_PARTITIONS
    from tillstream.local.launch import settings_environment
    from tillstream.migrate import migrate
    from tillstream.settings import Settings

    mark = uuid.uuid4().hex[:10]
    settings = Settings(
        kafka_url=f"kafka://{broker}", clickhouse_url=f"{clickhouse}/test_{mark}", topic_prefix=f"t{mark}.",
        partitions=TEST_PARTITIONS, data_dir=tmp_path_factory.mktemp("data"), metrics_bind="127.0.0.1:0",
    )  # fmt: skip
    asyncio.run(migrate(settings))

    def environment(found):
        import os

        from tests.conftest import REPOSITORY

        return {**os.environ, **settings_environment(found), "PYTHONPATH": str(REPOSITORY)}

    async def run():
        await ready(settings)
        await publish(settings, LOG)
        return await settled(settings, len(LOG)), await reconcile_under_traffic(settings)

    with roles(environment, settings, "worker", "sink"):
        report, under_traffic = asyncio.run(run())
    assert report.counts == {"folded": 11, "duplicate": 0, "late": 2, "rejected": 1, "ignored": 0}
    return settings, environment(settings), under_traffic


KEYS = "store_id, sku, currency, window_start, business_date, partition, epoch, version"
FIGURES = "units, returned, revenue, discount, tax, receipts"


def copied(sku="sku", start="window_start", revenue="revenue", version="version", date="business_date"):
    """A row of sales_windows copied, with something changed."""
    keys = KEYS.replace("sku", sku, 1).replace("window_start", start).replace("version", version)
    keys = keys.replace("business_date", date)
    return (
        f"INSERT INTO sales_windows ({KEYS}, {FIGURES}) SELECT {keys}, {FIGURES.replace('revenue', revenue)}"
        " FROM sales_windows FINAL WHERE window_start = '2026-10-23 10:00:00'"
    )


def deleted(table, where):
    return f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 2"


def changed(table, columns, figure, where):
    return f"INSERT INTO {table} SELECT {columns}, {figure} + 1 FROM {table} FINAL WHERE {where}"


# What someone does to ClickHouse, and one difference that it makes.
DAMAGES = {
    "a row is missing": (deleted("sales_windows", "window_start = '2026-10-23 10:05:00'"), ("sales", "missing")),
    "a row is off by the smallest amount": (
        copied(revenue="revenue + toDecimal64('0.0001', 4)"),
        ("sales", "different"),
    ),
    "a row is too many": (copied(sku="'ghost'"), ("sales", "extra")),
    "a row lies on a day that the log has not": (copied(start="window_start - INTERVAL 90 DAY"), ("sales", "extra")),
    "a window's receipts are wrong": (
        changed("store_windows", "store_id, window_start, partition, epoch, version", "receipts",
                "window_start = '2026-10-23 10:00:00'"),
        ("receipt_counts", "different"),
    ),
    "a window's receipts lie on a day that the log has not": (
        ("INSERT INTO store_windows SELECT * REPLACE (window_start - INTERVAL 90 DAY AS window_start)"
         " FROM store_windows FINAL LIMIT 1"),
        ("receipt_counts", "extra"),
    ),
    "a row lies on another business date": (
        copied(date="business_date + 1") + "; "
        + deleted("sales_windows", "window_start = '2026-10-23 10:00:00' AND business_date = '2026-10-23'"),
        ("sales_by_business_date", "extra"),
    ),
    "a row claims to come from beyond the log": (
        copied(revenue="revenue + 1", version="1000000"), ("sales_windows", "beyond the log"),
    ),
    "a receipt is missing in the ledger": (deleted("receipts", "transaction_id = 't3'"), ("receipts", "different")),
    "a receipt's amount is wrong in the ledger": (
        "INSERT INTO receipts SELECT * REPLACE (amount + 1 AS amount) FROM receipts FINAL WHERE transaction_id = 't3'",
        ("receipts", "different"),
    ),
    "a dead letter is missing": (deleted("rejected", "1"), ("rejected", "different")),
    "a late receipt that does not count is missing": (
        deleted("late_lines", "transaction_id = 't5'"), ("late_lines", "different"),
    ),
    "a result is counted wrongly": (
        changed("partition_results", "epoch, partition, result, version", "messages", "result = 'rejected'"),
        ("counts", "different"),
    ),
    "a late line is missing": (deleted("late_lines", "sku = 'late'"), ("sales", "missing")),
    "a late line counts that should not": (
        deleted("receipts", "transaction_id = 't5' AND offset < 13"), ("sales", "different"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_kind_of_damage_is_found_and_named(folded, damage):
    settings, *_ = folded
    statement, wanted = DAMAGES[damage]
    tables = ("sales_windows", "store_windows", "partition_results", "late_lines", "receipts", "rejected")
    with ch.connect(settings) as client:
        for table in tables:
            client.command(f"CREATE OR REPLACE TABLE kept_{table} AS {table}")
            client.command(f"INSERT INTO kept_{table} SELECT * FROM {table}")
        try:
            for one in statement.split("; "):
                client.command(one)
            report = asyncio.run(reconcile(settings, 5))
        finally:
            for table in tables:
                client.command(f"EXCHANGE TABLES {table} AND kept_{table}")
    assert wanted in {(one.what, one.kind) for one in report.differences}, report
    assert report.different >= 1


def test_without_damage_there_is_no_difference(folded):
    settings, *_ = folded
    report = asyncio.run(reconcile(settings, 5))
    assert (report.different, report.differences, report.in_flight) == (0, [], 0)
    assert (report.inputs, report.counts_in_flight, report.cut) == (len(LOG) + len(LATER), 0, 0)


def test_what_arrives_meanwhile_is_in_flight_and_no_difference(folded):
    *_, report = folded
    assert (report.different, report.differences, report.inputs) == (0, [], len(LOG))
    assert (report.in_flight, report.counts_in_flight) == (2, 1)


def test_the_command_prints_a_table_and_ends_with_1(folded):
    settings, environment, _ = folded
    run = [sys.executable, "-m", "tillstream", "reconcile", "--wait", "5s"]
    good = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[-1] == "reconciled: 5 rows, 0 differences"
    with ch.connect(settings) as client:
        client.command(DAMAGES["a row is too many"][0])
        try:
            bad = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
            told = subprocess.run([*run, "--json"], env=environment, capture_output=True, text=True, check=False)
        finally:
            client.command("ALTER TABLE sales_windows DELETE WHERE sku = 'ghost' SETTINGS mutations_sync = 2")
    assert bad.returncode == told.returncode == 1
    assert "ghost" in bad.stdout
    assert "2026-10-23T10:00:00Z" in bad.stdout
    assert bad.stdout.splitlines()[-1] == "NOT reconciled: 6 rows, 2 differences"
    row, date = json.loads(told.stdout)["differences"]
    assert (row["what"], row["kind"], row["expected"], row["found"]["units"]) == ("sales", "extra", None, "5.00000")
    assert (date["what"], date["expected"]["units"], date["found"]["units"]) == (
        "sales_by_business_date", "14.00000", "19.00000",
    )  # fmt: skip


def test_who_lags_is_named_after_the_wait(migrated):
    asyncio.run(publish(migrated, LOG[:1]))
    with pytest.raises(Unavailable) as lagging:
        asyncio.run(reconcile(migrated, 0.5))
    assert "tillstream-worker-e1" in lagging.value.neighbour
    assert "1 records behind" in lagging.value.reason
