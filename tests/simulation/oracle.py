"""What must come out, by one plain pass over a partition's receipts: no code of tillstream, nor its decoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from tests.simulation.receipts import BASE, Receipt


class Widths(NamedTuple):
    """Window and grace, in minutes."""

    window: int
    grace: int


class Expected:
    """Rows, receipts by window, counts by (partition, result), late receipts and those that count, refused ones."""

    def __init__(self) -> None:
        self.rows: dict[tuple, list] = {}
        self.receipts: Counter[tuple] = Counter()
        self.counts: Counter[tuple[int, str]] = Counter()
        self.late: set[tuple[int, int]] = set()
        self.late_that_count: set[tuple[int, int]] = set()
        self.rejected: set[tuple[int, int]] = set()
        self.ledger: set[tuple[int, int]] = set()

    def take(self, partition: int, log: Iterable[tuple[int, Receipt]], widths: Widths) -> Expected:
        """One partition's receipts with their offsets, from the first to the last."""
        newest: dict[str, int] = {}
        folded: dict[tuple, int] = {}
        seen: set[tuple] = set()
        for offset, receipt in log:
            place = (partition, offset)
            if receipt.fault:
                self.counts[partition, "rejected"] += 1
                self.rejected.add(place)
                continue
            reversal = receipt.type == "post_void"
            name = (receipt.store, receipt.name, reversal)
            ends = widths.window + widths.grace
            mark = newest.get(receipt.store)
            known = name in folded and (mark is None or mark < folded[name] + ends)
            lines = [line for line in receipt.lines if not line.void]
            if receipt.type == "void" and known:
                self.counts[partition, "rejected"] += 1
                self.rejected.add(place)
                continue
            if receipt.type in {"training", "void"} or not lines:
                self.counts[partition, "ignored"] += 1
                continue
            first = name not in seen
            seen.add(name)
            self.ledger.add(place)
            start = receipt.minute // widths.window * widths.window
            if known:
                self.counts[partition, "duplicate"] += 1
            elif mark is not None and mark >= start + ends:
                self.counts[partition, "late"] += 1
                self.late.add(place)
                if first:
                    self.late_that_count.add(place)
                    self._count(receipt, lines, start, -1 if reversal else 1)
            else:
                self.counts[partition, "folded"] += 1
                folded[name] = start
                newest[receipt.store] = receipt.minute if mark is None else max(mark, receipt.minute)
                self._count(receipt, lines, start, -1 if reversal else 1)
        return self

    def _count(self, receipt: Receipt, lines: list, start: int, turn: int) -> None:
        begins = BASE + timedelta(minutes=start)
        self.receipts[receipt.store, begins] += turn
        occurs = set()
        for line in lines:
            key = (receipt.store, line.sku, receipt.currency, begins, receipt.business_date)
            row = self.rows.get(key)
            if row is None:
                row = self.rows[key] = [Decimal(0)] * 5 + [0]
            back = receipt.type == "return" or line.returned
            row[1 if back else 0] += turn * Decimal(line.quantity)
            money = -turn if back else turn
            row[2] += money * Decimal(line.amount)
            row[3] += money * Decimal(line.discount)
            row[4] += money * Decimal(line.tax)
            row[5] += 0 if line.sku in occurs else turn
            occurs.add(line.sku)
