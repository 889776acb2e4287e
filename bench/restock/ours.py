"""tillstream's decisions as a policy: messages as `restock.feed` has them, through `streams.restock.decide`.

What has an open alert for low stock or none each evening is ordered, as many as its alert suggests by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from restock.base_stock import LATE_DAYS, LATE_DAYS_SD
from restock.chain import OPEN_HOURS, Chain
from restock.player import Alarm, Order, Sale
from restock.shelves import Shelves
from restock.silence import Silences
from schemas.feed import Campaign, Catalogue, FeedMessage, Known, Movement, PoliciesSet, PolicySetting, purchases_of
from schemas.feed import Sales as SalesMessage
from schemas.stock import Kind
from streams.restock.decide import decide
from streams.restock.demand import UNIT
from streams.restock.rules import reorder_point
from streams.restock.state import RestockState
from streams.windows import Windows

SECOND = 1_000_000
HOUR = 3600 * SECOND
BEGIN = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp()) * SECOND
GRACE = 96 * HOUR


class Ours:
    """One partition with all stores. Windows are of an hour, and tills' messages come hour by hour.

    With `campaigns` it is told of promotions when they are planned.
    """

    def __init__(
        self, chain: Chain, service_level: float, silences: Silences | None = None, *, campaigns: bool = True
    ) -> None:
        self.chain, self.silences, self.campaigns = chain, silences, campaigns
        self.state = RestockState(Windows(HOUR, GRACE))
        self._offset = -1
        self._receipt = [0] * chain.size.stores
        self._windows: list[dict[int, int]] = [{} for _ in range(chain.size.stores)]
        self._watermark = [BEGIN] * chain.size.stores
        self._movements = 0
        self._alarms: list[Alarm] = []
        self._opened = False
        self._tell(Catalogue(skus={f"{k}": self._known(k) for k in range(chain.size.skus)}))
        settings = [self._setting(k, service_level) for k in range(chain.size.skus)]
        self._tell(PoliciesSet(version="1", since=0, rules=settings))

    def _known(self, sku: int) -> Known:
        return Known(
            purchases_an_hour=float(self.chain.known[sku]) / OPEN_HOURS, units_a_purchase=self.chain.usual_units(sku)
        )

    def _setting(self, sku: int, service_level: float) -> PolicySetting:
        return PolicySetting(
            sku=f"{sku}", lead_time=float(self.chain.lead_days[sku]) + LATE_DAYS, lead_time_sd=LATE_DAYS_SD,
            service_level=service_level, pack=int(self.chain.packs[sku]) * UNIT,
        )  # fmt: skip

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """See Player."""
        if not self._opened:
            self._open()
        totals = dict(receipts)
        purchases: dict[str, list[int]] = {}
        for second, item, units in sales:
            self._receipt[store] += 1
            totals[second // 3600] = totals.get(second // 3600, 0) + 1
            money = round(float(self.chain.prices[item % self.chain.size.skus]) * units * 10_000)
            purchases.setdefault(self._sku(item), []).extend(
                (self._receipt[store], BEGIN + second * SECOND, units * UNIT, 0, money)
            )
        known = self._windows[store]
        for at, more in totals.items():
            known[at] = known.get(at, 0) + more
        # The store's last receipt of an hour comes shortly before its end.
        occurred = [BEGIN + at * HOUR + HOUR - SECOND for at, more in totals.items() if more]
        self._watermark[store] = max(self._watermark[store], *occurred, 0)
        self._receipt[store] += 1
        self._tell(
            SalesMessage(
                log=1, offset=self._receipt[store], store_id=f"{store}", watermark=self._watermark[store],
                receipts=[[BEGIN + at * HOUR, known[at]] for at in sorted(totals)],
                purchases=purchases_of({"NOK": purchases}),
            )
        )  # fmt: skip
        if self.silences is not None:
            self.silences.passed(store, self.state.shops[f"{store}"])

    def _open(self) -> None:
        self._opened = True
        for store in range(self.chain.size.stores):
            opened: dict[str, list[int]] = {f"{k}": [] for k in range(self.chain.size.skus)}
            self._tell(
                SalesMessage(log=1, offset=0, store_id=f"{store}", watermark=BEGIN, receipts=[], opened={"NOK": opened})
            )

    def counted(self, item: int, second: int, units: int) -> None:
        """See Player."""
        self._move("count", item, second, units)

    def ordered(self, order: str, item: int, second: int, units: int, expected: int) -> None:
        """See Player."""
        self._move("order_placed", item, second, units, name=order, expected_at=BEGIN + expected * SECOND)

    def delivered(self, order: str, item: int, second: int, units: int, missing: int) -> None:
        """See Player."""
        self._move("delivery", item, second, units, order_id=order)
        if missing:
            self._move("order_cancelled", item, second + 1, missing, order_id=order)

    def promoted(self, sku: int, since: int, until: int) -> None:
        """See Player."""
        if not self.campaigns:
            return
        name = f"{sku}-{since}"
        self._tell(
            Campaign(
                campaign_id=name, skus=[f"{sku}"], since=BEGIN + since * SECOND, until=BEGIN + until * SECOND
            )
        )  # fmt: skip

    def orders(self, day: int, shelves: Shelves) -> list[Order]:
        """See Player."""
        found = []
        for shop in self.state.shops.values():
            for item in shop.items.values():
                open_ones = (item.episodes.get(rule) for rule in ("stock_out", "reorder_point"))
                if not any(one is not None and one.state == "raised" for one in open_ones):
                    continue
                shelf = item.shelf(shop.trading, shop.now)
                assert shelf is not None
                units = round(reorder_point(shelf).figures["suggested_order"])
                if units:
                    found.append(Order(int(shop.store_id) * self.chain.size.skus + int(item.sku), units))
        return found

    def alarms(self, hour: int, shelves: Shelves) -> list[Alarm]:
        """See Player."""
        if self.silences is not None:
            self.silences.judge(hour, shelves)
        found, self._alarms = self._alarms, []
        return found

    def _sku(self, item: int) -> str:
        return f"{item % self.chain.size.skus}"

    def _move(
        self, kind: Kind, item: int, second: int, units: int, *, name: str = "", order_id: str = "",
        expected_at: int | None = None,
    ) -> None:  # fmt: skip
        self._movements += 1
        self._tell(
            Movement(
                offset=self._movements, movement_id=name or f"m{self._movements}",
                store_id=f"{item // self.chain.size.skus}", sku=self._sku(item), kind=kind, quantity=units * UNIT,
                occurred_at=BEGIN + second * SECOND, expected_at=expected_at, order_id=order_id,
            )
        )  # fmt: skip

    def _tell(self, message: FeedMessage) -> None:
        self._offset += 1
        done = decide(self.state, self._offset, message)
        assert not done.refused, done.refused
        skus = self.chain.size.skus
        self._alarms += [Alarm(one.rule, one.state, int(one.store_id) * skus + int(one.sku)) for one in done.alerts]
