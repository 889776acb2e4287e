"""What a chunk of the log does to a partition's state: decide per receipt, in offset order, then add it up.

Pure: values in, state changed, a `Fold` out that says what a flush must send. Results are tested in this
order, and each message ends in exactly one: rejected, ignored, duplicate, late, folded.

What is done to each line is the kernel's work: it reads the whole chunk into columns before anything is decided, and
adds up the lines of what was folded once all is decided. A statement of Python a line would cost more than the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from kernel.reading import ALL, ASK, KIND, MOMENT, NOTHING, REVERSAL, VOID
from kernel.records import LogRecord
from kernel.seen import NOWHERE
from kernel.sums import Batch, Items, StoreNames, Windows, add_up
from schemas.admission import admit
from schemas.deadletter import DeadLetter, kept
from schemas.errors import Refused
from schemas.late import LateLine, LateMessage
from schemas.window import head_of
from streams.chunk_read import ChunkRead, signed_lines
from streams.feed import tell
from streams.framed import BATCH_BYTES, Message
from streams.records import fingerprint, window_key
from streams.state import RESULTS, PartitionState, Store, StoreWindow
from streams.tracking import Tracking

REPLAYED = "replayed"
# A row is about 80 bytes: messages stay far below the broker's 4 MiB.
ROWS_PER_MESSAGE = 5_000


@dataclass(slots=True)
class Fold:
    """What a chunk did. `touched` are the windows that changed, each with its receipts as kernel.sums has them.

    `receipts` are how many each of these has by now, `records` these windows as they go to the changelog, `messages`
    their rows that changed, in parts of ROWS_PER_MESSAGE. `told` is what restock is told of it. `results` counts
    messages by result as metrics want them (replayed ones apart), `lines` the lines of folded and late receipts,
    `newest` is the largest time of a folded receipt, in microseconds, `published` the largest Kafka timestamp of a
    message that was not replayed, in milliseconds.
    """

    touched: dict[StoreWindow, Items] = field(default_factory=dict)
    receipts: list[int] = field(default_factory=list)
    records: list[Batch] = field(default_factory=list)
    messages: list[Batch] = field(default_factory=list)
    late: list[LateMessage] = field(default_factory=list)
    rejected: list[DeadLetter] = field(default_factory=list)
    results: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*RESULTS, REPLAYED), 0))
    told: list[Message] = field(default_factory=list)
    lines: int = 0
    newest: int = 0
    published: int = 0


def fold(
    state: PartitionState,
    records: Sequence[LogRecord],
    topic: str,
    max_skew: int,
    tracking: Tracking | None = None,
) -> Fold:
    """Fold records of the state's partition, in offset order; `max_skew` in microseconds.

    Records at or below `state.applied` are replayed ones and do nothing. The caller makes sure that the first
    is not above `applied + 1`, but for offsets that the log never had. Raises OverflowError, the state being of no use
    from then on, where a total goes beyond 64 bits.
    """
    done = Fold()
    already, closed_before = state.applied, len(state.closed)
    chunk = ChunkRead(state, records, topic, max_skew)
    _count(state, _results(state, chunk, done), done)
    chunk.note_seen(state)
    _add_up(state, chunk, done)
    for window in state.closed[closed_before:]:
        window.value = b""  # it would stay in memory for as long as no commit is accepted
    state.told = False
    if tracking is not None:
        done.told = tell(tracking, state, chunk, list(done.touched), done.receipts)
        state.told = tracking.complete
    done.published = max(chunk.timestamps[bisect_right(chunk.offsets, already) :], default=0)
    last = chunk.records[-1]
    if last.offset > already:
        state.applied = last.offset
        state.fingerprint = fingerprint(last.offset, last.key, last.value)
    return done


def _count(state: PartitionState, results: list[str], done: Fold) -> None:
    for result, many in Counter(results).items():
        done.results[result] += many
        if result != REPLAYED:
            state.counts[result] += many


def _results(state: PartitionState, chunk: ChunkRead, done: Fold) -> list[str]:
    """Which result each message has, in their order."""
    already, kinds, moments, lines = state.applied, *(chunk.reading.column(name) for name in (KIND, MOMENT, ALL))
    results: list[str] = []
    for at, (offset, kind, moment, all_lines) in enumerate(zip(chunk.offsets, kinds, moments, lines, strict=True)):
        if offset <= already:
            result = REPLAYED
        elif kind == ASK:
            result = _refuse(state, chunk, at, chunk.refused[at], done)
        elif kind & NOTHING:
            result = _nothing(state, chunk, at, kind, done)
        else:
            result = _decide(state, chunk, at, kind, moment, done)
            if result != "duplicate":
                done.lines += all_lines
        results.append(result)
    return results


def _decide(state: PartitionState, chunk: ChunkRead, at: int, kind: int, moment: int, done: Fold) -> str:
    """The result of a receipt that counts something; one that is folded is noted among the items of its window."""
    number, offset, windows = chunk.numbers[at], chunk.offsets[at], state.windows
    store = chunk.stores[number] or chunk.open_store(state, number)
    start = windows.start_of(moment)
    sign = -1 if kind & REVERSAL else 1
    if offset in state.ahead:
        # Its window's record landed before a crash, its PartitionRecord did not: it is in the totals already.
        # Its rows become dirty again, since they may not have been sent; everything else moves as it did then.
        state.ahead.discard(offset)
        window = store.windows[start]
        sign = 0
        done.results[REPLAYED] += 1
        done.results["folded"] -= 1
    elif chunk.is_known(at) and _stands(state, chunk, at, store):
        return "duplicate"
    elif not windows.is_open(start, store.watermark):
        done.late.append(_late(state, chunk.records[at], chunk.max_skew))
        return "late"
    else:
        found = store.windows.get(start)
        if found is None:
            found = StoreWindow(chunk.names[number], chunk.same(start))
            store.add(found)
        window = found
    items = done.touched.get(window)
    if items is None:
        items = done.touched[window] = []
        chunk.window_stores.append(number)
        if window.owners is not state.own:
            window.owners = state.own if window.owners <= state.own else window.owners | state.own
    items += (at, sign)
    chunk.starts[at] = start
    if store.watermark is None or moment > store.watermark:
        for closed in store.advance(moment, windows):
            state.close(closed, chunk.offsets[-1])
    done.newest = max(done.newest, moment)
    return "folded"


def _stands(state: PartitionState, chunk: ChunkRead, at: int, store: Store) -> bool:
    """Whether a receipt was counted, and stands in a window that is open still."""
    start = chunk.stands_in(at)
    return start != NOWHERE and state.windows.is_open(start, store.watermark)


def _nothing(state: PartitionState, chunk: ChunkRead, at: int, kind: int, done: Fold) -> str:
    """The result of a receipt that counts nothing."""
    store = chunk.stores[chunk.numbers[at]]
    if not (kind & VOID and store is not None and _stands(state, chunk, at, store)):
        return "ignored"
    fault = Refused(
        "$.type",
        "void of a counted receipt: send a post_void",
        "send a receipt of type post_void that carries the lines to take back",
    )
    return _refuse(state, chunk, at, fault, done)


def _refuse(state: PartitionState, chunk: ChunkRead, at: int, fault: Refused, done: Fold) -> str:
    done.rejected.append(_dead_letter(chunk.records[at], fault, chunk.topic, state))
    return "rejected"


def _add_up(state: PartitionState, chunk: ChunkRead, done: Fold) -> None:
    """Bring the windows that were touched up to date, and write what is to be sent of them."""
    for window in done.touched:
        if window.key is None:
            window.key = window_key(state.partition, window.store_id, window.start, state.owner)
    added = add_up(
        Windows(
            [window.value for window in done.touched],
            [window.key or b"" for window in done.touched],
            [window.start for window in done.touched],
            chunk.window_stores,
        ),
        list(done.touched.values()),
        chunk.reading,
        StoreNames(chunk.keys, [head_of(state.epoch, state.partition, name) for name in chunk.names]),
        ROWS_PER_MESSAGE,
        BATCH_BYTES,
    )
    for window, value in zip(done.touched, added.values, strict=True):
        window.value = value
    done.receipts, done.records, done.messages = added.receipts, added.records, added.messages


def _late(state: PartitionState, record: LogRecord, max_skew: int) -> LateMessage:
    """What stands in the topic of late lines; the receipt is read once more for it, as a whole."""
    receipt = admit(record.key, record.value, record.timestamp, max_skew)
    watermark = state.stores[receipt.store_id].watermark
    sign = -1 if receipt.reversal else 1
    occurs: set[str] = set()
    lines = []
    for position, sku, units, returned, revenue, discount, tax, _ in signed_lines(receipt):
        occurrence = 0 if sku in occurs else sign
        lines.append(LateLine(position, sku, units, returned, revenue, discount, tax, occurrence))
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
