"""`webhook.deliveries` to the tables webhook_deliveries and webhook_endpoints."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from schemas import delivery
from schemas.delivery import Delivery, EndpointState
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `webhook.deliveries`; the version is the record's offset plus one.

    A tombstone is passed over: the log forgets a delivery, and ClickHouse keeps what became of it.
    """
    batch = Batch()
    deliveries: list[tuple[Delivery, Source]] = []
    endpoints: list[tuple[EndpointState, Source]] = []
    for record in records:
        if record.value is None:
            continue
        source = Source(record.topic, record.partition, record.offset)
        try:
            message = delivery.decode(record.value)
        except msgspec.MsgspecError as fault:
            batch.unreadable.append((source, str(fault)))
            continue
        if isinstance(message, EndpointState):
            endpoints.append((message, source))
        else:
            deliveries.append((message, source))
    if deliveries:
        batch.rows.append(Rows("webhook_deliveries", _deliveries(deliveries), [source for _, source in deliveries]))
    if endpoints:
        batch.rows.append(Rows("webhook_endpoints", _endpoints(endpoints), [source for _, source in endpoints]))
    return batch


def _version(one: Delivery, source: Source) -> int:
    """An alert that comes a second time, long after it was delivered, is too old: that must not hide the delivery."""
    return 0 if one.state == "expired" else source.offset + 1


def _deliveries(found: Sequence[tuple[Delivery, Source]]) -> pa.Table:
    ones = [one for one, _ in found]
    return pa.table(
        {
            "webhook_id": pa.array([one.webhook_id for one in ones], pa.string()),
            "endpoint": pa.array([one.endpoint for one in ones], pa.string()),
            "type": pa.array([one.type for one in ones], pa.string()),
            "state": pa.array([one.state for one in ones], pa.string()),
            "attempt": columns.unsigned([one.attempt for one in ones], 16),
            "next_at": pa.array([one.next_at or None for one in ones], pa.timestamp("us", tz="UTC")),
            "status": columns.unsigned([one.status for one in ones], 16),
            "reason": pa.array([one.reason for one in ones], pa.string()),
            "at": columns.micros([one.at for one in ones]),
            "alert_id": pa.array([one.alert_id for one in ones], pa.string()),
            "sequence": columns.unsigned([one.sequence for one in ones], 64),
            "occurred_at": columns.micros([one.occurred_at for one in ones]),
            "store_id": pa.array([one.store_id for one in ones], pa.string()),
            "sku": pa.array([one.sku for one in ones], pa.string()),
            "rule": pa.array([one.rule for one in ones], pa.string()),
            "severity": pa.array([one.severity for one in ones], pa.string()),
            **_place(found),
            "version": columns.unsigned([_version(one, source) for one, source in found], 64),
        }
    )


def _endpoints(found: Sequence[tuple[EndpointState, Source]]) -> pa.Table:
    ones = [one for one, _ in found]
    return pa.table(
        {
            "endpoint": pa.array([one.endpoint for one in ones], pa.string()),
            "state": pa.array([one.state for one in ones], pa.string()),
            "since": columns.micros([one.since for one in ones]),
            "reason": pa.array([one.reason for one in ones], pa.string()),
            "at": columns.micros([one.at for one in ones]),
            **_place(found),
            "version": columns.unsigned([source.offset + 1 for _, source in found], 64),
        }
    )


def _place(found: Sequence[tuple[Delivery, Source]] | Sequence[tuple[EndpointState, Source]]) -> dict[str, pa.Array]:
    return {
        "partition": columns.unsigned([source.partition for _, source in found], 16),
        "offset": columns.unsigned([source.offset for _, source in found], 64),
    }
