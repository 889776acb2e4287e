"""What each sink makes of a topic's records: rows by table, and what cannot be read, with the reason."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas import delivery as delivery_messages
from schemas import late as late_messages
from schemas import window
from schemas.deadletter import DeadLetter
from schemas.delivery import EndpointState
from schemas.late import LateLine, LateMessage
from sinks import alerts, deliveries, epochs, late, ledger, positions, rejected, sales
from sinks.batch import LARGEST_BYTES, LONGEST_WAIT, Source, should_write
from tests.unit.schemas.receipts import RECEIPT, changed, encoded
from tests.unit.sinks.records import Record, rows_of
from tests.unit.sinks.webhooks.samples import NOW, delivery

START = 1_795_453_500_000_000
MOMENT = datetime(2026, 11, 23, 17, 5, tzinfo=UTC)
SKEW = 600_000_000


@pytest.mark.parametrize(
    ("now", "size", "oldest", "due"),
    [
        (5.0, 0, None, False),
        (5.0, 10, 4.5, False),
        (5.0, 10, 5.0 - LONGEST_WAIT, True),
        (5.0, LARGEST_BYTES, 5.0, True),
        (5.0, LARGEST_BYTES - 1, 5.0, False),
    ],
)
def test_a_batch_is_due_when_it_is_large_or_has_waited(now, size, oldest, due):
    assert should_write(now, size, oldest) is due


def test_a_window_message_gives_its_rows_and_its_receipts():
    rows = {
        "NOK": {"2026-11-23": {"a": [200_000, 0, 598_000, 50_000, 7, 1, 17], "b": [0, 100_000, -9, 0, 0, 1, 12]}},
        "SEK": {"2026-11-22": {"a": [1, 0, 1, 0, 0, -1, 9]}},
    }
    message = window.WindowMessage(1, 3, "12", START, 2, 17, rows)
    batch = sales.prepare([Record(value=window.encode(message))])
    first, second, third = rows_of(batch, "sales_windows")
    assert first == {
        "store_id": "12", "sku": "a", "currency": "NOK", "window_start": MOMENT, "business_date": date(2026, 11, 23),
        "partition": 3, "epoch": 1, "version": 17, "units": Decimal("2.00000"), "returned": Decimal(0),
        "revenue": Decimal("59.8000"), "discount": Decimal("5.0000"), "tax": Decimal("0.0007"), "receipts": 1,
    }  # fmt: skip
    assert (second["sku"], second["returned"], second["revenue"], second["version"]) == ("b", 1, Decimal("-0.0009"), 12)
    assert (third["currency"], third["business_date"], third["receipts"]) == ("SEK", date(2026, 11, 22), -1)
    assert rows_of(batch, "store_windows") == [
        {"store_id": "12", "window_start": MOMENT, "partition": 3, "epoch": 1, "version": 17, "receipts": 2}
    ]
    assert [len(rows.sources) for rows in batch.rows] == [3, 1]


def test_counts_give_a_row_a_result_and_none_before_the_first_record():
    some = window.CountsMessage(1, 3, 17, {"folded": 12, "late": 6}, published=1_796_000_000_123)
    none = window.CountsMessage(1, 4, -1, {"folded": 0})
    batch = sales.prepare([Record(value=window.encode(some)), Record(value=window.encode(none))])
    assert [(row["result"], row["messages"], row["version"]) for row in rows_of(batch, "partition_results")] == [
        ("folded", 12, 17), ("late", 6, 17),
    ]  # fmt: skip
    assert batch.newest == 1_796_000_000_123, "how fresh the rows before it are"


UNREADABLE = (b"", b"{", b"[]", b'{"type": "other"}', b"\xff")
# Of `webhook.deliveries` a record without a value is a tombstone.
OTHERS = (sales.prepare, late.prepare, epochs.prepare, rejected.prepare, alerts.prepare, positions.prepare)


@pytest.mark.parametrize(
    ("prepare", "value"),
    [
        *itertools.product(OTHERS, (None, *UNREADABLE)),
        *itertools.product([deliveries.prepare], UNREADABLE),
    ],
)
def test_what_cannot_be_read_is_set_aside_and_the_rest_goes_on(prepare, value):
    batch = prepare([Record(value=value, offset=5)])
    assert batch.rows == []
    ((source, reason),) = batch.unreadable
    assert source == Source("t", 3, 5)
    assert reason


def test_late_lines_are_keyed_by_their_place_in_the_log():
    lines = [LateLine(1, "a", 100_000, 0, 9, 1, 0, 1), LateLine(3, "a", 0, 100_000, -9, 0, 0, 0)]
    message = LateMessage(1, 3, 18, "12", "t1", True, START + 1, START, START + 9, "NOK", "2026-11-23", -1, lines)
    first, second = rows_of(late.prepare([Record(value=late_messages.encode(message))]), "late_lines")
    assert (first["epoch"], first["partition"], first["offset"], first["position"]) == (1, 3, 18, 1)
    assert (first["units"], first["revenue"], first["receipts"]) == (Decimal("1.00000"), Decimal("0.0009"), 1)
    assert (second["position"], second["returned"], second["revenue"]) == (3, Decimal("1.00000"), Decimal("-0.0009"))
    assert first["reversal"] is second["reversal"] is True
    assert first["store_receipts"] == second["store_receipts"] == -1
    assert first["window_start"] == MOMENT


def test_dead_letters_keep_their_bytes():
    letter = DeadLetter(b"\xff", b"\x00{", "is no JSON", "$", "pos.receipts", 2, 40, 7)
    record = Record(key=letter.key, value=letter.value, headers=tuple(letter.headers()))
    (row,) = rows_of(rejected.prepare([record]), "rejected")
    assert (row["topic"], row["partition"], row["offset"]) == ("pos.receipts", 2, 40)
    assert (row["key"], row["value"], row["path"], row["reason"]) == (b"\xff", b"\x00{", "$", "is no JSON")
    assert (row["letter_partition"], row["letter_offset"], row["epoch"]) == (3, 17, 7)
    old = Record(key=b"k", value=b"v", headers=tuple(letter.headers()[:-1]))
    assert rows_of(rejected.prepare([old]), "rejected")[0]["epoch"] == 0, "of a version that had one epoch only"


def test_epochs_carry_their_offset_as_version():
    old = {"epoch": 1, "state": "retired", "window": 300, "grace": 3600}  # of a version that noted no more
    new = {"epoch": 2, "state": "live", "window": 900, "grace": 3600, "max_skew": 60, "replaces": [1]}
    records = [Record(value=json.dumps(one).encode()) for one in (old, new)]
    shared = {"grace_seconds": 3600, "version": 17}
    assert rows_of(epochs.prepare(records), "epochs") == [
        {"epoch": 1, "state": "retired", "window_seconds": 300, "max_skew_seconds": None, "replaces": [], **shared},
        {"epoch": 2, "state": "live", "window_seconds": 900, "max_skew_seconds": 60, "replaces": [1], **shared},
    ]


def test_deliveries_carry_their_offset_as_version_and_none_hides_what_became_of_one():
    given = [
        delivery(state="delivered", attempt=2, next_at=0, status=204),
        delivery(state="expired", next_at=0, reason="old"),
        EndpointState(endpoint="erp", state="disabled", since=NOW, reason="answered 410", at=NOW),
    ]
    batch = deliveries.prepare([Record(value=delivery_messages.encode(one), offset=n) for n, one in enumerate(given)])
    first, second = rows_of(batch, "webhook_deliveries")
    assert (first["webhook_id"], first["state"], first["attempt"], first["status"]) == ("msg_1", "delivered", 2, 204)
    assert (first["next_at"], first["version"], first["partition"], first["offset"]) == (None, 1, 3, 0)
    assert (second["state"], second["version"], second["offset"]) == ("expired", 0, 1)
    (endpoint,) = rows_of(batch, "webhook_endpoints")
    assert (endpoint["endpoint"], endpoint["state"], endpoint["version"]) == ("erp", "disabled", 3)
    (waiting,) = rows_of(deliveries.prepare([Record(value=delivery_messages.encode(delivery()))]), "webhook_deliveries")
    assert waiting["next_at"] == waiting["at"]


def test_a_tombstone_of_a_delivery_is_no_row_and_no_fault():
    tombstone = Record(key=b"msg_1", value=None)
    batch = deliveries.prepare([tombstone, Record(value=delivery_messages.encode(delivery())), tombstone])
    assert len(rows_of(batch, "webhook_deliveries")) == 1
    assert (deliveries.prepare([tombstone]).rows, batch.unreadable) == ([], [])


def ledger_of(*receipts, key=b"12", keep_lines=True, **more):
    prepare = ledger.make_prepare(1, SKEW, keep_lines=keep_lines)
    records = [Record(value=encoded(one), offset=offset, key=key, **more) for offset, one in enumerate(receipts)]
    return prepare(records)


def test_the_ledger_has_the_receipt_its_lines_and_never_the_customer():
    batch = ledger_of(RECEIPT)
    (receipt,) = rows_of(batch, "receipts")
    assert receipt["customer"] == ledger.customer_hash("opaque-token")
    assert "opaque-token" not in str(batch.rows)
    assert (receipt["amount"], receipt["lines"], receipt["till_id"], receipt["sequence"]) == (
        Decimal("172.1500"), 2, "4", 871,
    )  # fmt: skip
    assert (receipt["partition"], receipt["offset"], receipt["epoch"]) == (3, 0, 1)
    assert receipt["business_date"] == date(2026, 11, 23)
    first, second = rows_of(batch, "receipt_lines")
    assert (first["position"], first["sku"], first["quantity"], first["discount"]) == (1, "7038010055720", 2, 5)
    assert (second["position"], second["unit"], second["quantity"]) == (2, "kg", Decimal("0.75400"))
    assert first["kind"] == "sale"
    assert batch.newest == 0, "freshness is that of sales: the ledger goes on though no worker folds"


def test_copies_are_in_the_ledger_too():
    assert [row["offset"] for row in rows_of(ledger_of(RECEIPT, RECEIPT), "receipts")] == [0, 1]


@pytest.mark.parametrize(
    "receipt",
    [
        changed("$.type", "training"), changed("$.type", "void"),
        changed("$.lines", [{**RECEIPT["lines"][0], "void": True}]), changed("$.currency", "nok"),
        changed("$.occurred_at", "2027-11-23T17:05:09Z"), changed("$.store_id", "13"),
    ],
)  # fmt: skip
def test_what_counts_nothing_or_was_refused_is_not_in_the_ledger(receipt):
    assert ledger_of(receipt).rows == []


def test_void_lines_are_left_out_and_the_others_keep_their_position():
    receipt = changed("$.lines[0]", {**RECEIPT["lines"][0], "void": True})
    batch = ledger_of(receipt)
    assert [row["position"] for row in rows_of(batch, "receipt_lines")] == [2]
    assert rows_of(batch, "receipts")[0]["amount"] == Decimal("112.3500")
    assert [len(rows.sources) for rows in batch.rows] == [1, 1]


@pytest.mark.parametrize(
    ("receipt", "amount", "kinds"),
    [
        (changed("$.type", "return"), "-172.15", ["return", "return"]),
        (changed("$.type", "post_void"), "-172.15", ["sale", "sale"]),
        (changed("$.lines[0].kind", "return"), "52.55", ["return", "sale"]),
        ({**changed("$.lines[0].kind", "return"), "type": "post_void"}, "-52.55", ["return", "sale"]),
    ],
)
def test_amounts_are_what_was_paid_less_what_was_refunded(receipt, amount, kinds):
    batch = ledger_of(receipt)
    (row,) = rows_of(batch, "receipts")
    assert row["amount"] == Decimal(amount)
    assert row["reversal"] == (receipt["type"] == "post_void")
    assert [line["kind"] for line in rows_of(batch, "receipt_lines")] == kinds


def test_lines_can_be_left_out():
    assert [rows.table for rows in ledger_of(RECEIPT, keep_lines=False).rows] == ["receipts"]
