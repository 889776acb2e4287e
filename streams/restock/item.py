"""One SKU in one store that is tracked: all that the rules need of it, and its open alerts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from schemas.alert import Product, Rule
from streams.restock.demand import UNIT, Demand, Prior
from streams.restock.episode import Episode
from streams.restock.orders import Orders
from streams.restock.policy import DEFAULT, Policy
from streams.restock.position import Position
from streams.restock.rules import Shelf
from streams.restock.trading import DAY, HOUR, Trading

# Below the offset of any log, and below -1, which is that of one without receipts.
UNTOLD = -2


@dataclass(slots=True)
class Item:
    """`applied` is the receipts' offset up to which sales are in, UNTOLD until the first totals have come.

    `lately` are the purchases of the last hour, (moment, units as hundred-thousandths). `demand` is the base; what is
    sold while a campaign runs goes into `promotion`. `watched` says whether its store watches for its silence.
    """

    sku: str
    applied: int = UNTOLD
    currency: str = ""
    position: Position = field(default_factory=Position)
    orders: Orders = field(default_factory=Orders)
    demand: Demand = field(default_factory=Demand)
    promotion: Demand | None = None
    lately: deque[tuple[int, int]] = field(default_factory=deque)
    episodes: dict[Rule, Episode] = field(default_factory=dict)
    product: Product = field(default_factory=Product)
    prior: Prior = field(default_factory=Prior)
    promoted: bool = False
    watched: bool = False
    policy: Policy = DEFAULT
    policy_version: str = ""

    @property
    def opened(self) -> bool:
        """Whether its sales are told."""
        return self.applied > UNTOLD

    def running(self) -> Demand:
        """The demand that is under way: of the campaign while one runs, else the base."""
        return self.promotion if self.promoted and self.promotion is not None else self.demand

    def promote(self, promoted: bool, clock: float) -> None:
        """A campaign begins or ends: from here on the other demand is under way."""
        if promoted == self.promoted:
            return
        self.observe(clock)
        self.promoted = promoted
        if promoted and self.promotion is None:
            self.promotion = Demand()
        self.running().resume(clock)

    def keep(self, rule: Rule, episode: Episode) -> None:
        """Keep an alert as it stands now; one that is resolved is none any more."""
        if episode.state == "resolved":
            self.episodes.pop(rule, None)
        else:
            self.episodes[rule] = episode

    def paid_in(self, currency: str) -> None:
        """What a unit brings is known in one currency at a time: that of the latest sale."""
        if currency != self.currency:
            self.currency, self.demand.revenue = currency, 0.0
            if self.promotion is not None:
                self.promotion.revenue = 0.0

    def sold(self, clock: float, at: int, offset: int, units: int, restocked: int, revenue: int) -> None:
        """A purchase, or one that was taken back; `restocked` units came back to the shelf."""
        if units or restocked:
            self.position.move(at, restocked - units, offset)
        if units:
            self.running().bought(clock, units, revenue)
        if units > 0:
            self.lately.append((at, units))

    def observe(self, clock: float) -> None:
        """The store's clock has moved on: for the demand under way, while there is stock."""
        running = self.running()
        running.observe(clock)
        running.censored = self.position.on_hand is not None and self.position.on_hand <= 0

    def shelf(self, trading: Trading, now: int) -> Shelf | None:
        """What the rules look at, None while nobody has counted it."""
        on_hand = self.position.on_hand
        if on_hand is None:
            return None
        while self.lately and self.lately[0][0] <= now - HOUR:
            self.lately.popleft()
        running = self.running()
        base = self.demand.rate(self.prior)
        rate = base if running is self.demand else running.rate(Prior(base.rate, base.units))
        usual = trading.ahead(now - HOUR, HOUR / DAY)
        return Shelf(
            on_hand,
            self.orders.on_order,
            self.policy,
            rate,
            trading.ahead(now, self.policy.lead_time),
            trading.ahead(now, self.policy.review_period),
            trading.a_day(),
            running.silence(trading.done, self.prior),
            len(self.lately),
            sum(units for _, units in self.lately) / UNIT,
            max(usual, trading.last_hour(now)),
            running.price() or self.demand.price(),
        )
