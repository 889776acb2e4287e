"""`stock.positions` to the table stock_positions: what each shelf holds, and what is on its way to it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from schemas import position
from schemas.position import PositionOrder, StockPosition
from schemas.window import QUANTITY_SCALE
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `stock.positions`; the partition is the record's."""
    batch = Batch()
    found: list[tuple[StockPosition, Source]] = []
    for record in records:
        source = Source(record.topic, record.partition, record.offset)
        try:
            found.append((position.decode(record.value or b""), source))
        except msgspec.MsgspecError as fault:
            batch.unreadable.append((source, str(fault)))
    if found:
        sources = [source for _, source in found]
        batch.rows.append(Rows("stock_positions", _table([one for one, _ in found], sources), sources))
    return batch


def _table(found: Sequence[StockPosition], sources: Sequence[Source]) -> pa.Table:
    def texts(values: Sequence[str]) -> pa.Array:
        return pa.array(values, pa.string())

    return pa.table(
        {
            "store_id": texts([one.store_id for one in found]),
            "sku": texts([one.sku for one in found]),
            "partition": columns.unsigned([source.partition for source in sources], 16),
            "version": columns.unsigned([one.version for one in found], 64),
            "name": texts([one.product.name for one in found]),
            "department": texts([one.product.department for one in found]),
            "category": texts([one.product.category for one in found]),
            "brand": texts([one.product.brand for one in found]),
            "counted": pa.array([one.counted for one in found], pa.bool_()),
            "on_hand": columns.maybe_quantity([one.on_hand for one in found]),
            "on_order": columns.quantity([one.on_order for one in found]),
            "orders": _orders([one.orders for one in found]),
            "demand_a_day": pa.array([one.demand_a_day for one in found], pa.float64()),
            "days_of_cover": pa.array([one.days_of_cover for one in found], pa.float64()),
            "reorder_point": columns.maybe_quantity([_scaled(one.reorder_point) for one in found]),
            "order_up_to": columns.maybe_quantity([_scaled(one.order_up_to) for one in found]),
            "price": columns.maybe_money([one.price for one in found]),
            "currency": texts([one.currency for one in found]),
            "updated_at": columns.micros([one.updated_at for one in found]),
        }
    )


def _orders(found: Sequence[Sequence[PositionOrder]]) -> pa.Array:
    flat = [order for orders in found for order in orders]
    fields = {
        "order_id": pa.array([one.order_id for one in flat], pa.string()),
        "placed_at": columns.micros([one.placed_at for one in flat]),
        "remaining": columns.quantity([one.remaining for one in flat]),
        "expected_at": columns.maybe_micros([one.expected_at for one in flat]),
        "stage": pa.array([one.stage for one in flat], pa.string()),
        "alert_id": pa.array([one.alert_id for one in flat], pa.string()),
    }
    ends = [0]
    for orders in found:
        ends.append(ends[-1] + len(orders))
    structs = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), structs)


def _scaled(units: float | None) -> int | None:
    """Units that were estimated, to the nearest hundred-thousandth."""
    return None if units is None else round(units * 10**QUANTITY_SCALE)
