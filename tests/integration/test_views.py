"""The views over rows made by hand: what they add up, what they leave out."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tillstream import ch

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = date(2026, 11, 23)
FIGURES = ("units", "returned", "revenue", "discount", "tax", "receipts")


@pytest.fixture
def client(migrated):
    with ch.connect(migrated) as found:
        yield found


def row(version=1, units=1, revenue="1.00", store="12", sku="a", start=NOON, day=DAY, partition=0, epoch=1, receipts=1):
    return {
        "store_id": store, "sku": sku, "currency": "NOK", "window_start": start, "business_date": day,
        "partition": partition, "epoch": epoch, "version": version, "units": Decimal(units), "returned": Decimal(0),
        "revenue": Decimal(revenue), "discount": Decimal("0.10"), "tax": Decimal("0.20"), "receipts": receipts,
    }  # fmt: skip


def insert(client, table, *rows):
    for one in rows:  # a part each, so that nothing is merged yet
        client.insert(table, [list(one.values())], column_names=list(one))


def sales(client, view="sales", order="store_id, sku, window_start"):
    return client.query(f"SELECT store_id, sku, units, revenue, receipts FROM {view} ORDER BY {order}").result_rows


def test_the_columns_are_those_of_the_contract_in_its_types(client):
    found = client.query("DESCRIBE sales").result_rows
    assert [name for name, *_ in found] == ["store_id", "sku", "currency", "window_start", *FIGURES]
    types = {name: kind for name, kind, *_ in found}
    assert types["window_start"] == "DateTime('UTC')"
    assert types["units"] == types["returned"] == "Decimal(18, 5)"
    assert types["revenue"] == types["discount"] == types["tax"] == "Decimal(18, 4)"
    assert types["receipts"] == "Int64"
    for view in ("sales_hourly", "sales_daily"):
        *shared, as_of = [row[:2] for row in client.query(f"DESCRIBE {view}").result_rows]
        assert shared == [row[:2] for row in found]
        assert as_of == ("as_of", "DateTime64(3, 'UTC')")
    dated = client.query("DESCRIBE sales_by_business_date").result_rows
    assert [name for name, *_ in dated] == ["store_id", "sku", "currency", "business_date", *FIGURES]


def test_the_larger_version_holds_whichever_came_last(client):
    insert(client, "sales_windows", row(7, 3, "3.00"), row(5, 2, "2.00"), row(7, 3, "3.00"))
    assert sales(client) == [("12", "a", 3, Decimal("3.0000"), 1)]


def test_partitions_and_business_dates_of_a_window_add_up(client):
    insert(client, "sales_windows", row(7), row(3, 2, "2.00", partition=1), row(4, 4, "4.00", day=date(2026, 11, 22)))
    assert sales(client) == [("12", "a", 7, Decimal("7.0000"), 3)]
    by_date = client.query("SELECT business_date, units FROM sales_by_business_date ORDER BY business_date").result_rows
    assert by_date == [(date(2026, 11, 22), 4), (DAY, 3)]


def test_only_live_epochs_count(client):
    insert(client, "sales_windows", row(), row(epoch=2, units=100))
    assert sales(client)[0][2] == 1
    client.insert("epochs", [[2, "live", 300, 60, 1]],
                  column_names=["epoch", "state", "window_seconds", "grace_seconds", "version"])  # fmt: skip
    assert sales(client)[0][2] == 101
    client.insert("epochs", [[2, "retired", 300, 60, 2]],
                  column_names=["epoch", "state", "window_seconds", "grace_seconds", "version"])  # fmt: skip
    assert sales(client)[0][2] == 1


def late_line(offset, position=1, transaction="t1", reversal=False, partition=0, receipts=1, store_receipts=1, epoch=1):
    return {
        "epoch": epoch, "partition": partition, "offset": offset, "position": position, "store_id": "12",
        "transaction_id": transaction, "reversal": reversal, "occurred_at": NOON, "window_start": NOON,
        "watermark": NOON + timedelta(days=9), "currency": "NOK", "business_date": DAY,
        "store_receipts": store_receipts, "sku": "a", "units": Decimal(1), "returned": Decimal(0),
        "revenue": Decimal("1.00"), "discount": Decimal(0), "tax": Decimal(0), "receipts": receipts,
    }  # fmt: skip


def receipt(offset, transaction="t1", reversal=False, partition=0, epoch=1):
    return {
        "store_id": "12", "transaction_id": transaction, "epoch": epoch, "partition": partition, "offset": offset,
        "reversal": reversal, "type": "sale", "occurred_at": NOON, "published_at": NOON, "business_date": DAY,
        "currency": "NOK", "lines": 1, "amount": Decimal("1.00"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ledger", "counts"),
    [
        ([receipt(9)], True),  # the ledger knows it alone
        ([receipt(9), receipt(4)], False),  # and one before it: a copy
        ([receipt(9), receipt(12)], True),  # and one after it
        ([receipt(9), receipt(4, partition=1)], True),  # another partition's
        ([receipt(9), receipt(4, epoch=2)], True),  # another epoch's
        ([receipt(9), receipt(4, reversal=True)], True),  # its reversal
        ([receipt(9), receipt(4, "t0")], True),  # another id
        ([], False),  # the ledger has not read so far: nothing can be said yet
        ([receipt(4)], False),
    ],
)
def test_a_late_receipt_counts_if_the_ledger_knows_none_before_it(client, ledger, counts):
    insert(client, "sales_windows", row(units=10))
    insert(client, "late_lines", late_line(9), late_line(9, 2, receipts=0), late_line(9))
    insert(client, "receipts", *ledger)
    assert sales(client) == [("12", "a", 12 if counts else 10, Decimal(3 if counts else 1), 2 if counts else 1)]
    insert(client, "store_windows", {"store_id": "12", "window_start": NOON, "partition": 0, "epoch": 1, "version": 1,
                                     "receipts": 5})  # fmt: skip
    assert client.query("SELECT store_id, receipts FROM receipt_counts").result_rows == [("12", 6 if counts else 5)]


def test_every_late_receipt_of_a_window_counts_once_in_the_receipt_counts(client):
    for offset, transaction in ((9, "t1"), (10, "t2"), (11, "t3")):
        insert(client, "late_lines", late_line(offset, 1, transaction), late_line(offset, 2, transaction, receipts=0))
        insert(client, "receipts", receipt(offset, transaction))
    insert(client, "late_lines", late_line(9, 1, "t4", partition=1), late_line(3, 1, "t5", True, store_receipts=-1))
    insert(client, "receipts", receipt(9, "t4", partition=1), receipt(3, "t5", True))
    rows = [{"store_id": "12", "window_start": NOON, "partition": n, "epoch": 1, "version": 1, "receipts": 10}
            for n in range(3)]  # fmt: skip
    insert(client, "store_windows", *rows)
    assert client.query("SELECT receipts FROM receipt_counts").result_rows == [(30 + 4 - 1,)]


def test_the_ledgers_views_show_the_first_of_each_id(client):
    insert(client, "receipts", receipt(4), receipt(9), receipt(9), receipt(5, reversal=True), receipt(2, epoch=2))
    found = client.query("SELECT offset, reversal FROM receipts_once ORDER BY offset").result_rows
    assert found == [(4, False), (5, True)]
    assert [name for name, *_ in client.query("DESCRIBE receipts_once").result_rows] == [
        name for name, *_ in client.query("DESCRIBE receipts").result_rows
    ]


def receipt_line(offset, position=1, reversal=False, partition=0, epoch=1):
    return {
        "store_id": "12", "transaction_id": "t1", "epoch": epoch, "partition": partition, "offset": offset,
        "position": position, "reversal": reversal, "occurred_at": NOON, "business_date": DAY, "currency": "NOK",
        "sku": "a", "kind": "sale", "quantity": Decimal(1), "amount": Decimal("1.00"),
    }  # fmt: skip


def test_the_lines_of_the_first_of_each_id_are_shown_once_whatever_is_merged(client):
    insert(client, "receipts", receipt(4), receipt(9), receipt(4), receipt(5, reversal=True), receipt(6, partition=1))
    insert(
        client, "receipt_lines", receipt_line(4), receipt_line(4, 2), receipt_line(4), receipt_line(9),
        receipt_line(5, reversal=True), receipt_line(6, partition=1), receipt_line(2, epoch=2),
    )  # fmt: skip
    found = client.query("SELECT offset, position FROM receipt_lines_once ORDER BY offset, position").result_rows
    assert found == [(4, 1), (4, 2), (5, 1), (6, 1)]
    assert [name for name, *_ in client.query("DESCRIBE receipt_lines_once").result_rows] == [
        name for name, *_ in client.query("DESCRIBE receipt_lines").result_rows
    ]


def test_a_filter_on_store_and_sku_reads_few_rows(client):
    client.command(
        "INSERT INTO sales_windows SELECT toString(number % 50), toString(intDiv(number, 50) % 400), 'NOK',"
        " toDateTime(1700000000 + intDiv(number, 20000) * 300, 'UTC'), '2023-11-14', 0, 1, number, 1, 0, 1, 0, 0, 1"
        " FROM numbers(400000)"
    )
    query = "SELECT sum(units) FROM sales WHERE store_id = '12' AND sku = '7'"
    assert client.query(query).result_rows == [(20,)]
    assert few(client, query, "sales_windows")


def few(client, query, table):
    """Whether a query reads less than a fifth of a table, by its primary key."""
    plan = "\n".join(line for (line,) in client.query(f"EXPLAIN indexes = 1 {query}").result_rows)
    of_table = rf"ReadFromMergeTree \(\w+\.{table}\).*?PrimaryKey.*?Granules: (\d+)/(\d+)"
    found = re.findall(of_table, plan, re.DOTALL)
    assert found, plan
    return all(int(read) < int(of) / 5 for read, of in found)


@pytest.mark.parametrize(
    ("query", "table"),
    [
        ("SELECT sum(units) FROM sales WHERE store_id = '7' AND sku = 'a'", "receipts"),
        ("SELECT sum(receipts) FROM receipt_counts WHERE store_id = '7'", "receipts"),
        ("SELECT count() FROM receipts_once WHERE store_id = '7' AND transaction_id = 't7'", "receipts"),
        ("SELECT count() FROM receipt_lines_once WHERE store_id = '7' AND transaction_id = 't7'", "receipts"),
        ("SELECT count() FROM receipt_lines_once WHERE store_id = '7' AND transaction_id = 't7'", "receipt_lines"),
    ],
)
def test_a_filter_on_the_store_reads_little_of_a_large_ledger(client, query, table):
    ledger = (
        "toString(number % 50) AS store_id, 't' || toString(number) AS transaction_id, 1 AS epoch, number AS offset"
    )
    client.command(
        f"INSERT INTO receipts (store_id, transaction_id, epoch, offset) SELECT {ledger} FROM numbers(500000)"
    )
    client.command(
        "INSERT INTO receipt_lines (store_id, transaction_id, epoch, offset, position, kind)"
        f" SELECT {ledger}, 1, 'sale' FROM numbers(500000)"
    )
    client.command(
        "INSERT INTO late_lines (store_id, transaction_id, epoch, offset, position, sku, units, receipts,"
        " store_receipts)"
        f" SELECT {ledger}, 1, 'a', 1, 1, 1 FROM numbers(500000) WHERE number % 1000 < 50"
    )
    assert client.query(query).result_rows == [(500 if "sum" in query else 1,)]
    assert few(client, query, table)
