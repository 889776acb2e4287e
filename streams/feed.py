"""What a chunk tells restock: the sales of the SKUs that its stores track, as messages of `restock.feed`.

Pure. A SKU that becomes tracked is *opened*: what the store's open windows hold of it is told once, as totals, and
from there on each of its purchases. Totals are as of an offset and take the place of what was told before of these
windows, so whoever does not know whether a predecessor has told something opens the SKU again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from kernel.reading import GROUP, LINE_WIDTH, MOMENT, RESTOCKED, REVENUE, UNITS, currency_of
from kernel.tell import tell_purchases
from kernel.tracked import FOUND_WIDTH, TrackedSkus, find_tracked
from schemas.feed import NOTHING, PURCHASE_WIDTH, Sales, Told, encode, purchases_of
from schemas.window import Rows
from streams.chunk_read import ChunkRead
from streams.framed import Message
from streams.state import PartitionState, Store, StoreWindow, decode_window
from streams.tracking import Tracking

_rows = msgspec.msgpack.Decoder(Rows)


def tell(
    tracking: Tracking, state: PartitionState, chunk: ChunkRead, windows: Iterable[StoreWindow], receipts: Iterable[int]
) -> list[Message]:
    """Messages for a chunk that was folded, one a store that tracks something; none while `tracking` is not ready.

    `windows` are those that the chunk has touched, with the `receipts` that each holds by now.
    """
    if not tracking.ready:
        tracking.missed = True
        return []
    tracked = [tracking.opened(name) for name in chunk.names]
    last = max(state.applied, chunk.records[-1].offset)
    if not any(tracked):
        return opening(tracking, state, last)
    counted: dict[str, list[list[int]]] = {}
    for window, many in zip(windows, receipts, strict=True):
        counted.setdefault(window.store_id, []).append([window.start, many])
    purchases = _purchases(chunk, tracked)
    told = [
        _sales(tracking, state.stores[name], name, last, counted[name], purchases[number])
        for number, (name, one) in enumerate(zip(chunk.names, tracked, strict=True))
        if one and name in counted
    ]
    return [*told, *opening(tracking, state, last)]


def opening(tracking: Tracking, state: PartitionState, last: int) -> list[Message]:
    """Messages that open what is to be opened, as of an offset; a store that has no receipt yet waits for its first."""
    if not tracking.ready or state.ahead:
        # Windows hold receipts beyond the offset that will be folded again: they would be told twice.
        return []
    told = []
    for name, skus in tracking.take_to_open():
        store = state.stores.get(name)
        if store is None or store.watermark is None:
            tracking.put_back(name)
            continue
        counted, totals = _totals(store, skus)
        told.append(_sales(tracking, store, name, last, counted, msgspec.Raw(NOTHING), totals))
    return told


def _sales(
    tracking: Tracking,
    store: Store,
    name: str,
    last: int,
    counted: list[list[int]],
    purchases: msgspec.Raw,
    opened: Told | None = None,
) -> Message:
    assert store.watermark is not None, "only a folded receipt gives it windows"
    message = Sales(
        log=tracking.log,
        offset=last,
        store_id=name,
        watermark=store.watermark,
        receipts=counted,
        purchases=purchases,
        opened=opened or {},
    )
    return name.encode(), encode(message), []


def _purchases(chunk: ChunkRead, tracked: Sequence[TrackedSkus | None]) -> list[msgspec.Raw]:
    """By the store's number; lines of one SKU in one receipt are one purchase."""
    numbers = array("q", chunk.numbers)
    found = find_tracked(chunk.reading, chunk.starts, numbers, tracked)
    told = tell_purchases(chunk.reading, found, numbers, tracked)
    if told is not None:
        return [msgspec.Raw(one or NOTHING) for one in told]
    return [purchases_of(one) for one in _unusual(chunk, found, [one.skus if one else [] for one in tracked])]


def _unusual(chunk: ChunkRead, found: Sequence[int], skus: Sequence[Sequence[str]]) -> list[Told]:
    """The same where the kernel does not write it: a store sold in two currencies, or an id needs an escape in JSON."""
    told: list[Told] = [{} for _ in skus]
    offsets, moments, groups = chunk.offsets, chunk.reading.column(MOMENT), chunk.reading.column(GROUP)
    lines = chunk.reading.lines
    for at in range(0, len(found), FOUND_WIDTH):
        receipt, line, number = found[at : at + FOUND_WIDTH]
        store = chunk.numbers[receipt]
        begin = line * LINE_WIDTH
        units, restocked, revenue = lines[begin + UNITS], lines[begin + RESTOCKED], lines[begin + REVENUE]
        currency = currency_of(groups[receipt])
        purchases = told[store].setdefault(currency, {}).setdefault(skus[store][number], [])
        if purchases and purchases[-PURCHASE_WIDTH] == offsets[receipt]:
            purchases[-3] += units
            purchases[-2] += restocked
            purchases[-1] += revenue
        else:
            purchases += (offsets[receipt], moments[receipt], units, restocked, revenue)
    return told


def _totals(store: Store, skus: Sequence[str]) -> tuple[list[list[int]], Told]:
    """The receipts of all open windows, and what these hold of SKUs: start, units and revenue of each window."""
    counted: list[list[int]] = []
    totals: Told = {}
    wanted = set(skus)
    for start in sorted(store.windows):
        record = decode_window(store.windows[start].value)
        counted.append([start, record.receipts])
        for currency, sku, units, revenue in _rows_of(_rows.decode(record.rows), wanted):
            numbers = totals.setdefault(currency, {}).setdefault(sku, [])
            if numbers and numbers[-3] == start:  # another business date of the same window
                numbers[-2] += units
                numbers[-1] += revenue
            else:
                numbers += (start, units, revenue)
    missing = wanted.difference(*totals.values()) if totals else wanted
    if missing:
        totals.setdefault(next(iter(totals), ""), {}).update({sku: [] for sku in sorted(missing)})
    return counted, totals


def _rows_of(rows: Rows, wanted: set[str]) -> Iterator[tuple[str, str, int, int]]:
    for currency, days in rows.items():
        for skus in days.values():
            for sku in wanted & skus.keys():
                units, _, revenue, *_ = skus[sku]
                yield currency, sku, units, revenue
