"""What a store's sales do to its clock and its items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from schemas.feed import NOTHING, PURCHASE_WIDTH, TOTAL_WIDTH, Sales, Told, purchases_in
from streams.restock.item import UNTOLD
from streams.restock.shop import FORGET_EVERY, Shop
from streams.restock.state import RestockState


def take_sales(state: RestockState, shop: Shop, message: Sales) -> list[str]:
    """Take them up; returns the SKUs that are to be judged: those that were sold, and those whose moment has come.

    What is repeated does nothing: receipts are totals of windows as of an offset, purchases are known by theirs.
    """
    if message.log < shop.log:
        return []
    if message.log > shop.log:
        _begin_log(shop, message.log)
    before = shop.now // FORGET_EVERY
    if message.offset > shop.applied:
        shop.count_receipts(message.receipts, message.watermark, state.windows)
        shop.applied = message.offset
    due = shop.take_due()
    for sku in due:
        state.promote(shop, shop.items[sku])
    touched = [sku for sku, told in _by_sku(message.opened).items() if _open(state, shop, sku, message.offset, told)]
    asked = list(_purchases(shop, message.purchases))
    if shop.now // FORGET_EVERY > before:
        # Not before: purchases of a backlog are of hours that lie more than the grace before its last receipt.
        shop.forget(state.windows)
    return list(dict.fromkeys((*touched, *asked, *due, *shop.to_judge())))


def _by_sku(told: Told) -> dict[str, dict[str, list[int]]]:
    """SKU -> currency -> numbers: what was sold of one in two currencies is taken up together, by one offset."""
    found: dict[str, dict[str, list[int]]] = {}
    for currency, skus in told.items():
        for sku, numbers in skus.items():
            found.setdefault(sku, {})[currency] = numbers
    return found


def _rows(numbers: list[int], width: int) -> list[list[int]]:
    return [numbers[at : at + width] for at in range(0, len(numbers), width)]


def _begin_log(shop: Shop, log: int) -> None:
    """The topic was made anew: its offsets begin again, and all SKUs are to be opened again."""
    shop.log, shop.applied, shop.receipts = log, UNTOLD, {}
    for item in shop.items.values():
        item.applied = UNTOLD


def _open(state: RestockState, shop: Shop, sku: str, offset: int, told: dict[str, list[int]]) -> bool:
    item = shop.items.get(sku)
    if item is None or offset <= item.applied:
        return False
    windows, first = state.windows, not item.opened
    oldest = -(-windows.oldest(shop.watermark) // windows.width) * windows.width  # where a window begins
    rows = sorted(
        (start, units, revenue, currency)
        for currency, totals in told.items()
        for start, units, revenue in _rows(totals, TOTAL_WIDTH)
    )
    fewer = item.position.replace_sales(
        offset,
        oldest,
        # A window's sales are taken for its last moment: so counts on the hour, or at midnight, rule exactly.
        [(start + windows.width - 1, -units) for start, units, *_ in rows],
    )
    item.applied = offset
    if first:
        if rows and not item.demand.hours:
            item.demand.resume(min(shop.clock_of(rows[0][0]), item.demand.until))
        for start, units, revenue, currency in rows:
            if units > 0:
                item.paid_in(currency)
                item.demand.bought(shop.clock_of(start), units, revenue)
    elif fewer < 0:  # sales of which nobody has told before
        item.demand.bought(shop.trading.done, -fewer, 0)
    item.observe(shop.trading.done)
    return True


def _purchases(shop: Shop, told: msgspec.Raw) -> Iterable[str]:
    """The SKUs that have to be judged for these purchases."""
    if not shop.items or len(told) <= len(NOTHING):
        return ()
    asked = shop.table.take(bytes(told), shop.seen(), shop.moves)
    return _unusual(shop, purchases_in(told)) if asked is None else shop.named(asked)


def _unusual(shop: Shop, told: Told) -> Iterator[str]:
    """The same for what the kernel does not read: two currencies, or ids that need escapes in JSON."""
    store = shop.seen()
    for sku, currencies in _by_sku(told).items():
        item = shop.items.get(sku)
        if item is None or not item.opened:
            continue
        applied = item.applied
        purchases = sorted(
            (purchase, currency)
            for currency, numbers in currencies.items()
            for purchase in _rows(numbers, PURCHASE_WIDTH)
        )
        for purchase, currency in purchases:
            shop.table.sell(item.number, purchase, currency, applied, store, shop.moves)
        yield sku
