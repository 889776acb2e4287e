"""`tillstream.epochs` to the table epochs, whose live ones the views add up."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from schemas import epoch
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `tillstream.epochs`; the version is the record's offset."""
    batch = Batch()
    found: list[tuple[epoch.Epoch, Source]] = []
    for record in records:
        source = Source(record.topic, record.partition, record.offset)
        try:
            found.append((epoch.decode(record.value or b""), source))
        except msgspec.MsgspecError as fault:
            batch.unreadable.append((source, str(fault)))
    if found:
        data = pa.table(
            {
                "epoch": columns.unsigned([one.epoch for one, _ in found], 32),
                "state": pa.array([one.state for one, _ in found], pa.string()),
                "window_seconds": columns.unsigned([one.window for one, _ in found], 32),
                "grace_seconds": columns.unsigned([one.grace for one, _ in found], 32),
                "max_skew_seconds": pa.array([one.max_skew for one, _ in found], pa.uint32()),
                "replaces": pa.array([list(one.replaces) for one, _ in found], pa.list_(pa.uint32())),
                "version": columns.unsigned([source.offset for _, source in found], 64),
            }
        )
        batch.rows.append(Rows("epochs", data, [source for _, source in found]))
    return batch
