"""Writes rows into ClickHouse: waits while it is away, stands a bad row alone, stops at what no retry mends.

Every row is absolute and carries its version or its offset, so writing one again changes nothing: whoever
calls may repeat after a crash. No deduplication tokens: they lose acknowledged rows (see DESIGN.md).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from schemas.errors import Stop, Unavailable
from sinks import metrics
from sinks.batch import Batch, Rows, Source
from sinks.rejected import set_aside
from sinks.touched import Touches, touched

log = logging.getLogger(__name__)

# Refused one after another before it is taken for a bad deploy rather than for bad rows.
MOST_SET_ASIDE = 1_000
# ClickHouse's codes that speak of a row's data. Whatever else it says is waited out: a good row that is set aside
# because of the server's own trouble (a full disk, a quota, a code that is new to us) would be missing in the totals.
_DATA = {6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 407, 469, 691}
_MIGRATE = "Run `tillstream migrate`."
_LOGIN = "Check user and password in TILLSTREAM_CLICKHOUSE_URL."
_GRANT = "Grant the user INSERT on the database."
_MENDED_BY = {
    16: _MIGRATE, 60: _MIGRATE, 81: _MIGRATE, 115: "Use a newer ClickHouse, as docker-compose.yml has it.",
    164: _GRANT, 497: _GRANT, 192: _LOGIN, 193: _LOGIN, 194: _LOGIN, 516: _LOGIN,
}  # fmt: skip
# One insert may hold many months (a replay of years), and waits for nothing in the background.
_SETTINGS = {"max_partitions_per_insert_block": 0, "async_insert": 0, "deduplicate_insert": "disable"}


class ClickHouseStore:
    """Writes batches through a clickhouse-connect client, made again after each failure."""

    def __init__(self, sink: str, connect: Callable[[], Any]) -> None:
        self._sink = sink
        self._connect = connect
        self._client: Any = None
        self._consecutive = 0
        self._touches = Touches()

    def write(self, batch: Batch) -> None:
        """Write all of a batch; raises Unavailable (nothing is lost by trying again) or Stop."""
        refused = list(batch.unreadable)
        for rows in batch.rows:
            self._insert(rows, refused)
        self._touch(batch)
        if not refused:
            self._consecutive = 0
            return
        self._set_aside(refused)
        self._consecutive += len(refused)
        metrics.set_aside.labels(self._sink).inc(len(refused))
        log.warning("%s: %d rows set aside, the first because: %s", self._sink, len(refused), refused[0][1])
        if self._consecutive >= MOST_SET_ASIDE:
            raise Stop(
                f"The {self._sink} sink set {self._consecutive} rows aside, no good batch between: {refused[0][1]}",
                "This is no matter of single rows. Look into `tillstream rejected list`, then start it again.",
            )

    def _insert(self, rows: Rows, refused: list[tuple[Source, str]]) -> None:
        """Insert rows; those that ClickHouse refuses for their data go to `refused`, each with its reason."""
        if self._consecutive + len(refused) >= MOST_SET_ASIDE:
            return  # `write` stops, before anything is committed
        try:
            self._insert_table(rows.table, rows.data)
        except DatabaseError as fault:
            if len(rows.sources) == 1:
                refused.append((rows.sources[0], f"{rows.table}: {_first_line(fault)}"))
                return
            middle = len(rows.sources) // 2
            self._insert(Rows(rows.table, rows.data.slice(0, middle), rows.sources[:middle]), refused)
            self._insert(Rows(rows.table, rows.data.slice(middle), rows.sources[middle:]), refused)

    def _touch(self, batch: Batch) -> None:
        """Say which days have new rows: after these, so that no roll-up is taken for done without them."""
        days = set().union(*(touched(rows) for rows in batch.rows))
        if not days:
            return
        try:
            self._insert_table("rollup_touches", self._touches.count(days))
        except DatabaseError as fault:  # no row of a till is at fault here
            raise Unavailable("ClickHouse", _first_line(fault)) from None

    def _set_aside(self, refused: list[tuple[Source, str]]) -> None:
        try:
            self._insert_table("rejected", set_aside(refused))
        except DatabaseError as fault:
            raise Stop(
                f"ClickHouse refuses even the rows that say what was set aside: {_first_line(fault)}",
                "Make the table `rejected` as schemas/clickhouse/0002_ledger.sql has it.",
            ) from None

    def _insert_table(self, table: str, data: Any) -> None:
        if not data.num_rows:
            return
        begun = time.monotonic()
        try:
            if self._client is None:
                self._client = self._connect()
            self._client.insert_arrow(table, data, settings=_SETTINGS)
        except OperationalError as fault:
            self._client = None
            raise Unavailable("ClickHouse", _first_line(fault)) from None
        except DatabaseError as fault:
            code = getattr(fault, "code", None)
            if code in _MENDED_BY:
                raise Stop(f"ClickHouse refuses to write: {_first_line(fault)}", _MENDED_BY[code]) from None
            if code not in _DATA:
                raise Unavailable("ClickHouse", _first_line(fault)) from None
            raise
        except (ClickHouseError, OSError) as fault:
            self._client = None
            raise Unavailable("ClickHouse", _first_line(fault)) from None
        metrics.insert_seconds.labels(table).observe(time.monotonic() - begun)
        metrics.rows.labels(table).inc(data.num_rows)


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:300]
