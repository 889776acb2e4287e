"""One pass over a partition, in offset order: which result each message ends in, and what its lines add.

Plain on purpose: it is the yardstick. Ids are kept only while the window that they were folded into is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.admission import admit
from schemas.errors import Refused
from schemas.receipt import Receipt


class Record(Protocol):
    """A record of `pos.receipts`; `timestamp` in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Counted(NamedTuple):
    """A receipt that counts, in the window that starts here (microseconds)."""

    offset: int
    start: int
    receipt: Receipt


Name = tuple[str, str, bool]


@dataclass(slots=True)
class _Store:
    watermark: int | None = None
    # name -> the window it was folded into; removed when that window closes
    names: dict[Name, int] = field(default_factory=dict)
    windows: dict[int, list[Name]] = field(default_factory=dict)


class PartitionOracle:
    """Judges one partition's messages. All widths in microseconds."""

    def __init__(self, width: int, grace: int, max_skew: int) -> None:
        self._width, self._grace, self._max_skew = width, grace, max_skew
        self._stores: dict[str, _Store] = {}
        self.counts: Counter[str] = Counter()
        self.late: dict[int, Counted] = {}
        # What the ledger has: every message but rejected and ignored ones, and what was paid in them.
        self.paid = 0

    def judge(self, records: Iterable[Record]) -> Iterator[Counted]:
        """Yield what is folded; late ones gather in `late`, since only the whole log tells whether they count."""
        for record in records:
            try:
                receipt = admit(record.key, record.value, record.timestamp, self._max_skew)
            except Refused:
                self.counts["rejected"] += 1
                continue
            store = self._stores.setdefault(receipt.store_id, _Store())
            result, start = self._result(store, receipt)
            self.counts[result] += 1
            if result not in {"rejected", "ignored"}:
                self.paid += paid(receipt)
            if result == "late":
                self.late[record.offset] = Counted(record.offset, start, receipt)
            elif result == "folded":
                self._remember(store, receipt, start)
                yield Counted(record.offset, start, receipt)

    def _result(self, store: _Store, receipt: Receipt) -> tuple[str, int]:
        start = receipt.occurred_at // self._width * self._width
        if receipt.type == "void" and name_of(receipt) in store.names:
            return "rejected", start
        if receipt.counts_nothing:
            return "ignored", start
        if name_of(receipt) in store.names:
            return "duplicate", start
        if store.watermark is not None and store.watermark >= start + self._width + self._grace:
            return "late", start
        return "folded", start

    def _remember(self, store: _Store, receipt: Receipt, start: int) -> None:
        name = name_of(receipt)
        store.names[name] = start
        store.windows.setdefault(start, []).append(name)
        if store.watermark is None or receipt.occurred_at > store.watermark:
            store.watermark = receipt.occurred_at
            for closed in [at for at in store.windows if at + self._width + self._grace <= store.watermark]:
                for gone in store.windows.pop(closed):
                    del store.names[gone]


def name_of(receipt: Receipt) -> Name:
    """What makes two messages the same receipt."""
    return receipt.store_id, receipt.transaction_id, receipt.type == "post_void"


def paid(receipt: Receipt) -> int:
    """Paid less refunded, in ten-thousandths, over the lines that are not void; a post_void takes it back."""
    lines = receipt.lines
    total = 0
    for at, amount in enumerate(lines.amount):
        if lines.void is None or not lines.void[at]:
            total += -amount if lines.returned is not None and lines.returned[at] else amount
    return -total if receipt.type == "post_void" else total


class FirstCopies:
    """At which offset of a partition each of some receipts first stands: a late one counts if it is the first."""

    def __init__(self, late: dict[int, Counted], max_skew: int) -> None:
        self._late, self._max_skew = late, max_skew
        self._wanted = {name_of(one.receipt) for one in late.values()}
        self._first: dict[Name, int] = {}

    def look(self, records: Iterable[Record]) -> None:
        """Look through records, in offset order from the log's beginning."""
        for record in records:
            try:
                receipt = admit(record.key, record.value, record.timestamp, self._max_skew)
            except Refused:
                continue
            if not receipt.counts_nothing and name_of(receipt) in self._wanted:
                self._first.setdefault(name_of(receipt), record.offset)

    def counting(self) -> list[Counted]:
        """The late receipts that count."""
        return [one for offset, one in self._late.items() if self._first.get(name_of(one.receipt)) == offset]
