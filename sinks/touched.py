"""Which days of which epochs a batch has rows for: the roll-ups of these have to be computed again."""

from __future__ import annotations

import secrets
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from sinks import columns
from sinks.batch import Rows

# Tables that the view `sales` is made of, and the time by which their rows belong to a day. The ledger decides which
# late receipts count. A window never reaches over midnight (UTC).
_TIMES = {"sales_windows": "window_start", "late_lines": "window_start", "receipts": "occurred_at"}

Day = tuple[int, int]


def touched(rows: Rows) -> set[Day]:
    """Give epoch and day since the Unix epoch of each row."""
    if rows.table not in _TIMES:
        return set()
    days = pc.cast(pc.cast(rows.data[_TIMES[rows.table]], pa.date32(), safe=False), pa.int32())
    pairs = pa.table({"epoch": rows.data["epoch"], "day": days}).group_by(["epoch", "day"]).aggregate([])
    return set(zip(pairs["epoch"].to_pylist(), pairs["day"].to_pylist(), strict=True))


class Touches:
    """Counts of one sink process, which only grow. Whoever starts anew has another number and begins at 1.

    So a day's sum over all sinks grows with each touch, and a count that is written twice, or late, changes nothing.
    """

    def __init__(self) -> None:
        self._sink = secrets.randbits(64)
        self._counts: Counter[Day] = Counter()

    def count(self, days: set[Day]) -> pa.Table:
        """Count these days once more; gives the rows of `rollup_touches` that say so."""
        self._counts.update(days)
        found = sorted(days)
        return pa.table(
            {
                "epoch": columns.unsigned([epoch for epoch, _ in found], 32),
                "day": pa.array([day for _, day in found], pa.int32()).cast(pa.date32()),
                "sink": columns.unsigned([self._sink] * len(found), 64),
                "touches": columns.unsigned([self._counts[day] for day in found], 64),
            }
        )
