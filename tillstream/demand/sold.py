"""Reads from ClickHouse how stores have sold, some stores at a time: their standard hours, and the SKUs in these."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any

from clickhouse_connect.driver.client import Client

from tillstream.demand.rates import Sold

# The newest window tells what time it is: all that is learned is a function of what was sold.
_NEWEST = """
SELECT toUnixTimestamp(max(window_start)) FROM store_windows
WHERE receipts > 0 AND epoch IN (SELECT epoch FROM live_epochs)
"""
_STORES = """
SELECT DISTINCT store_id FROM store_windows
WHERE window_start >= toDateTime({begin:UInt32}, 'UTC') AND window_start <= toDateTime({end:UInt32}, 'UTC')
  AND epoch IN (SELECT epoch FROM live_epochs)
ORDER BY store_id
"""
_HOURS = """
SELECT store_id, toUnixTimestamp(toStartOfHour(window_start)) AS hour, sum(receipts) AS many
FROM receipt_counts
WHERE store_id IN {stores:Array(String)}
  AND window_start >= toDateTime({begin:UInt32}, 'UTC') AND window_start <= toDateTime({end:UInt32}, 'UTC')
GROUP BY store_id, hour
HAVING many > 0
ORDER BY store_id, hour
"""
# A window with returns alone has no units; one whose sale was voided later has them negative.
_SKUS = """
SELECT store_id, sku, min(hour) AS first, toInt64(sum(many)) AS purchases, toFloat64(sum(sold)) AS sold_units,
       toInt64(sum(many) - argMin(many, hour)) AS later
FROM
(
    SELECT store_id, sku, toUnixTimestamp(toStartOfHour(window_start)) AS hour, sum(receipts) AS many,
           sum(units) AS sold
    FROM sales
    WHERE store_id IN {stores:Array(String)} AND units != 0
      AND window_start >= toDateTime({begin:UInt32}, 'UTC') AND window_start <= toDateTime({end:UInt32}, 'UTC')
    GROUP BY store_id, sku, hour
)
GROUP BY store_id, sku
HAVING purchases > 0 AND sold_units > 0
"""


# A view costs a tenth of a second whatever is asked; what is asked of a store's weeks is held in memory.
_A_TIME = 20


@dataclass(slots=True)
class Period:
    """What was read: from when to when, the stores with receipts in it, and what they sold of each SKU."""

    since: datetime | None = None
    until: datetime | None = None
    stores: int = 0
    sold: dict[str, Sold] = field(default_factory=dict)


def read(
    client: Client,
    days: int,
    on_total: Callable[[int], None] = lambda _: None,
    on_read: Callable[[int], None] = lambda _: None,
) -> Period:
    """The last days up to the newest receipt. `on_total` is told how many stores there are, `on_read` each more."""
    end = int(client.query(_NEWEST).result_rows[0][0])
    if end == 0:
        return Period()
    span = {"begin": max(0, end - days * 86_400), "end": end}
    stores = [name for (name,) in client.query(_STORES, parameters=span).result_rows]
    on_total(len(stores))
    found = Period(_time(span["begin"]), _time(end), len(stores))
    for at in range(0, len(stores), _A_TIME):
        some = stores[at : at + _A_TIME]
        _add(found.sold, client, {**span, "stores": some})
        on_read(len(some))
    return found


def _add(sold: dict[str, Sold], client: Client, asked: dict[str, Any]) -> None:
    clocks = {
        store: _Clock([(hour, many) for _, hour, many in rows])
        for store, rows in groupby(client.query(_HOURS, parameters=asked).result_rows, key=itemgetter(0))
    }
    for store, sku, first, purchases, units, later in client.query(_SKUS, parameters=asked).result_rows:
        if store in clocks:
            sold.setdefault(sku, Sold()).add(purchases, units, later, clocks[store].after(first))


class _Clock:
    """A store's standard hours, of its hours with receipts, each with how many it has."""

    def __init__(self, hours: list[tuple[int, int]]) -> None:
        self._hours = [hour for hour, _ in hours]
        usual = sum(many for _, many in hours) / len(hours)
        self._done = [many / usual for many in accumulate(many for _, many in hours)]

    def after(self, hour: int) -> float:
        """Standard hours after an hour."""
        at = bisect_right(self._hours, hour)
        return self._done[-1] - (self._done[at - 1] if at else 0.0)


def categories(client: Client) -> dict[str, str]:
    """The category of each product; empty where none is known."""
    rows = client.query("SELECT sku, toString(category) FROM products FINAL").result_rows
    return {sku: category for sku, category in rows}  # noqa: C416  # dict() takes no rows of any length, mypy says


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
