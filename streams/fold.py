"""What a chunk of the log does to a partition's state: decide per receipt, in offset order, then add it up.

Pure: values in, state changed, a `Fold` out that says what a flush must send. Results are tested in this
order, and each message ends in exactly one: rejected, ignored, duplicate, late, folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.admission import admit
from schemas.deadletter import DeadLetter, kept
from schemas.errors import Refused
from schemas.late import LateLine, LateMessage
from schemas.receipt import Receipt
from streams.records import fingerprint
from streams.state import RESULTS, Closed, PartitionState, Row, StateRows, Store, StoreWindow, receipt_hash

REPLAYED = "replayed"


class LogRecord(Protocol):
    """A record of `pos.receipts`, as aiokafka delivers it. `timestamp` is Kafka's, in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class Fold:
    """What a chunk did. `touched` maps a window to the rows that changed, or to None where all of them did.

    `results` counts messages by result as metrics want them (replayed ones apart), `lines` the lines of folded
    and late receipts, `newest` is the largest time of a folded receipt, in microseconds, `published` the largest
    Kafka timestamp of a message that was not replayed, in milliseconds.
    """

    touched: dict[StoreWindow, StateRows | None] = field(default_factory=dict)
    late: list[LateMessage] = field(default_factory=list)
    rejected: list[DeadLetter] = field(default_factory=list)
    results: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*RESULTS, REPLAYED), 0))
    lines: int = 0
    newest: int = 0
    published: int = 0


def fold(state: PartitionState, records: Sequence[LogRecord], topic: str, max_skew: int) -> Fold:
    """Fold records of the state's partition, in offset order; `max_skew` in microseconds.

    Records at or below `state.applied` are replayed ones and do nothing. The caller makes sure that the first
    is not above `applied + 1`, but for offsets that the log never had.
    """
    done = Fold()
    already, closed_before = state.applied, len(state.closed)
    for record in records:
        if record.offset <= already:
            done.results[REPLAYED] += 1
            continue
        try:
            receipt = admit(record.key, record.value, record.timestamp, max_skew)
            result = _decide(state, receipt, record.offset, done)
        except Refused as refused:
            done.rejected.append(_dead_letter(record, refused, topic, state))
            result = "rejected"
        state.counts[result] += 1
        done.results[result] += 1
    done.published = max((record.timestamp for record in records if record.offset > already), default=0)
    last = records[-1]
    if last.offset > already:
        state.applied = last.offset
        state.fingerprint = fingerprint(last.offset, last.key, last.value)
        for closed in state.closed[closed_before:]:
            closed.at = last.offset
    return done


def _decide(state: PartitionState, receipt: Receipt, offset: int, done: Fold) -> str:
    store = state.stores.get(receipt.store_id)
    if receipt.counts_nothing:
        if receipt.type == "void" and store is not None:
            counted = receipt_hash(receipt.transaction_id, reversal=False)
            if counted in store.seen:
                raise Refused(
                    "$.type",
                    "void of a counted receipt: send a post_void",
                    "send a receipt of type post_void that carries the lines to take back",
                )
        return "ignored"
    reversal = receipt.reversal
    identity = receipt_hash(receipt.transaction_id, reversal=reversal)
    if store is None:
        store = state.stores[receipt.store_id] = Store()
    start = state.windows.start_of(receipt.occurred_at)
    if offset in state.ahead:
        # Its window's record landed before a crash, its PartitionRecord did not: it is in the totals already.
        # Its rows become dirty again, since they may not have been sent; everything else moves as it did then.
        state.ahead.discard(offset)
        _touch(store.windows[start], receipt, done)
        done.results[REPLAYED] += 1
        done.results["folded"] -= 1
    elif identity in store.seen:
        return "duplicate"
    elif not state.windows.is_open(start, store.watermark):
        done.late.append(_late(state, store, receipt, offset, start))
        done.lines += len(receipt.lines.sku)
        return "late"
    else:
        window = store.windows.get(start)
        if window is None:
            window = StoreWindow(receipt.store_id, start)
            store.add(window)
            done.touched[window] = None
        window.ids[identity] = offset
        window.applied = offset
        window.receipts += -1 if reversal else 1
        _touch(window, receipt, done, _add(window.rows, receipt, offset))
    store.seen[identity] = offset
    for closed in store.advance(receipt.occurred_at, state.windows):
        state.closed.append(Closed.of(closed, offset))
    done.lines += len(receipt.lines.sku)
    done.newest = max(done.newest, receipt.occurred_at)
    return "folded"


def _add(rows: StateRows, receipt: Receipt, offset: int) -> dict[str, Row]:
    """Add a receipt's lines to a window's totals; returns the rows of its currency and business date."""
    lines = receipt.lines
    days = rows.get(receipt.currency)
    if days is None:
        days = rows[receipt.currency] = {}
    skus = days.get(receipt.business_date)
    if skus is None:
        skus = days[receipt.business_date] = {}
    if receipt.reversal or lines.returned is not None or lines.void is not None:
        _add_signed(skus, receipt, offset)
        return skus
    # The common case on its own, since a Python statement per line is what costs.
    for sku, quantity, amount, discount, tax in zip(
        lines.sku, lines.quantity, lines.amount, lines.discount, lines.tax, strict=True
    ):
        row = skus.get(sku)
        if row is None:
            skus[sku] = Row(quantity, 0, amount, discount, tax, 1, offset)
            continue
        row.units += quantity
        row.revenue += amount
        row.discount += discount
        row.tax += tax
        if row.version != offset:
            row.receipts += 1
            row.version = offset
    return skus


def _add_signed(skus: dict[str, Row], receipt: Receipt, offset: int) -> None:
    for _, sku, units, returned, revenue, discount, tax in signed_lines(receipt):
        row = skus.get(sku)
        if row is None:
            row = skus[sku] = Row(0, 0, 0, 0, 0, 0, -1)
        row.units += units
        row.returned += returned
        row.revenue += revenue
        row.discount += discount
        row.tax += tax
        if row.version != offset:
            row.receipts += -1 if receipt.reversal else 1
            row.version = offset


def signed_lines(receipt: Receipt) -> list[tuple[int, str, int, int, int, int, int]]:
    """(position, SKU, units, returned, revenue, discount, tax) of each line that is not void, signed.

    A return line adds to `returned`, lowers revenue, discount and tax, and leaves units alone; a post_void
    takes away what its lines would add.
    """
    lines = receipt.lines
    turn = -1 if receipt.reversal else 1
    signed = []
    for at, sku in enumerate(lines.sku):
        if lines.void is not None and lines.void[at]:
            continue
        back = lines.returned is not None and lines.returned[at]
        units, returned = (0, lines.quantity[at]) if back else (lines.quantity[at], 0)
        money = -turn if back else turn
        signed.append(
            (
                at + 1,
                sku,
                turn * units,
                turn * returned,
                money * lines.amount[at],
                money * lines.discount[at],
                money * lines.tax[at],
            )
        )
    return signed


def _touch(window: StoreWindow, receipt: Receipt, done: Fold, skus: dict[str, Row] | None = None) -> None:
    """Note which rows of a window a receipt changed."""
    if window in done.touched:
        changed = done.touched[window]
        if changed is None:
            return
    else:
        changed = done.touched[window] = {}
    if skus is None:
        skus = window.rows[receipt.currency][receipt.business_date]
    dirty = changed.setdefault(receipt.currency, {}).setdefault(receipt.business_date, {})
    void = receipt.lines.void
    for at, sku in enumerate(receipt.lines.sku):
        if void is None or not void[at]:
            dirty[sku] = skus[sku]


def _late(state: PartitionState, store: Store, receipt: Receipt, offset: int, start: int) -> LateMessage:
    sign = -1 if receipt.reversal else 1
    occurs: set[str] = set()
    lines = []
    for line in signed_lines(receipt):
        sku = line[1]
        lines.append(LateLine(*line, receipts=0 if sku in occurs else sign))
        occurs.add(sku)
    assert store.watermark is not None, "only a watermark closes a window"
    return LateMessage(
        epoch=state.epoch,
        partition=state.partition,
        offset=offset,
        store_id=receipt.store_id,
        transaction_id=receipt.transaction_id,
        reversal=receipt.reversal,
        occurred_at=receipt.occurred_at,
        window_start=start,
        watermark=store.watermark,
        currency=receipt.currency,
        business_date=receipt.business_date,
        receipts=sign,
        lines=lines,
    )


def _dead_letter(record: LogRecord, refused: Refused, topic: str, state: PartitionState) -> DeadLetter:
    key, value = kept(record.key), kept(record.value)
    return DeadLetter(key, value, refused.reason, refused.path, topic, state.partition, record.offset, state.epoch)
