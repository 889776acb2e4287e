"""`pos.late` to the table late_lines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from schemas import late
from schemas.late import LateLine, LateMessage
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `pos.late`."""
    batch = Batch()
    flat: list[tuple[LateMessage, LateLine, Source]] = []
    for record in records:
        source = Source(record.topic, record.partition, record.offset)
        try:
            message = late.decode(record.value or b"")
        except msgspec.MsgspecError as fault:
            batch.unreadable.append((source, str(fault)))
            continue
        flat.extend((message, line, source) for line in message.lines)
    if flat:
        batch.rows.append(Rows("late_lines", _table(flat), [source for *_, source in flat]))
    return batch


def _table(flat: Sequence[tuple[LateMessage, LateLine, Source]]) -> pa.Table:
    heads, lines = [head for head, *_ in flat], [line for _, line, _ in flat]
    return pa.table(
        {
            "epoch": columns.unsigned([head.epoch for head in heads], 32),
            "partition": columns.unsigned([head.partition for head in heads], 16),
            "offset": columns.unsigned([head.offset for head in heads], 64),
            "position": columns.unsigned([line.position for line in lines], 16),
            "store_id": pa.array([head.store_id for head in heads], pa.string()),
            "transaction_id": pa.array([head.transaction_id for head in heads], pa.string()),
            "reversal": pa.array([head.reversal for head in heads], pa.bool_()),
            "occurred_at": columns.micros([head.occurred_at for head in heads]),
            "window_start": columns.seconds([head.window_start for head in heads]),
            "watermark": columns.micros([head.watermark for head in heads]),
            "currency": pa.array([head.currency for head in heads], pa.string()),
            "business_date": columns.dates([head.business_date for head in heads]),
            "store_receipts": pa.array([head.receipts for head in heads], pa.int64()),
            "sku": pa.array([line.sku for line in lines], pa.string()),
            "units": columns.quantity([line.units for line in lines]),
            "returned": columns.quantity([line.returned for line in lines]),
            "revenue": columns.money([line.revenue for line in lines]),
            "discount": columns.money([line.discount for line in lines]),
            "tax": columns.money([line.tax for line in lines]),
            "receipts": pa.array([line.receipts for line in lines], pa.int64()),
        }
    )
