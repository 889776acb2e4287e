"""One partition of restock: takes its feed, sends what comes of it, and tells the feed of stock movements."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from kernel.records import LogRecord
from schemas import alert, feed, position, stock
from schemas.alert import Alert
from schemas.deadletter import DeadLetter, kept
from schemas.errors import Refused
from schemas.feed import Catalogue, Movement
from streams.agents import Outlet
from streams.framed import Message
from streams.metrics import alerted
from streams.restock.decide import decide
from streams.restock.item import Item
from streams.restock.shop import Shop
from streams.restock.standing import standing
from streams.restock.state import RestockState
from streams.snapshots import SnapshotWriter
from streams.tracking import Tracking

log = logging.getLogger(__name__)

# A batch lands as a whole or not at all; this many alerts are far smaller than one may be.
ALERTS_PER_BATCH = 200
SECONDS_BETWEEN_POSITIONS = 1.0
# How many positions go out at once: more when nothing waits to be decided, since each costs as much as many purchases.
MOST_POSITIONS, MOST_WHILE_BEHIND = 2_000, 250
# Headers of an alert: the feed's offset that brought it about, and the one up to which all alerts have landed with it.
FEED, SENT = "feed", "sent"
NOTHING_SENT = -1


def sent_until(records: Iterable[object]) -> int:
    """Of the last alerts of a partition, the feed's offset up to which all have landed."""
    found = NOTHING_SENT
    for record in records:
        headers = dict(getattr(record, "headers", ()))
        found = max(found, int(headers.get(SENT, b"-1")))
    return found


class RestockPart:
    """`sent_until` is the feed's offset up to which all alerts were acknowledged, by whoever sent them.

    `tracked` is called when the fold has something to open, `ready` when the feed is read and the fold may begin;
    `snapshots` writes what a later start goes on from; `read` is how many messages of the feed were read.
    """

    def __init__(
        self,
        partition: int,
        state: RestockState,
        tracking: Tracking,
        outlet: Outlet,
        stock_topic: str,
        max_skew: int,
        snapshots: SnapshotWriter,
        tracked: Callable[[], None] = lambda: None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.partition = partition
        self.state = state
        self.tracking = tracking
        self.sent_until = NOTHING_SENT
        self.snapshots = snapshots
        self.tracked = tracked
        self._ready = ready
        self.read = 0
        self._outlet = outlet
        self._stock_topic = stock_topic
        self._max_skew = max_skew
        self._positions_at = 0.0
        self._untold: Iterator[tuple[Shop, Item]] = iter(())

    def go_on_from(self, state: RestockState | None, found: list[bytes]) -> None:
        """Begin at a snapshot, where there is one; `found` are the keys that stand in the topic of snapshots."""
        if state is not None:
            self.state = state
            log.info("restock, partition %d: goes on from its snapshot of %d", self.partition, state.applied)
        self.snapshots.predecessors = found

    def begin(self) -> None:
        """The feed is read up to its end: what is tracked is known. A second time, after an outage, changes nothing."""
        if self.tracking.ready:
            return
        for shop in self.state.shops.values():
            for item in shop.items.values():
                self.tracking.track(shop.store_id, item.sku, opened=item.opened)
        self.tracking.begin()
        self._ready()
        if self.tracking.to_open:
            self.tracked()

    async def take_feed(self, records: Sequence[LogRecord]) -> None:
        """Decide by messages of the feed, and send what comes of it."""
        alerts: list[tuple[int, Alert]] = []
        letters: list[Message] = []
        for record in records:
            try:
                message = feed.decode(record.value or b"")
                self.snapshots.changing(message)
                decided = decide(self.state, record.offset, message)
            except (msgspec.MsgspecError, OverflowError) as fault:
                # Whoever reads it passes over it: all decide alike.
                log.warning("restock.feed, partition %d, offset %d: %s", self.partition, record.offset, fault)
                continue
            if isinstance(message, Catalogue):
                await asyncio.sleep(0)  # of many products each takes milliseconds: the fold goes on in between
            if decided.tracked is not None and self.tracking.ready:
                self.tracking.track(*decided.tracked, opened=False)
                self.tracked()
            if record.offset > self.sent_until:
                alerts += ((record.offset, one) for one in decided.alerts)
                letters += (
                    self._letter(one.offset, one.store_id.encode(), feed.encode(one), fault)
                    for one, fault in decided.refused
                )
        if letters:
            await self._outlet.send("rejected", self.partition, letters)
            await self._outlet.acknowledged()
        await self._send(alerts)
        self.state.applied = max(self.state.applied, records[-1].offset)
        self.sent_until = max(self.sent_until, self.state.applied)
        self.read += len(records)
        self.snapshots.landed(records, self.state.applied)

    async def _send(self, alerts: Sequence[tuple[int, Alert]]) -> None:
        """Send alerts, a batch after the other, each of which says up to where all are sent once it has landed."""
        for begin in range(0, len(alerts), ALERTS_PER_BATCH):
            batch, rest = alerts[begin : begin + ALERTS_PER_BATCH], alerts[begin + ALERTS_PER_BATCH :]
            sent = rest[0][0] - 1 if rest else batch[-1][0]
            messages: list[Message] = [
                (one.store_id.encode(), alert.encode(one), [(FEED, str(at).encode()), (SENT, str(sent).encode())])
                for at, one in batch
            ]
            await self._outlet.send("alerts", self.partition, messages)
            await self._outlet.acknowledged()
            alerted(one for _, one in batch)

    async def send_positions(self, now: float, *, behind: bool) -> None:
        """Tell how items stand that were touched, once a second of the loop's time at most; each is absolute.

        `behind` says whether the feed has more to be decided. What does not fit goes out the next time, every store in
        its turn.
        """
        if not self.tracking.ready or now - self._positions_at < SECONDS_BETWEEN_POSITIONS:
            return
        self._positions_at = now
        most = MOST_WHILE_BEHIND if behind else MOST_POSITIONS
        told: list[Message] = [
            (shop.store_id.encode(), position.encode(standing(shop, item, self.state.applied)), [])
            for shop, item in self._take_touched(most)
        ]
        if told:
            await self._outlet.send("positions", self.partition, told)
            await self._outlet.acknowledged()

    def _take_touched(self, most: int) -> Iterator[tuple[Shop, Item]]:
        """Items that were touched, from where the last round stopped; once through all stores at most."""
        found = list(islice(self._untold, most))
        if len(found) < most:
            self._untold = self._touched()
            found += islice(self._untold, most - len(found))
        return iter(found)

    def _touched(self) -> Iterator[tuple[Shop, Item]]:
        for shop in list(self.state.shops.values()):
            for sku in shop.table.take_touched():
                yield shop, shop.items[sku]

    def _letter(self, offset: int, key: bytes | None, value: bytes | None, fault: Refused) -> Message:
        letter = DeadLetter(key, value, fault.reason, fault.path, self._stock_topic, self.partition, offset)
        return letter.key, letter.value, letter.headers()

    async def take_movements(self, records: Sequence[LogRecord]) -> None:
        """Tell the feed of stock movements, in their order; what is none is rejected with its reason."""
        told: list[Message] = []
        letters: list[Message] = []
        for record in records:
            try:
                told.append(self._told(record))
            except Refused as fault:
                letters.append(self._letter(record.offset, kept(record.key), kept(record.value), fault))
        if letters:
            await self._outlet.send("rejected", self.partition, letters)
        if told:
            await self._outlet.send("feed", self.partition, told)
        await self._outlet.acknowledged()

    def _told(self, record: LogRecord) -> Message:
        found = stock.admit(record.key, record.value, record.timestamp, self._max_skew)
        movement = Movement(offset=record.offset, **msgspec.structs.asdict(found))
        return found.store_id.encode(), feed.encode(movement), []
