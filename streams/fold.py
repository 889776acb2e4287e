"""What a chunk of the log does to a partition's state: decide per receipt, in offset order, then add it up.

Pure: values in, state changed, a `Fold` out that says what a flush must send. Results are tested in this
order, and each message ends in exactly one: rejected, ignored, duplicate, late, folded.

What is done to each line is the kernel's work: it reads the whole chunk into columns before anything is decided, and
adds up the lines of what was folded once all is decided. A statement of Python a line would cost more than the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kernel.reading import ASK, COUNTED, NOTHING, REVERSAL, VOID, Facts, Reading, group_of
from kernel.sums import Items, add_up
from schemas.admission import admit
from schemas.currency import CODES
from schemas.deadletter import DeadLetter, kept
from schemas.errors import Refused
from schemas.late import LateLine, LateMessage
from schemas.receipt import Receipt
from streams.records import fingerprint
from streams.state import RESULTS, Closed, PartitionState, Store, StoreWindow, receipt_hash

REPLAYED = "replayed"
# A row is about 80 bytes: messages stay far below the broker's 4 MiB.
ROWS_PER_MESSAGE = 5_000


class LogRecord(Protocol):
    """A record of `pos.receipts`, as aiokafka delivers it. `timestamp` is Kafka's, in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class Fold:
    """What a chunk did. `touched` maps a window to its rows that changed: JSON, in parts of ROWS_PER_MESSAGE.

    `results` counts messages by result as metrics want them (replayed ones apart), `lines` the lines of folded
    and late receipts, `newest` is the largest time of a folded receipt, in microseconds, `published` the largest
    Kafka timestamp of a message that was not replayed, in milliseconds.
    """

    touched: dict[StoreWindow, list[bytes]] = field(default_factory=dict)
    late: list[LateMessage] = field(default_factory=list)
    rejected: list[DeadLetter] = field(default_factory=list)
    results: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*RESULTS, REPLAYED), 0))
    lines: int = 0
    newest: int = 0
    published: int = 0


def fold(state: PartitionState, records: Sequence[LogRecord], topic: str, max_skew: int) -> Fold:
    """Fold records of the state's partition, in offset order; `max_skew` in microseconds.

    Records at or below `state.applied` are replayed ones and do nothing. The caller makes sure that the first
    is not above `applied + 1`, but for offsets that the log never had. Raises OverflowError, the state being of no use
    from then on, where a total goes beyond 64 bits.
    """
    done = Fold()
    already, closed_before = state.applied, len(state.closed)
    reading = Reading(
        [record.key or b"" for record in records],
        [record.value or b"" for record in records],
        [record.timestamp for record in records],
        max_skew,
        CODES,
    )
    items: dict[StoreWindow, Items] = {}
    results = []
    for record, facts in zip(records, reading.facts(), strict=True):
        if record.offset <= already:
            results.append(REPLAYED)
            continue
        try:
            if facts[0] == ASK:
                facts = _asked(record, reading, max_skew)  # noqa: PLW2901  # the same, read in another way
            result = _decide(state, record, facts, items, done)
        except Refused as refused:
            done.rejected.append(_dead_letter(record, refused, topic, state))
            result = "rejected"
        if result == "late":
            done.late.append(_late(state, record, max_skew))
        results.append(result)
    _count(state, results, done)
    sums = add_up([window.rows for window in items], list(items.values()), reading, ROWS_PER_MESSAGE)
    for window, (rows, parts) in zip(items, sums, strict=True):
        window.rows = rows
        done.touched[window] = parts
    done.published = max((record.timestamp for record in records if record.offset > already), default=0)
    last = records[-1]
    if last.offset > already:
        state.applied = last.offset
        state.fingerprint = fingerprint(last.offset, last.key, last.value)
        for closed in state.closed[closed_before:]:
            closed.at = last.offset
    return done


def _count(state: PartitionState, results: list[str], done: Fold) -> None:
    for result, many in Counter(results).items():
        done.results[result] += many
        if result != REPLAYED:
            state.counts[result] += many


def _asked(record: LogRecord, reading: Reading, max_skew: int) -> Facts:
    """What the kernel leaves to Python to read; raises Refused."""
    receipt = admit(record.key, record.value, record.timestamp, max_skew)
    lines = signed_lines(receipt)
    return (
        COUNTED
        | (REVERSAL if receipt.reversal else 0)
        | (VOID if receipt.type == "void" else 0)
        | (NOTHING if receipt.counts_nothing else 0),
        receipt_hash(receipt.transaction_id, reversal=receipt.reversal),
        receipt.occurred_at,
        reading.add([line[1:] for line in lines]),
        len(lines),
        len(receipt.lines.sku),
        group_of(receipt.currency, receipt.business_date),
    )


def _decide(state: PartitionState, record: LogRecord, facts: Facts, items: dict[StoreWindow, Items], done: Fold) -> str:
    """Which result a receipt has; one that is folded is noted among the items of its window."""
    kind, identity, moment, first, lines, all_lines, group = facts
    assert record.key is not None, "a receipt's key is its store"
    store_id, offset = record.key.decode(), record.offset
    store = state.stores.get(store_id)
    if kind & NOTHING:
        _check_void(kind, identity, store)
        return "ignored"
    if store is None:
        store = state.stores[store_id] = Store()
    start = state.windows.start_of(moment)
    sign = -1 if kind & REVERSAL else 1
    if offset in state.ahead:
        # Its window's record landed before a crash, its PartitionRecord did not: it is in the totals already.
        # Its rows become dirty again, since they may not have been sent; everything else moves as it did then.
        state.ahead.discard(offset)
        window = store.windows[start]
        sign = 0
        done.results[REPLAYED] += 1
        done.results["folded"] -= 1
    elif identity in store.seen:
        return "duplicate"
    elif not state.windows.is_open(start, store.watermark):
        done.lines += all_lines
        return "late"
    else:
        found = store.windows.get(start)
        if found is None:
            found = StoreWindow(store_id, start)
            store.add(found)
        window = found
        window.ids[identity] = offset
        window.applied = offset
        window.receipts += sign
    of_window = items.get(window)
    if of_window is None:
        of_window = items[window] = []
        window.owners = state.own if window.owners <= state.own else window.owners | state.own
    of_window += (first, lines, group, offset, sign)
    store.seen[identity] = offset
    for closed in store.advance(moment, state.windows):
        state.closed.append(Closed.of(closed, offset))
    done.lines += all_lines
    done.newest = max(done.newest, moment)
    return "folded"


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


def _check_void(kind: int, identity: int, store: Store | None) -> None:
    if kind & VOID and store is not None and identity in store.seen:
        raise Refused(
            "$.type",
            "void of a counted receipt: send a post_void",
            "send a receipt of type post_void that carries the lines to take back",
        )


def _late(state: PartitionState, record: LogRecord, max_skew: int) -> LateMessage:
    """What stands in the topic of late lines; the receipt is read once more for it, as a whole."""
    receipt = admit(record.key, record.value, record.timestamp, max_skew)
    watermark = state.stores[receipt.store_id].watermark
    sign = -1 if receipt.reversal else 1
    occurs: set[str] = set()
    lines = []
    for line in signed_lines(receipt):
        sku = line[1]
        lines.append(LateLine(*line, receipts=0 if sku in occurs else sign))
        occurs.add(sku)
    assert watermark is not None, "only a watermark closes a window"
    return LateMessage(
        epoch=state.epoch,
        partition=state.partition,
        offset=record.offset,
        store_id=receipt.store_id,
        transaction_id=receipt.transaction_id,
        reversal=receipt.reversal,
        occurred_at=receipt.occurred_at,
        window_start=state.windows.start_of(receipt.occurred_at),
        watermark=watermark,
        currency=receipt.currency,
        business_date=receipt.business_date,
        receipts=sign,
        lines=lines,
    )


def _dead_letter(record: LogRecord, refused: Refused, topic: str, state: PartitionState) -> DeadLetter:
    key, value = kept(record.key), kept(record.value)
    return DeadLetter(key, value, refused.reason, refused.path, topic, state.partition, record.offset, state.epoch)
