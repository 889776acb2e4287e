"""What the demo shows of the real receipts, read from the same views that anybody queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from tillstream.demo.simulated_stock import SIMULATED

MOVERS = 10
BUSIEST = 5

# The store that does not exist is called so (tillstream.demo.simulated_rush).
_REAL = f"NOT startsWith(store_id, '{SIMULATED}')"
_TOTALS = f"SELECT count(), sum(s.revenue), uniqExact(s.store_id), uniqExact(s.sku) FROM sales AS s WHERE {_REAL}"  # noqa: S608  # a text of ours
_MOVERS = f"""
SELECT s.sku, any(p.name), any(p.department), sum(s.revenue) AS paid, sum(s.units), uniqExact(s.store_id)
FROM sales AS s LEFT JOIN (SELECT sku, name, department FROM products FINAL) AS p ON s.sku = p.sku
WHERE {_REAL} GROUP BY s.sku ORDER BY paid DESC, s.sku LIMIT {{most:UInt32}}
"""  # noqa: S608  # likewise
_WINDOWS = f"SELECT count() FROM receipt_counts WHERE {_REAL}"  # noqa: S608  # likewise
_STORES = f"""
SELECT store_id, sum(c.receipts) AS counted FROM receipt_counts AS c
WHERE {_REAL} GROUP BY store_id ORDER BY counted DESC, store_id LIMIT {{most:UInt32}}
"""  # noqa: S608  # likewise
_HOURS = (
    "SELECT toHour(window_start, 'UTC') AS hour, sum(c.receipts) FROM receipt_counts AS c"  # noqa: S608  # likewise
    f" WHERE {_REAL} GROUP BY hour"
)


class Mover(NamedTuple):
    """A SKU by what was paid for it."""

    sku: str
    name: str
    department: str
    revenue: Decimal
    units: Decimal
    stores: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`rows` counts (store, SKU, currency, window), `windows` (store, window); `hours` has receipts by hour, UTC."""

    rows: int = 0
    windows: int = 0
    revenue: Decimal = Decimal(0)
    stores: int = 0
    skus: int = 0
    movers: list[Mover] = field(default_factory=list)
    busiest: list[tuple[str, int]] = field(default_factory=list)
    hours: list[int] = field(default_factory=lambda: [0] * 24)


def read(client: Client) -> Figures:
    """Read all figures; takes about two seconds for 1.5 million rows."""
    rows, revenue, stores, skus = client.query(_TOTALS).result_rows[0]
    movers = client.query(_MOVERS, parameters={"most": MOVERS}).result_rows
    busiest = client.query(_STORES, parameters={"most": BUSIEST}).result_rows
    by_hour: dict[int, int] = dict(client.query(_HOURS).result_rows)  # type: ignore[arg-type]  # pairs
    return Figures(
        rows=rows,
        windows=client.query(_WINDOWS).result_rows[0][0],
        revenue=revenue,
        stores=stores,
        skus=skus,
        movers=[Mover(*row) for row in movers],
        busiest=[(store, receipts) for store, receipts in busiest],
        hours=[by_hour.get(hour, 0) for hour in range(24)],
    )
