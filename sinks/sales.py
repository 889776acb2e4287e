"""`sales.windows` to the tables sales_windows, store_windows and partition_results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec
import numpy as np
import pyarrow as pa

from schemas import window
from schemas.window import CountsMessage, WindowMessage
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source

_FIGURES = 7


class _SalesRows:
    """Collects the rows of sales_windows in columns."""

    def __init__(self) -> None:
        self.store: list[str] = []
        self.sku: list[str] = []
        self.currency: list[str] = []
        self.start: list[int] = []
        self.date: list[str] = []
        self.partition: list[int] = []
        self.epoch: list[int] = []
        self.figures: list[list[int]] = []
        self.sources: list[Source] = []

    def add(self, message: WindowMessage, source: Source) -> None:
        for currency, days in message.rows.items():
            for day, skus in days.items():
                many = len(skus)
                self.sku.extend(skus)
                self.figures.extend(skus.values())
                self.store += [message.store_id] * many
                self.currency += [currency] * many
                self.start += [message.window_start] * many
                self.date += [day] * many
                self.partition += [message.partition] * many
                self.epoch += [message.epoch] * many
                self.sources += [source] * many

    def rows(self) -> Rows:
        many = len(self.sku)
        flat = np.fromiter(chain.from_iterable(self.figures), dtype=np.int64, count=many * _FIGURES)
        units, returned, revenue, discount, tax, receipts, version = np.ascontiguousarray(
            flat.reshape(many, _FIGURES).T
        )
        data = pa.table(
            {
                "store_id": pa.array(self.store, pa.string()),
                "sku": pa.array(self.sku, pa.string()),
                "currency": pa.array(self.currency, pa.string()),
                "window_start": columns.seconds(self.start),
                "business_date": columns.dates(self.date),
                "partition": columns.unsigned(self.partition, 16),
                "epoch": columns.unsigned(self.epoch, 32),
                "version": pa.array(version.astype(np.uint64)),
                "units": columns.quantity(units),
                "returned": columns.quantity(returned),
                "revenue": columns.money(revenue),
                "discount": columns.money(discount),
                "tax": columns.money(tax),
                "receipts": pa.array(receipts),
            }
        )
        return Rows("sales_windows", data, self.sources)


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `sales.windows`."""
    batch, sales = Batch(), _SalesRows()
    stores: list[tuple[WindowMessage, Source]] = []
    counts: list[tuple[CountsMessage, Source]] = []
    for record in records:
        source = Source(record.topic, record.partition, record.offset)
        try:
            message = window.decode(record.value or b"")
        except msgspec.MsgspecError as fault:
            batch.unreadable.append((source, str(fault)))
            continue
        if isinstance(message, CountsMessage):
            counts.append((message, source))
        else:
            sales.add(message, source)
            stores.append((message, source))
    if sales.sku:
        batch.rows.append(sales.rows())
    if stores:
        batch.rows.append(_store_windows(stores))
    if counts:
        batch.rows.append(_partition_results(counts))
        # Counts come after the rows of their flush, so that those are readable now too.
        batch.newest = max(message.published for message, _ in counts)
    return batch


def _store_windows(stores: Sequence[tuple[WindowMessage, Source]]) -> Rows:
    data = pa.table(
        {
            "store_id": pa.array([message.store_id for message, _ in stores], pa.string()),
            "window_start": columns.seconds([message.window_start for message, _ in stores]),
            "partition": columns.unsigned([message.partition for message, _ in stores], 16),
            "epoch": columns.unsigned([message.epoch for message, _ in stores], 32),
            "version": columns.unsigned([message.version for message, _ in stores], 64),
            "receipts": pa.array([message.receipts for message, _ in stores], pa.int64()),
        }
    )
    return Rows("store_windows", data, [source for _, source in stores])


def _partition_results(counts: Sequence[tuple[CountsMessage, Source]]) -> Rows:
    # Nothing may have been folded yet: a version is an offset, and there is none before the first record.
    flat = [
        (message.epoch, message.partition, result, message.version, messages, source)
        for message, source in counts
        if message.version >= 0
        for result, messages in message.counts.items()
    ]
    data = pa.table(
        {
            "epoch": columns.unsigned([row[0] for row in flat], 32),
            "partition": columns.unsigned([row[1] for row in flat], 16),
            "result": pa.array([row[2] for row in flat], pa.string()),
            "version": columns.unsigned([row[3] for row in flat], 64),
            "messages": columns.unsigned([row[4] for row in flat], 64),
        }
    )
    return Rows("partition_results", data, [row[5] for row in flat])
