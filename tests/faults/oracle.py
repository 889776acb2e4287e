"""What must come out, by one plain pass over the log. Shares no code with tillstream, not even the reading of receipts.

It knows only receipts as tests.faults.load makes them: whatever does not look so is refused.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

RESULTS = ("folded", "duplicate", "late", "rejected", "ignored")


def _nothing(offset: int, receipt: dict, lines: list[dict]) -> None:
    """Nobody asks."""


class Oracle:
    """Takes each partition's messages in the order of the log; gives rows, receipts by window, and counts."""

    def __init__(self, window: timedelta, grace: timedelta) -> None:
        self.window, self.grace = window, grace
        self.rows: dict[tuple, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 6)
        self.receipts: Counter[tuple[str, datetime]] = Counter()
        self.counts: Counter[str] = Counter()

    def take(self, messages: list[bytes], folded_at: Callable[[int, dict, list[dict]], None] = _nothing) -> None:
        """One partition, from its first message to its last; `folded_at` is told of each that is folded."""
        newest: dict[str, datetime] = {}
        folded: dict[tuple, datetime] = {}
        seen: set[tuple] = set()
        for offset, value in enumerate(messages):
            receipt = self._read(value)
            if receipt is None:
                self.counts["rejected"] += 1
                continue
            store, kind = receipt["store_id"], receipt["type"]
            lines = [line for line in receipt["lines"] if not line.get("void")]
            reversal = kind == "post_void"
            name, mark = (store, receipt["transaction_id"], reversal), newest.get(store)
            open_since = folded.get((store, receipt["transaction_id"], kind == "post_void"))
            known = open_since is not None and self._open(open_since, mark)
            if kind == "void" and known:
                self.counts["rejected"] += 1
                continue
            if kind in ("training", "void") or not lines:
                self.counts["ignored"] += 1
                continue
            at = datetime.fromisoformat(receipt["occurred_at"]).astimezone(UTC)
            start = datetime.fromtimestamp(
                at.timestamp() // self.window.total_seconds() * self.window.total_seconds(), UTC
            )
            first, _ = name not in seen, seen.add(name)
            if known:
                self.counts["duplicate"] += 1
                continue
            if not self._open(start, mark):
                self.counts["late"] += 1
                if first:
                    self._count(receipt, lines, start)
                continue
            self.counts["folded"] += 1
            folded[name] = start
            newest[store] = max(at, mark or at)
            folded_at(offset, receipt, lines)
            self._count(receipt, lines, start)

    def _open(self, start: datetime, mark: datetime | None) -> bool:
        return mark is None or mark < start + self.window + self.grace

    @staticmethod
    def _read(value: bytes) -> dict | None:
        try:
            receipt = json.loads(value)
        except ValueError:
            return None
        faulty = "+" not in receipt["occurred_at"] or not receipt["lines"] or "customer_id" in receipt
        return None if faulty or any(line["amount"].startswith("-") for line in receipt["lines"]) else receipt

    def _count(self, receipt: dict, lines: list[dict], start: datetime) -> None:
        turn = -1 if receipt["type"] == "post_void" else 1
        self.receipts[receipt["store_id"], start] += turn
        occurs = set()
        for line in lines:
            row = self.rows[receipt["store_id"], line["sku"], receipt["currency"], start]
            back = receipt["type"] == "return" or line.get("kind") == "return"
            row[1 if back else 0] += turn * Decimal(line["quantity"])
            for place, field in ((2, "amount"), (3, "discount"), (4, "tax")):
                row[place] += (-turn if back else turn) * Decimal(line.get(field, "0"))
            row[5] += 0 if line["sku"] in occurs else turn
            occurs.add(line["sku"])

    def differences(self, client) -> int:
        """Rows of ClickHouse's views that are missing, extra or different, and counts that differ."""
        sales = {
            (store, sku, currency, start.replace(tzinfo=UTC)): list(figures)
            for store, sku, currency, start, *figures in client.query(
                "SELECT store_id, sku, currency, window_start, units, returned, revenue, discount, tax, receipts"
                " FROM sales"
            ).result_rows
        }
        counted = {
            (store, start.replace(tzinfo=UTC)): receipts
            for store, start, receipts in client.query(
                "SELECT store_id, window_start, receipts FROM receipt_counts"
            ).result_rows
        }
        counts = dict(client.query("SELECT result, sum(messages) FROM partition_counts GROUP BY result").result_rows)
        return (
            sum(sales.get(key) != self.rows.get(key) for key in {*sales, *self.rows})
            + sum(counted.get(key) != self.receipts.get(key) for key in {*counted, *self.receipts})
            + sum(counts.get(result, 0) != self.counts[result] for result in RESULTS)
        )
