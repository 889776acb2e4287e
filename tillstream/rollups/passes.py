"""One pass: the days that sinks have touched, each computed anew and put in the place of what was there.

A day of an epoch is computed whole, aside, from the rows under `sales`: one step replaces the hours, one the day.
Nothing is added up over time, so whoever computes it, whenever, again, gets the same; one who dies leaves what was
there, and a table aside that is dropped later. What is due is told by the tables alone: a day whose touches are more
than its roll-up says it was computed at. One that a frozen sink computed earlier and writes later is due again.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from tillstream.reconcile.views import as_if_live

# Rows under `sales` that one statement reads: so many make a statement of a few seconds.
ROWS_A_STATEMENT = 1_500_000
# Tables aside of someone who died; nobody works on one for so long.
LEFT_BEHIND_SECONDS = 3_600
_SETTINGS = {
    "max_threads": 1, "max_partitions_per_insert_block": 0,
    # A day is summed up from hours in their order; and only rows of its time are decompressed where others lie between.
    "optimize_aggregation_in_order": 1, "optimize_move_to_prewhere_if_final": 1,
}  # fmt: skip
_FIGURES = {
    "units": "Decimal(18, 5)", "returned": "Decimal(18, 5)", "revenue": "Decimal(18, 4)",
    "discount": "Decimal(18, 4)", "tax": "Decimal(18, 4)", "receipts": "Int64",
}  # fmt: skip
_KEY = "store_id, sku, currency"
_DUE = """
SELECT epoch, day, max(touched) AS wanted
FROM
(
    SELECT epoch, day, sum(touches) AS touched, 0 AS hours, 0 AS days, 0 AS empty
    FROM (SELECT * FROM rollup_touches FINAL) GROUP BY epoch, day
    UNION ALL
    SELECT epoch, toDate(window_start) AS day, 0, min(touches), 0, 0 FROM rollup_hours GROUP BY epoch, day
    UNION ALL
    SELECT epoch, toDate(window_start) AS day, 0, 0, min(touches), 0 FROM rollup_days GROUP BY epoch, day
    UNION ALL
    SELECT epoch, day, 0, 0, 0, touches FROM rollup_empty FINAL
)
GROUP BY epoch, day
HAVING wanted > greatest(least(max(hours), max(days)), max(empty))
ORDER BY day DESC, epoch
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A day to compute, and the touches that it is computed at: asked for before its rows are read."""

    epoch: int
    day: date
    touches: int


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass did: days computed, in how many seconds; `as_of` is None where it was broken off."""

    days: int
    seconds: float
    as_of: datetime | None


def age(client: Client) -> float:
    """Seconds since the time up to which the roll-ups hold everything, by ClickHouse's own clock."""
    found = client.query("SELECT toFloat64(now64(3)) - toFloat64(max(as_of)) FROM rollup_passes").result_rows[0][0]
    return float(found)


def roll_up(client: Client, ended: Callable[[], bool] = lambda: False) -> Pass:
    """Compute every day that is due, the newest first."""
    begun = time.monotonic()
    # Whatever a sink has finished by now is in the answer to the next question.
    as_of = client.query("SELECT now64(3, 'UTC')").result_rows[0][0].replace(tzinfo=UTC)
    due = [Due(*row) for row in client.query(_DUE).result_rows]
    _drop_left_behind(client)
    done = 0
    for part in parts(due, _rows_a_day(client)):
        if ended():
            return Pass(done, time.monotonic() - begun, None)
        _compute(client, part)
        done += len(part)
    client.insert("rollup_passes", [[as_of]], column_names=["as_of"])
    return Pass(done, time.monotonic() - begun, as_of)


def parts(due: list[Due], rows_a_day: dict[int, float]) -> Iterator[list[Due]]:
    """Days that one statement computes: of one epoch and month, about ROWS_A_STATEMENT rows."""
    months: dict[tuple[int, int], list[Due]] = defaultdict(list)
    for one in due:
        months[one.epoch, one.day.year * 100 + one.day.month].append(one)
    for (_, month), days in months.items():
        many = max(1, int(ROWS_A_STATEMENT / max(1.0, rows_a_day.get(month, 1.0))))
        yield from (days[at : at + many] for at in range(0, len(days), many))


def _rows_a_day(client: Client) -> dict[int, float]:
    """Estimated from the parts of `sales_windows`, by its partition: the month."""
    rows: Any = client.query(
        "SELECT toUInt32(partition), sum(rows) / 28 FROM system.parts WHERE database = currentDatabase()"
        " AND table = 'sales_windows' AND active GROUP BY partition"
    ).result_rows
    return dict(rows)


def _compute(client: Client, part: list[Due]) -> None:
    mark = secrets.token_hex(4)
    with _aside(client, "rollup_hours", mark) as hours, _aside(client, "rollup_days", mark) as days:
        client.command(hours_of(part, hours), settings=_SETTINGS)
        client.command(days_of(part, hours, days), settings=_SETTINGS)
        found = {
            (row[0], row[1])
            for row in client.query(f"SELECT DISTINCT epoch, toDate(window_start) FROM {days}").result_rows
        }
        for table, source in (("rollup_hours", hours), ("rollup_days", days)):
            steps = [
                f"REPLACE PARTITION ID '{_partition(one)}' FROM {source}"
                if (one.epoch, one.day) in found
                else f"DROP PARTITION ID '{_partition(one)}'"
                for one in part
            ]
            client.command(f"ALTER TABLE {table} {', '.join(steps)}")
    if empty := [[one.epoch, one.day, one.touches] for one in part if (one.epoch, one.day) not in found]:
        client.insert("rollup_empty", empty, column_names=["epoch", "day", "touches"])


def hours_of(part: list[Due], table: str) -> str:
    """The statement that sums up some days of an epoch by the hour, into `table`."""
    epoch, numbers = part[0].epoch, [(one.day - date(1970, 1, 1)).days for one in part]
    first, after = (datetime.combine(day, datetime.min.time()) for day in (
        min(one.day for one in part), max(one.day for one in part) + timedelta(days=1)
    ))  # fmt: skip
    days = f"toUInt32(toDate(r.window_start)) IN ({', '.join(map(str, numbers))})"
    where = f"r.window_start >= '{first}' AND r.window_start < '{after}' AND {days}"
    touches = f"transform(toUInt32(toDate(window_start)), {numbers}, {[one.touches for one in part]}, toUInt64(0))"
    return (
        f"INSERT INTO {table} (epoch, {_KEY}, window_start, {', '.join(_FIGURES)}, touches)\n"
        f"{as_if_live(epoch)}"
        f"SELECT toUInt32({epoch}) AS epoch, {_KEY}, toStartOfHour(r.window_start) AS window_start, {_sums('r')},"
        f" {touches} AS touches\nFROM sales_rows AS r WHERE {where}\nGROUP BY {_KEY}, window_start"
    )


def days_of(part: list[Due], hours: str, table: str) -> str:
    """The statement that sums up those hours by the day, into `table`."""
    return (
        f"INSERT INTO {table} (epoch, {_KEY}, window_start, {', '.join(_FIGURES)}, touches)\n"
        f"SELECT {part[0].epoch}, {_KEY}, toStartOfDay(h.window_start) AS window_start, {_sums('h')},"
        f" any(h.touches) AS touches FROM {hours} AS h GROUP BY {_KEY}, window_start"
    )


def _sums(source: str) -> str:
    return ", ".join(f"CAST(sum({source}.{name}) AS {kind}) AS {name}" for name, kind in _FIGURES.items())


def _partition(one: Due) -> str:
    return f"{one.epoch}-{one.day:%Y%m%d}"


@contextmanager
def _aside(client: Client, table: str, mark: str) -> Iterator[str]:
    """An empty table of the same shape, which ends with the block."""
    name = f"{table}_{mark}"
    client.command(f"CREATE TABLE {name} AS {table}")
    try:
        yield name
    finally:
        client.command(f"DROP TABLE IF EXISTS {name} SYNC")


def _drop_left_behind(client: Client) -> None:
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND match(name, '^rollup_(hours|days)_[0-9a-f]{8}$')"
        f" AND metadata_modification_time < now() - toIntervalSecond({LEFT_BEHIND_SECONDS})"
    ).result_rows
    for (name,) in rows:
        client.command(f"DROP TABLE IF EXISTS {name} SYNC")
