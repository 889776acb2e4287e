"""`pos.receipts` to the ledger: every receipt that may count, copies included, and its lines.

What the fold refuses is left out here too (schemas.admission decides for both), as are receipts of type
training, void ones, and those with void lines only. Loyalty ids are hashed: the raw ones go nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import chain

import pyarrow as pa

from schemas.admission import admit
from schemas.errors import Refused
from schemas.receipt import Receipt
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source


def customer_hash(customer_id: str | None) -> str | None:
    """128 bits in hex by which visits of one customer can be told together (BLAKE2b)."""
    return customer_id and hashlib.blake2b(customer_id.encode(), digest_size=16).hexdigest()


def make_prepare(epoch: int, max_skew_us: int, *, keep_lines: bool) -> Callable[[Sequence[SinkRecord]], Batch]:
    """Give the function that makes a batch of records of `pos.receipts`."""

    def prepare(records: Sequence[SinkRecord]) -> Batch:
        found: list[tuple[SinkRecord, Receipt]] = []
        for record in records:
            try:
                receipt = admit(record.key, record.value, record.timestamp, max_skew_us)
            except Refused:
                continue  # the fold says so, in pos.rejected
            if not receipt.counts_nothing:
                found.append((record, receipt))
        batch = Batch()
        if found:
            sources = [Source(record.topic, record.partition, record.offset) for record, _ in found]
            batch.rows.append(Rows("receipts", _receipts(epoch, found), sources))
            if keep_lines:
                batch.rows.append(_lines(epoch, found, sources))
        return batch

    return prepare


def _void(receipt: Receipt) -> Sequence[bool]:
    return receipt.lines.void or [False] * len(receipt.lines.sku)


def _returned(receipt: Receipt) -> Sequence[bool]:
    return receipt.lines.returned or [False] * len(receipt.lines.sku)


def _paid(receipt: Receipt) -> int:
    lines = receipt.lines
    if lines.void is None and lines.returned is None:
        paid = sum(lines.amount)
    else:
        flags = zip(lines.amount, _void(receipt), _returned(receipt), strict=True)
        paid = sum(-amount if back else amount for amount, void, back in flags if not void)
    return -paid if receipt.reversal else paid


def _receipts(epoch: int, found: Sequence[tuple[SinkRecord, Receipt]]) -> pa.Table:
    receipts = [receipt for _, receipt in found]
    return pa.table(
        {
            "store_id": pa.array([one.store_id for one in receipts], pa.string()),
            "transaction_id": pa.array([one.transaction_id for one in receipts], pa.string()),
            "epoch": columns.unsigned([epoch] * len(found), 32),
            "partition": columns.unsigned([record.partition for record, _ in found], 16),
            "offset": columns.unsigned([record.offset for record, _ in found], 64),
            "reversal": pa.array([one.reversal for one in receipts], pa.bool_()),
            "type": pa.array([one.type for one in receipts], pa.string()),
            "occurred_at": columns.micros([one.occurred_at for one in receipts]),
            "published_at": columns.millis([record.timestamp for record, _ in found]),
            "business_date": columns.dates([one.business_date for one in receipts]),
            "currency": pa.array([one.currency for one in receipts], pa.string()),
            "till_id": pa.array([one.till_id for one in receipts], pa.string()),
            "sequence": pa.array([one.sequence for one in receipts], pa.int64()),
            "customer": pa.array([customer_hash(one.customer_id) for one in receipts], pa.string()),
            "original_transaction_id": pa.array([one.original_transaction_id for one in receipts], pa.string()),
            "lines": columns.unsigned([len(one.lines.sku) for one in receipts], 16),
            "amount": columns.money([_paid(one) for one in receipts]),
        }
    )


def _lines(epoch: int, found: Sequence[tuple[SinkRecord, Receipt]], sources: Sequence[Source]) -> Rows:
    counts = [len(receipt.lines.sku) for _, receipt in found]
    receipts = [receipt for _, receipt in found]

    def spread(values: Sequence[object]) -> list[object]:
        return list(chain.from_iterable([value] * count for value, count in zip(values, counts, strict=True)))

    def flat(column: Callable[[Receipt], Sequence[object]]) -> list[object]:
        return list(chain.from_iterable(column(receipt) for receipt in receipts))

    def optional(name: str) -> Callable[[Receipt], Sequence[object]]:
        return lambda receipt: getattr(receipt.lines, name) or [None] * len(receipt.lines.sku)

    data = pa.table(
        {
            "store_id": pa.array(spread([one.store_id for one in receipts]), pa.string()),
            "transaction_id": pa.array(spread([one.transaction_id for one in receipts]), pa.string()),
            "epoch": pa.array([epoch] * sum(counts), pa.uint32()),
            "partition": pa.array(spread([record.partition for record, _ in found]), pa.uint16()),
            "offset": pa.array(spread([record.offset for record, _ in found]), pa.uint64()),
            "position": pa.array(list(chain.from_iterable(range(1, count + 1) for count in counts)), pa.uint16()),
            "reversal": pa.array(spread([one.reversal for one in receipts]), pa.bool_()),
            "occurred_at": columns.micros(spread([one.occurred_at for one in receipts])),  # type: ignore[arg-type]
            "business_date": columns.dates(spread([one.business_date for one in receipts])),  # type: ignore[arg-type]
            "currency": pa.array(spread([one.currency for one in receipts]), pa.string()),
            "sku": pa.array(flat(lambda one: one.lines.sku), pa.string()),
            "kind": pa.array(["return" if back else "sale" for back in flat(_returned)], pa.string()),
            "quantity": columns.quantity(flat(lambda one: one.lines.quantity)),  # type: ignore[arg-type]
            "amount": columns.money(flat(lambda one: one.lines.amount)),  # type: ignore[arg-type]
            "discount": columns.money(flat(lambda one: one.lines.discount)),  # type: ignore[arg-type]
            "tax": columns.money(flat(lambda one: one.lines.tax)),  # type: ignore[arg-type]
            "unit": pa.array(flat(optional("unit")), pa.string()),
            "restocked": pa.array([bool(one) for one in flat(optional("restocked"))], pa.bool_()),
        }
    )
    rows = Rows("receipt_lines", data, spread(sources))  # type: ignore[arg-type]
    void = flat(_void)
    if any(void):
        kept = [index for index, gone in enumerate(void) if not gone]
        rows = Rows("receipt_lines", data.take(kept), [rows.sources[index] for index in kept])
    return rows
