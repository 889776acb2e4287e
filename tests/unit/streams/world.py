"""An in-memory log, a crash-prone worker over it, and a ten-line batch oracle: no sockets, no clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from schemas import late as late_messages
from schemas import window as window_messages
from schemas.errors import Refused
from streams.flush import Commit, Send, flush
from streams.fold import fold
from streams.restore import Restore
from streams.state import PartitionState
from streams.windows import Windows

EPOCH = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = 60_000_000
MAX_SKEW = 10 * MINUTE


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


def at(minutes: float) -> str:
    """A time on the tests' day, so many minutes after noon UTC."""
    return (EPOCH + timedelta(minutes=minutes)).isoformat()


def moment(minutes: float) -> int:
    """The same in microseconds since the Unix epoch."""
    return (EPOCH + timedelta(minutes=minutes) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def message(transaction_id="t1", minutes=0.0, lines=(("a", "1", "1.00"),), store="12", **more) -> bytes:
    """A receipt's bytes; lines are (sku, quantity, amount) or (sku, quantity, amount, more fields)."""
    return json.dumps(
        {
            "transaction_id": transaction_id,
            "store_id": store,
            "occurred_at": at(minutes),
            "currency": "NOK",
            "lines": [
                {"sku": sku, "quantity": quantity, "amount": amount, **(rest[0] if rest else {})}
                for sku, quantity, amount, *rest in lines
            ],
            **more,
        }
    ).encode()


def log_of(values, key=b"12", published=10_000.0) -> list[Record]:
    """A partition's log; every record is published long after the tests' day unless said otherwise."""
    stamp = moment(published) // 1000
    return [
        value if isinstance(value, Record) else Record(offset, key, value, stamp) for offset, value in enumerate(values)
    ]


@dataclass
class Sent:
    """What a worker has sent, as the outside keeps it: the changelog, and rows where the larger version wins."""

    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    rows: dict = field(default_factory=dict)
    receipts: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    late: dict = field(default_factory=dict)
    rejected: dict = field(default_factory=dict)
    committed: int = 0

    def take(self, operation) -> None:
        if isinstance(operation, Commit):
            self.committed = max(self.committed, operation.offset)
        if not isinstance(operation, Send):
            return
        for key, value, headers in operation.messages:
            self.take_message(operation.role, key, value, headers)

    def take_message(self, role, key, value, headers) -> None:
        if role == "state":
            self.changelog.append((key, value))
        elif role == "late":
            found = late_messages.decode(value)
            self.late[found.offset] = found
        elif role == "rejected":
            named = dict(headers)
            self.rejected[int(named["offset"])] = named["reason"].decode()
        else:
            self._take_sales(window_messages.decode(value))

    def _take_sales(self, found) -> None:
        if isinstance(found, window_messages.CountsMessage):
            if found.version >= self.counts.get("version", -1):
                self.counts = {"version": found.version, **found.counts}
            return
        place = (found.store_id, found.window_start)
        self.receipts[place] = max(self.receipts.get(place, (-1, 0)), (found.version, found.receipts))
        for currency, days in found.rows.items():
            for day, skus in days.items():
                for sku, (*totals, version) in skus.items():
                    row = (*place, currency, day, sku)
                    known = self.rows.get(row, (-1, ()))
                    assert version != known[0] or tuple(totals) == known[1], "one version, two contents"
                    if version >= known[0]:
                        self.rows[row] = (version, tuple(totals))

    def totals(self) -> dict:
        return {row: totals for row, (_, totals) in self.rows.items()}

    def results(self) -> dict:
        return {result: count for result, count in self.counts.items() if result != "version" and count}


class Worker:
    """Folds a log in chunks from what it restores; every operation of its flushes is a place to crash."""

    def __init__(self, log, sent: Sent, windows: Windows, owner: str) -> None:
        self.log, self.sent, self.accepted = log, sent, 0
        restore = Restore()
        restore.take(sent.changelog)
        self.state: PartitionState = restore.finish(1, 0, owner, windows)

    def operations(self, chunk: int):
        """Yield (operation, apply) pairs to the end of the log; nothing is sent unless `apply` is called."""
        position = min(self.sent.committed, self.state.applied + 1)
        while position < len(self.log):
            records = self.log[position : position + chunk]
            done = fold(self.state, records, "pos.receipts", MAX_SKEW)
            yield from flush(self.state, done, self.accepted)
            self.accepted = self.sent.committed
            position += len(records)

    def run(self, chunk: int = 1000) -> None:
        for operation in self.operations(chunk):
            self.sent.take(operation)


def folded(values, windows=None, chunk=1000) -> Sent:
    """Fold a log without a crash."""
    sent = Sent()
    Worker(log_of(values), sent, windows or Windows(5 * MINUTE, 60 * MINUTE), "first").run(chunk)
    return sent


def oracle(log, windows: Windows):
    """Rows, counts and late offsets by one plain pass; shares nothing with the fold but the decoder."""
    from schemas.admission import admit

    rows, counts, late, marks, first = {}, {}, set(), {}, {}
    for record in log:
        result = "folded"
        try:
            receipt = admit(record.key, record.value, record.timestamp, MAX_SKEW)
        except Refused:
            counts["rejected"] = counts.get("rejected", 0) + 1
            continue
        store, mark = receipt.store_id, marks.get(receipt.store_id)
        name = (store, receipt.transaction_id, receipt.type == "post_void")
        ends = windows.width + windows.grace
        known = name in first and (mark is None or mark < first[name] + ends)
        start = receipt.occurred_at // windows.width * windows.width
        if receipt.type == "void" and known:
            result = "rejected"
        elif receipt.counts_nothing:
            result = "ignored"
        elif known:
            result = "duplicate"
        elif mark is not None and mark >= start + ends:
            result = "late"
            late.add(record.offset)
        counts[result] = counts.get(result, 0) + 1
        if result != "folded":
            continue
        first[name], marks[store] = start, max(mark or 0, receipt.occurred_at)
        turn, lines, counted = -1 if name[2] else 1, receipt.lines, set()
        for n, sku in enumerate(lines.sku):
            if lines.void and lines.void[n]:
                continue
            back = bool(lines.returned and lines.returned[n])
            money = -turn if back else turn
            row = rows.setdefault((store, start, receipt.currency, receipt.business_date, sku), [0] * 6)
            row[1 if back else 0] += turn * lines.quantity[n]
            for place, column in ((2, lines.amount), (3, lines.discount), (4, lines.tax)):
                row[place] += money * column[n]
            row[5] += 0 if sku in counted else turn
            counted.add(sku)
    return {name: tuple(row) for name, row in rows.items()}, counts, late
