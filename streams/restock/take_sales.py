"""What a store's sales do to its clock and its items."""

from __future__ import annotations

from schemas.feed import PURCHASE_WIDTH, TOTAL_WIDTH, Sales
from streams.restock.item import UNTOLD
from streams.restock.shop import Shop
from streams.restock.state import RestockState
from streams.restock.trading import HOUR


def take_sales(state: RestockState, shop: Shop, message: Sales) -> list[str]:
    """Take them up; returns the SKUs that are to be judged: those that were sold, and those whose moment has come.

    What is repeated does nothing: receipts are totals of windows as of an offset, purchases are known by theirs.
    """
    if message.log < shop.log:
        return []
    if message.log > shop.log:
        _begin_log(shop, message.log)
    hour = shop.now // HOUR
    if message.offset > shop.applied:
        shop.count_receipts(message.receipts, message.watermark, state.windows)
        shop.applied = message.offset
    touched = [sku for sku, told in _by_sku(message.opened).items() if _open(state, shop, sku, message.offset, told)]
    touched += [sku for sku, told in _by_sku(message.purchases).items() if _purchases(state, shop, sku, told)]
    if shop.now // HOUR > hour:
        # Not before: purchases of a backlog are of hours that lie more than the grace before its last receipt.
        shop.forget(state.windows)
    return list(dict.fromkeys((*touched, *shop.to_judge())))


def _by_sku(told: dict[str, dict[str, list[int]]]) -> dict[str, dict[str, list[int]]]:
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
    oldest = windows.oldest(shop.watermark)
    rows = sorted(
        (start, units, revenue, currency)
        for currency, totals in told.items()
        for start, units, revenue in _rows(totals, TOTAL_WIDTH)
    )
    fewer = item.position.replace_sales(
        offset,
        lambda at: windows.start_of(at) >= oldest,
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


def _purchases(state: RestockState, shop: Shop, sku: str, told: dict[str, list[int]]) -> bool:
    item = shop.items.get(sku)
    if item is None or not item.opened:
        return False
    item.promote(state.is_promoted(shop, sku), shop.trading.done)
    applied = item.applied
    purchases = sorted(
        (purchase, currency) for currency, numbers in told.items() for purchase in _rows(numbers, PURCHASE_WIDTH)
    )
    for (offset, occurred_at, units, restocked, revenue), currency in purchases:
        if offset <= applied:
            continue
        item.paid_in(currency)
        item.sold(shop.clock_of(occurred_at), occurred_at, offset, units, restocked, revenue)
        item.applied = max(item.applied, offset)
    item.observe(shop.trading.done)
    return True
