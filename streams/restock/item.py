"""One SKU in one store that is tracked: all that the rules need of it, and its open alerts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from kernel.items import NO_ALERT, ORDERED, RAISED, currency_code, currency_number
from kernel.library import ITEM
from kernel.moves import Moves
from schemas.alert import Product, Rule
from streams.restock.demand import UNIT, Demand, Prior
from streams.restock.episode import Episode
from streams.restock.orders import Orders
from streams.restock.policy import DEFAULT, Policy
from streams.restock.position import Position
from streams.restock.rules import Shelf, z_of
from streams.restock.trading import HOUR, Trading

# Below the offset of any log, and below -1, which is that of one without receipts.
UNTOLD = -2


@dataclass(slots=True, init=False)
class Item:
    """`numbers` are what purchases change, and a copy of what the kernel has to know (kernel.items).

    `demand` is the base; what is sold while a campaign runs goes into `promotion`. `number` is its place in its store.
    """

    sku: str
    number: int
    numbers: ITEM = field(repr=False, compare=False)
    position: Position = field(repr=False, compare=False)
    demand: Demand = field(compare=False)
    orders: Orders
    promotion: Demand | None
    episodes: dict[Rule, Episode]
    product: Product
    promoted: bool
    policy: Policy
    policy_version: str

    def __init__(self, sku: str, number: int, moves: Moves) -> None:
        self.sku, self.number = sku, number
        self.numbers = ITEM(applied=UNTOLD)
        self.position = Position(self.numbers, number, moves)
        self.demand = Demand.of(self.numbers, ITEM.demand.offset)
        self.orders = Orders()
        self.promotion = None
        self.episodes = {}
        self.product = Product()
        self.promoted = False
        self.prior = Prior()
        self.set_policy(DEFAULT, "")

    def __eq__(self, other: object) -> bool:
        """Whether all that is known is the same."""
        return isinstance(other, Item) and self._known() == other._known()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _known(self) -> tuple[Any, ...]:
        return (self.sku, self.number, bytes(self.numbers), self.orders, self.promotion, self.episodes, self.product,
                self.promoted, self.policy, self.policy_version)  # fmt: skip

    @property
    def applied(self) -> int:
        """The receipts' offset up to which sales are in, UNTOLD until the first totals have come."""
        return int(self.numbers.applied)

    @applied.setter
    def applied(self, offset: int) -> None:
        self.numbers.applied = offset

    @property
    def opened(self) -> bool:
        """Whether its sales are told."""
        return self.applied > UNTOLD

    @property
    def currency(self) -> str:
        """That of the latest sale."""
        return currency_code(self.numbers.currency)

    @property
    def prior(self) -> Prior:
        """What to expect of it before its store has shown anything."""
        return Prior(self.numbers.prior_rate, self.numbers.prior_units)

    @prior.setter
    def prior(self, prior: Prior) -> None:
        self.numbers.prior_rate, self.numbers.prior_units = prior

    def set_policy(self, policy: Policy, version: str) -> None:
        """How it is to be replenished from now on."""
        self.policy, self.policy_version, numbers = policy, version, self.numbers
        numbers.lead_time, numbers.lead_time_sd = policy.lead_time, policy.lead_time_sd
        numbers.z, numbers.pack = z_of(policy.service_level), policy.pack / UNIT
        numbers.reorder_point = math.nan if policy.reorder_point is None else policy.reorder_point / UNIT

    def running(self) -> Demand:
        """The demand that is under way: of the campaign while one runs, else the base."""
        return self.promotion if self.promoted and self.promotion is not None else self.demand

    def promote(self, promoted: bool, clock: float) -> bool:
        """A campaign begins or ends: from here on the other demand is under way. Says whether it has changed."""
        if promoted == self.promoted:
            return False
        self.observe(clock)
        self.promoted = promoted
        if promoted and self.promotion is None:
            self.promotion = Demand()
        self.running().resume(clock)
        return True

    def keep(self, rule: Rule, episode: Episode) -> None:
        """Keep an alert as it stands now; one that is resolved is none any more."""
        if episode.state == "resolved":
            self.episodes.pop(rule, None)
        else:
            self.episodes[rule] = episode

    def note(self) -> None:
        """Write down for the kernel how its alerts and its orders stand, so that it knows when to ask again."""
        numbers, low = self.numbers, self.episodes.get("reorder_point")
        numbers.on_order = self.orders.on_order
        # Their end is a matter of silences, hours, and of what comes: too rare to be worth a shortcut.
        numbers.ask = any(rule != "reorder_point" for rule in self.episodes)
        numbers.low = NO_ALERT if low is None else ORDERED if low.state == "ordered" else RAISED
        # A warning is the most that low stock is (streams.restock.judge); only what nobody has dealt with gets worse.
        worse = low is not None and low.state == "raised" and low.severity == "info"
        numbers.worse_at = float(min(self.policy.warning_per_day, self.policy.critical_per_day)) if worse else math.inf

    def paid_in(self, currency: str) -> None:
        """What a unit brings is known in one currency at a time: that of the latest sale."""
        if currency != self.currency:
            self.numbers.currency, self.demand.revenue = currency_number(currency), 0.0
            if self.promotion is not None:
                self.promotion.revenue = 0.0

    def observe(self, clock: float) -> None:
        """The store's clock has moved on: for the demand under way, while there is stock."""
        running, on_hand = self.running(), self.position.on_hand
        running.observe(clock)
        running.censored = on_hand is not None and on_hand <= 0

    def shelf(self, trading: Trading, now: int) -> Shelf | None:
        """What the rules look at, None while nobody has counted it."""
        on_hand = self.position.on_hand
        if on_hand is None:
            return None
        purchases, units = self.position.moves.bought_after(self.number, now - HOUR)
        running = self.running()
        base = self.demand.rate(self.prior)
        rate = base if running is self.demand else running.rate(Prior(base.rate, base.units))
        return Shelf(
            on_hand,
            self.orders.on_order,
            self.policy,
            rate,
            trading.ahead(now, self.policy.lead_time),
            trading.ahead(now, self.policy.review_period),
            trading.a_day(),
            running.silence(trading.done, self.prior),
            purchases,
            units / UNIT,
            trading.around(now),
            running.price() or self.demand.price(),
        )
