"""Random histories of two stores and two SKUs, as Hypothesis draws them, told to restock message by message."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

from schemas.feed import Action, Campaign, Movement, PoliciesSet, PolicySetting, Sales, purchases_of
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.windows import Windows
from tests.unit.streams.restock.feeds import GRACE, HOUR, MINUTE, MONDAY, UNIT, WIDTH

STORES, SKUS = ("1", "2"), ("milk", "bread")
KINDS = (
    "count", "delivery", "adjustment", "transfer_in", "transfer_out", "order_placed", "order_shipped",
    "order_cancelled",
)  # fmt: skip

_store, _sku = st.sampled_from(STORES), st.sampled_from(SKUS)
_ahead = st.one_of(st.integers(0, 90), st.integers(0, 6 * 24 * 60))  # minutes
_lag = st.one_of(st.just(0), st.integers(0, 90 * 60))

SALES = st.tuples(st.just("sell"), _store, _sku, _ahead, _lag, st.integers(-1, 6), st.integers(0, 1))
MOVES = st.tuples(st.just("move"), _store, _sku, st.sampled_from(KINDS), _ahead, _lag, st.integers(1, 12))
ACTIONS = st.tuples(
    st.just("act"), st.sampled_from(["acknowledge", "snooze", "resolve"]), st.integers(0, 50), st.integers(1, 90)
)
POLICIES = st.tuples(st.just("policies"), st.integers(0, 8), st.integers(0, 3))
CAMPAIGNS = st.tuples(st.just("campaign"), _sku, st.integers(0, 48))
REPEATS = st.tuples(st.just("repeat"), st.integers(0, 200))
STEPS = st.lists(st.one_of(SALES, SALES, SALES, MOVES, MOVES, ACTIONS, POLICIES, CAMPAIGNS, REPEATS), max_size=60)


def new_state():
    return RestockState(Windows(WIDTH, GRACE))


class Story:
    """What was told, what it brought about, and beside it a plain ledger of all that was taken up."""

    def __init__(self):
        self.state = new_state()
        self.log, self.alerts = [], []
        self.moves = {}  # (store, sku) -> [(occurred_at, change)]
        self.counts = {}  # (store, sku) -> [(occurred_at, quantity)], in the order in which they were told
        self._now = dict.fromkeys(STORES, MONDAY)
        self._offset = dict.fromkeys(STORES, 0)
        self._receipts = {store: {} for store in STORES}
        self._movements = 0
        self._versions = 0

    def tell(self, message):
        self.log.append(message)
        done = decide(self.state, len(self.log) - 1, message)
        self.alerts += done.alerts
        return done

    def step(self, step):
        """Returns what came of it, None where nothing was told."""
        return getattr(self, f"_{step[0]}")(*step[1:])

    def _sell(self, store, sku, ahead, lag, units, restocked):
        """A receipt; with a SKU that is not tracked it is one more receipt and nothing else."""
        now = self._now[store] = self._now[store] + ahead * MINUTE
        occurred_at = now - lag * MINUTE
        self._offset[store] += 1
        offset, known = self._offset[store], self._receipts[store]
        start = occurred_at - occurred_at % WIDTH
        known[start] = known.get(start, 0) + 1
        purchases = {}
        item = self.state.shops[store].items.get(sku) if store in self.state.shops else None
        if item is not None:
            purchases = {"NOK": {sku: [offset, occurred_at, units * UNIT, restocked * UNIT, units * 20_000]}}
            self.moves.setdefault((store, sku), []).append((occurred_at, (restocked - units) * UNIT))
        return self.tell(
            Sales(
                log=1, offset=offset, store_id=store, watermark=max(now, self._watermark(store)),
                receipts=[[start, known[start]]], purchases=purchases_of(purchases),
            )
        )  # fmt: skip

    def _watermark(self, store):
        return (self.state.shops[store].watermark or 0) if store in self.state.shops else 0

    def _move(self, store, sku, kind, ahead, lag, quantity):
        """A movement; the SKU's sales are told from its first one on."""
        tracked = store in self.state.shops and sku in self.state.shops[store].items
        now = self._now[store] = self._now[store] + ahead * MINUTE
        occurred_at = now - lag * MINUTE
        self._movements += 1
        signed = -quantity if kind == "adjustment" and quantity % 2 else quantity
        done = self.tell(
            Movement(
                offset=self._movements, movement_id=f"m{self._movements}", store_id=store, sku=sku, kind=kind,
                quantity=signed * UNIT, occurred_at=occurred_at,
            )
        )  # fmt: skip
        if not done.refused:
            sign = {"delivery": 1, "adjustment": 1, "transfer_in": 1, "transfer_out": -1}.get(kind)
            if sign:
                self.moves.setdefault((store, sku), []).append((occurred_at, sign * signed * UNIT))
            if kind == "count":
                self.counts.setdefault((store, sku), []).append((occurred_at, quantity * UNIT))
        if not tracked and sku in self.state.shops[store].items:
            return self.tell(
                Sales(
                    log=1, offset=self._offset[store], store_id=store, watermark=max(now, self._watermark(store)),
                    receipts=[], opened={"NOK": {sku: []}},
                )
            )  # fmt: skip
        return done

    def _act(self, kind, which, hours):
        if not self.alerts:
            return None
        alert = self.alerts[which % len(self.alerts)]
        until = self._now[alert.store_id] + hours * HOUR if kind == "snooze" else None
        return self.tell(
            Action(
                action_id=f"a{len(self.log)}", store_id=alert.store_id, alert_id=alert.alert_id, kind=kind, until=until
            )
        )

    def _policies(self, s, more):
        self._versions += 1
        setting = PolicySetting(reorder_point=s * UNIT, order_up_to=(s + more) * UNIT)
        return self.tell(PoliciesSet(version=f"{self._versions}", since=0, rules=[setting]))

    def _campaign(self, sku, hours):
        since = max(self._now.values())
        name = f"c{len(self.log)}"
        return self.tell(Campaign(campaign_id=name, skus=[sku], since=since, until=since + hours * HOUR))

    def _repeat(self, which):
        if not self.log:
            return None
        message = self.log[which % len(self.log)]
        # What somebody did has no offset of a source: doing it again is doing it.
        return None if isinstance(message, Action) else self.tell(message)

    def replayed(self):
        """All alerts of the same feed, told to a state that knows nothing."""
        state = new_state()
        return [alert for offset, one in enumerate(self.log) for alert in decide(state, offset, one).alerts]

    def items(self):
        """(store, sku) -> item, of all that is tracked."""
        return {(shop.store_id, sku): item for shop in self.state.shops.values() for sku, item in shop.items.items()}

    def copy(self):
        return copy.deepcopy(self.state)


def on_hand(counts, moves):
    """The plain rule: the latest count by its own time, of equals the one that was told last, and all moves after."""
    if not counts:
        return None
    latest = max(at for at, _ in counts)
    quantity = [many for at, many in counts if at == latest][-1]
    return quantity + sum(change for at, change in moves if at > latest)
