"""`restock.alerts` to the table restock_alerts: every state of every alert."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from schemas import alert
from schemas.alert import Alert
from schemas.numbers import Scale
from schemas.times import TimeFault, instant
from schemas.window import MONEY_SCALE, QUANTITY_SCALE
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source
from sinks.decimals import maybe_scaled, scaled

# What is on hand, and what a day of it is worth, is bounded by the columns alone: it is a sum, not what a till sent.
_QUANTITY = Scale("quantity", QUANTITY_SCALE, 10**12)
_MONEY = Scale("money", MONEY_SCALE, 10**12)


class _Read(NamedTuple):
    """An alert with its texts read: quantities in hundred-thousandths, money in ten-thousandths, microseconds."""

    alert: Alert
    source: Source
    on_hand: int
    on_order: int
    reorder_point: int | None
    days_of_cover: float | None
    suggested_order: int | None
    lost_revenue_per_day: int | None
    window_start: int
    raised_at: int
    changed_at: int
    snoozed_until: int | None


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `restock.alerts`."""
    batch = Batch()
    found: list[_Read] = []
    for record in records:
        source = Source(record.topic, record.partition, record.offset)
        try:
            found.append(_read(alert.decode(record.value or b""), source))
        except (msgspec.MsgspecError, ValueError) as fault:
            batch.unreadable.append((source, str(fault)))
    if found:
        batch.rows.append(Rows("restock_alerts", _table(found), [one.source for one in found]))
    return batch


def _read(one: Alert, source: Source) -> _Read:
    raised_at = _moment("raised_at", one.raised_at)
    return _Read(
        one,
        source,
        scaled("on_hand", one.on_hand, _QUANTITY),
        scaled("on_order", one.on_order, _QUANTITY),
        maybe_scaled("reorder_point", one.reorder_point, _QUANTITY),
        None if one.days_of_cover is None else _days(one.days_of_cover),
        maybe_scaled("suggested_order", one.suggested_order, _QUANTITY),
        maybe_scaled("lost_revenue_per_day", one.lost_revenue_per_day, _MONEY),
        _moment("window_start", one.window_start),
        raised_at,
        _moment("changed_at", one.changed_at) if one.changed_at else raised_at,
        None if one.snoozed_until is None else _moment("snoozed_until", one.snoozed_until),
    )


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not math.isfinite(days):
        raise ValueError("days_of_cover must be a finite number")
    return days


def _moment(name: str, text: str) -> int:
    try:
        return instant(text)
    except TimeFault as fault:
        raise ValueError(f"{name} {fault}") from None


def _table(found: Sequence[_Read]) -> pa.Table:
    alerts = [one.alert for one in found]

    def texts(values: Sequence[str]) -> pa.Array:
        return pa.array(values, pa.string())

    return pa.table(
        {
            "alert_id": texts([one.alert_id for one in alerts]),
            "sequence": columns.unsigned([one.sequence for one in alerts], 32),
            "partition": columns.unsigned([one.source.partition for one in found], 16),
            "offset": columns.unsigned([one.source.offset for one in found], 64),
            "rule": texts([one.rule for one in alerts]),
            "state": texts([one.state for one in alerts]),
            "severity": texts([one.severity for one in alerts]),
            "store_id": texts([one.store_id for one in alerts]),
            "sku": texts([one.sku for one in alerts]),
            "name": texts([one.product.name for one in alerts]),
            "department": texts([one.product.department for one in alerts]),
            "category": texts([one.product.category for one in alerts]),
            "brand": texts([one.product.brand for one in alerts]),
            "on_hand": columns.quantity([one.on_hand for one in found]),
            "on_order": columns.quantity([one.on_order for one in found]),
            "reorder_point": columns.maybe_quantity([one.reorder_point for one in found]),
            "days_of_cover": pa.array([one.days_of_cover for one in found], pa.float64()),
            "suggested_order": columns.maybe_quantity([one.suggested_order for one in found]),
            "lost_revenue_per_day": columns.maybe_money([one.lost_revenue_per_day for one in found]),
            "currency": texts([one.currency for one in alerts]),
            "window_start": columns.seconds([one.window_start for one in found]),
            "raised_at": columns.micros([one.raised_at for one in found]),
            "changed_at": columns.micros([one.changed_at for one in found]),
            "snoozed_until": columns.maybe_micros([one.snoozed_until for one in found]),
            "reason": texts([one.reason for one in alerts]),
            "figures": pa.array([list(one.figures.items()) for one in alerts], pa.map_(pa.string(), pa.float64())),
        }
    )
