"""What the demo sends: real receipts, and beside those of a few stores simulated stock, in the order of event time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import polars as pl

from tillstream.demo.shelves import choose
from tillstream.demo.simulated_rush import rush
from tillstream.demo.simulated_stock import Shelf, StockMove, simulate, tracked_from
from tillstream.local import demo_data
from tillstream.outgoing import Outgoing
from tillstream.products import Product


@dataclass(frozen=True, slots=True)
class LiveStore:
    """A store with simulated stock. `tracked` comes before `first`, its first receipt.

    `receipts` are all after that one, `moves` what moves on its shelves from when they are counted on, each by time.
    """

    store_id: str
    first: Outgoing
    tracked: list[StockMove]
    receipts: list[Outgoing]
    moves: list[StockMove]

    def steps(self) -> Iterator[tuple[list[Outgoing], list[StockMove]]]:
        """Receipts up to a moment, and what moved then, after them; the last step has receipts alone."""
        at = 0
        for moment, moves in groupby(self.moves, key=lambda move: move.occurred_at):
            until = at
            while until < len(self.receipts) and self.receipts[until].occurred_at <= moment:
                until += 1
            yield self.receipts[at:until], list(moves)
            at = until
        yield self.receipts[at:], []


@dataclass(frozen=True, slots=True)
class Simulation:
    """`flood` are the lines of all other stores. No store is `live` where the receipts are of too few days.

    `real` receipts have `lines` lines, `invented` receipts are of the store that does not exist. `products` are those
    on the shelves, `on_hand` is what must be there in the end, by store and SKU.
    """

    flood: pl.DataFrame
    real: int
    lines: int
    live: list[LiveStore] = field(default_factory=list)
    shelves: list[Shelf] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    on_hand: dict[tuple[str, str], int] = field(default_factory=dict)
    invented: int = 0

    @property
    def moves(self) -> int:
        """How many movements are told."""
        return sum(len(store.tracked) + len(store.moves) for store in self.live)


def plan(limit: int | None) -> Simulation:
    """The receipts, at most `limit`, and the stock that is simulated for them; takes about a second."""
    lines = demo_data.lines(limit)
    real = lines["basket_id"].n_unique()
    shelves = choose(lines)
    if not shelves:
        return Simulation(lines, real, len(lines))
    busiest = next(shelf for shelf in shelves if shelf.part != "phantom")
    hurried, again = rush(lines, busiest)
    mine = pl.col("store_id").is_in(sorted({int(shelf.store_id) for shelf in shelves}))
    by_store: dict[str, list[Outgoing]] = {}
    for receipt in (*demo_data.receipts_of(lines.filter(mine)), *demo_data.receipts_of(again)):
        by_store.setdefault(receipt.store_id, []).append(receipt)
    every = [*shelves, hurried]
    on_hand: dict[tuple[str, str], int] = {}
    moves: dict[str, list[StockMove]] = {}
    for shelf in every:
        simulated = simulate(shelf)
        moves.setdefault(shelf.store_id, []).extend(simulated.moves)
        on_hand[shelf.store_id, shelf.sku] = simulated.on_hand
    skus = {shelf.sku for shelf in every}
    return Simulation(
        flood=lines.filter(~mine),
        real=real,
        lines=len(lines),
        live=[_live(store, receipts, moves[store], every) for store, receipts in sorted(by_store.items())],
        shelves=every,
        products=[product for product in demo_data.products() if product.sku in skus],
        on_hand=on_hand,
        invented=len(by_store[hurried.store_id]),
    )


def _live(store: str, receipts: list[Outgoing], moves: list[StockMove], shelves: Iterable[Shelf]) -> LiveStore:
    first, rest = receipts[0], receipts[1:]
    # At the latest when it is counted: what came before that is in the count.
    tracked = [
        tracked_from(store, shelf.sku, min(first.occurred_at, shelf.opened_at))
        for shelf in shelves
        if shelf.store_id == store
    ]
    # Of one moment in the order in which they were made: an order before what ships it.
    return LiveStore(store, first, tracked, rest, sorted(moves, key=lambda move: move.occurred_at))
