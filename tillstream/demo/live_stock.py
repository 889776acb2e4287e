"""Sends the stores with simulated stock: their receipts and what moves in them, each after the other by event time.

Receipts and movements are two topics, and restock takes from both as they come. So each is waited for until restock was
told it, before what comes after it by event time is sent: at this pace a day of 2017 lasts some hundredths of a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from schemas import feed
from schemas.feed import Catalogue, Known, PolicySetting
from schemas.topics import FEED, RECEIPTS, STOCK
from tillstream import policy_log
from tillstream.demo.feed_watch import FeedWatch
from tillstream.demo.simulated_stock import StockMove
from tillstream.demo.simulation import LiveStore
from tillstream.outgoing import Outgoing
from tillstream.products import Product
from tillstream.publish import Publisher, partition_of
from tillstream.settings import Settings

LABEL = "simulated: "
# A panel buys a fraction of what its stores sell, so what a day without stock loses is weighed by less than else.
POLICY = PolicySetting(lead_time=2.0, lead_time_sd=0.5, critical_per_day=20_000, warning_per_day=10_000)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


class LiveStock:
    """`tell` is called with how many receipts and movements more were sent, and the event time of the last."""

    def __init__(
        self,
        settings: Settings,
        watch: FeedWatch,
        stores: Sequence[LiveStore],
        tell: Callable[[int, int, datetime], None],
        on_wait: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._stores = stores
        self._tell = tell
        self._on_wait = on_wait
        prefix = settings.topic_prefix
        self._receipts = Publisher(settings, prefix + RECEIPTS, on_wait)
        self._movements = Publisher(settings, prefix + STOCK, on_wait)
        self._feed = Publisher(settings, prefix + FEED, on_wait)

    async def begin(self, products: Sequence[Product]) -> None:
        """Names that say what is simulated, the policy, and what has restock learn; before all other receipts."""
        names = {one.sku: Known(LABEL + one.name, one.department, one.category, one.brand) for one in products}
        async with self._feed as publisher:
            value = feed.encode(Catalogue(skus=names))
            for partition in range(publisher.partitions):
                await publisher.send(partition, [(None, value)])
        await policy_log.publish(self._settings, policy_log.version([POLICY], 0), self._on_wait)
        async with self._receipts, self._movements:
            await asyncio.gather(*(self._track(store) for store in self._stores))

    async def play(self) -> None:
        """Everything after that: each store by its own event time, all stores at once."""
        async with self._receipts, self._movements:
            await asyncio.gather(*(self._play(store) for store in self._stores))

    async def _track(self, store: LiveStore) -> None:
        await self._move(store.store_id, store.tracked)
        await self._sell(store.store_id, [store.first])

    async def _play(self, store: LiveStore) -> None:
        for receipts, moves in store.steps():
            await self._sell(store.store_id, receipts)
            await self._move(store.store_id, moves)

    async def _sell(self, store_id: str, receipts: Sequence[Outgoing]) -> None:
        if receipts:
            await self._send(self._receipts, store_id, receipts)
            await self._watch.sold(store_id, receipts[-1].occurred_at)
            self._tell(len(receipts), 0, _UNIX + timedelta(microseconds=receipts[-1].occurred_at))

    async def _move(self, store_id: str, moves: Sequence[StockMove]) -> None:
        if moves:
            await self._send(self._movements, store_id, [move.outgoing() for move in moves])
            await self._watch.moved({move.movement_id for move in moves})
            self._tell(0, len(moves), _UNIX + timedelta(microseconds=moves[-1].occurred_at))

    async def _send(self, publisher: Publisher, store_id: str, messages: Sequence[Outgoing]) -> None:
        key = store_id.encode()
        await publisher.send(partition_of(key, publisher.partitions), [(key, one.value) for one in messages])
