"""A feed of one store, written as a time line: what is told at which time, in the order in which it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.feed import Action, Movement, Sales, purchases_of
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.windows import Windows

UNIT = 100_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WIDTH, GRACE = 5 * MINUTE, 96 * HOUR
UNIX = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY = (datetime(2026, 11, 23, tzinfo=UTC) - UNIX) // timedelta(microseconds=1)


def at(text):
    """'Mon 09:00', 'Tue 14:05', or 'Mon+7 09:00', in microseconds; the Monday is 2026-11-23."""
    day, clock = text.split()
    name, _, more = day.partition("+")
    hours, minutes = clock.split(":")
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(name) + int(more or 0)
    return MONDAY + days * DAY + int(hours) * HOUR + int(minutes) * MINUTE


class Feed:
    """What is told to one partition, and what it decides. `alerts` are all that came of it, in order."""

    def __init__(self, store="12", sku="milk"):
        self.state = RestockState(Windows(WIDTH, GRACE))
        self.store, self.sku = store, sku
        self.offset = -1
        self.receipt = 0
        self.movements = 0
        self.receipts = {}
        self.alerts, self.refused, self.log = [], [], []

    def tell(self, message):
        self.offset += 1
        self.log.append(message)
        done = decide(self.state, self.offset, message)
        self.alerts += done.alerts
        self.refused += done.refused
        return done.alerts

    def sell(self, when, units=1, sku=None, receipts=1, revenue=None, restocked=0):
        """Receipts of a moment, the last of which has the SKU (with units 0: none has)."""
        moment = at(when) if isinstance(when, str) else when
        self.receipt += receipts
        start = moment - moment % WIDTH
        self.receipts[start] = self.receipts.get(start, 0) + receipts
        purchases = {}
        if units or restocked:
            money = 20_000 * units if revenue is None else revenue
            purchases = {"NOK": {sku or self.sku: [self.receipt, moment, units * UNIT, restocked * UNIT, money]}}
        shop = self.state.shops.get(self.store)
        watermark = max(moment, shop.watermark or 0) if shop else moment
        return self.tell(
            Sales(
                log=1, offset=self.receipt, store_id=self.store, watermark=watermark,
                receipts=[[start, self.receipts[start]]], purchases=purchases_of(purchases),
            )
        )  # fmt: skip

    def open(self, when, totals=(), sku=None):
        """The SKU's sales are told from here on; `totals` are (when, units) of the windows before."""
        numbers = [n for one, units in totals for n in (at(one), units * UNIT, units * 20_000)]
        return self.tell(
            Sales(
                log=1, offset=self.receipt, store_id=self.store, watermark=at(when), receipts=[],
                opened={"NOK": {sku or self.sku: numbers}},
            )
        )  # fmt: skip

    def move(self, kind, when, quantity, sku=None, **more):
        """A stock movement; its id is m1, m2, … unless it is given."""
        self.movements += 1
        name = more.pop("movement_id", f"m{self.movements}")
        moment = at(when) if isinstance(when, str) else when
        return self.tell(
            Movement(
                offset=self.movements, movement_id=name, store_id=self.store, sku=sku or self.sku, kind=kind,
                quantity=quantity * UNIT, occurred_at=moment, **more,
            )
        )  # fmt: skip

    def act(self, kind, alert_id, until=None):
        return self.tell(
            Action(
                action_id=f"a{self.offset}",
                store_id=self.store,
                alert_id=alert_id,
                kind=kind,
                until=at(until) if until else None,
            )
        )

    @property
    def item(self):
        return self.state.shops[self.store].items[self.sku]

    @property
    def on_hand(self):
        found = self.item.position.on_hand
        return None if found is None else found / UNIT

    def lines(self, rule=None):
        """`rule state` of each alert so far."""
        return [f"{one.rule} {one.state}" for one in self.alerts if rule in (None, one.rule)]


def usual_week(feed, units=1, every=1, days=14, first=9, last=21, receipts=10):
    """Two weeks before the Monday: so many receipts each hour, the SKU in every so manieth hour."""
    hours = 0
    for day in range(-days, 0):
        for hour in range(first, last):
            moment = MONDAY + day * DAY + hour * HOUR + 30 * MINUTE
            feed.sell(moment, units if hours % every == 0 else 0, receipts=receipts)
            hours += 1
