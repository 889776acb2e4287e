"""Batch code recomputes every stock-out and low-stock alert of a day from the log alone.

It shares nothing with streams.restock: at each message it adds up all that was told so far, from the beginning, and
applies the sentences of docs/restock.md. Reorder points are set by hand, so no demand is needed.
"""

from __future__ import annotations

import random

import pytest

from schemas.feed import Movement, PoliciesSet, PolicySetting, Sales, purchases_in, purchases_of
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.windows import Windows
from tests.unit.streams.restock.feeds import DAY, GRACE, HOUR, MINUTE, MONDAY, UNIT, WIDTH
from tests.unit.streams.restock.verdicts import changes

SKUS = ("milk", "bread", "salmon")
S, UP_TO, PACK = 6, 20, 2
NEVER = 10**15
KINDS = (
    "delivery",
    "delivery",
    "adjustment",
    "count",
    "transfer_out",
    "order_placed",
    "order_placed",
    "order_cancelled",
)


def a_day(seed):
    """The log of one day: sales on time and late, movements on time and late, some of both told twice."""
    rng, log, receipts = random.Random(seed), [], {}
    setting = PolicySetting(
        reorder_point=S * UNIT,
        order_up_to=UP_TO * UNIT,
        pack=PACK * UNIT,
        critical_per_day=NEVER,
        warning_per_day=NEVER,
    )
    log.append(PoliciesSet(version="1", since=0, rules=[setting]))
    movements = 0

    def move(sku, kind, quantity, at):
        nonlocal movements
        movements += 1
        log.append(
            Movement(
                offset=movements, movement_id=f"m{movements}", store_id="1", sku=sku, kind=kind,
                quantity=quantity * UNIT, occurred_at=at,
            )
        )  # fmt: skip

    for sku in SKUS:
        move(sku, "count", rng.randint(5, 25), MONDAY)
    opened = {"NOK": {sku: [] for sku in SKUS}}
    log.append(Sales(log=1, offset=0, store_id="1", watermark=MONDAY, receipts=[], opened=opened))
    now, receipt, watermark = MONDAY + 8 * HOUR, 0, MONDAY
    while now < MONDAY + DAY - 3 * HOUR:
        now += rng.randint(1, 9) * MINUTE
        at = now - (rng.randint(0, 7) * HOUR if rng.random() < 0.15 else 0)
        if rng.random() < 0.7:
            receipt += 1
            watermark = max(watermark, at)
            start = at - at % WIDTH
            receipts[start] = receipts.get(start, 0) + 1
            sold = {rng.choice(SKUS): rng.randint(1, 4) for _ in range(rng.randint(0, 2))}
            purchases = {"NOK": {sku: [receipt, at, n * UNIT, 0, n * 10_000] for sku, n in sold.items()}}
            log.append(
                Sales(
                    log=1, offset=receipt, store_id="1", watermark=watermark, receipts=[[start, receipts[start]]],
                    purchases=purchases_of(purchases),
                )
            )  # fmt: skip
        else:
            kind = rng.choice(KINDS)
            quantity = rng.randint(1, 12) * (-1 if kind == "adjustment" and rng.random() < 0.5 else 1)
            move(rng.choice(SKUS), kind, quantity, at)
        if rng.random() < 0.1:
            log.append(log[rng.randrange(len(log))])
    return log


def stock(told, sku):
    """On hand by the latest count, and on order, after all that was told."""
    counts = [one for one in told if isinstance(one, Movement) and one.sku == sku and one.kind == "count"]
    ruling = max(counts, key=lambda one: (one.occurred_at, one.offset))
    on_hand = ruling.quantity
    for one in told:
        if isinstance(one, Sales):
            for numbers in purchases_in(one.purchases).values():
                _, at, units, *_ = numbers.get(sku, (0, 0, 0, 0, 0))
                on_hand -= units if at > ruling.occurred_at else 0
        elif isinstance(one, Movement) and one.sku == sku and one.occurred_at > ruling.occurred_at:
            on_hand += {"delivery": 1, "adjustment": 1, "transfer_out": -1}.get(one.kind, 0) * one.quantity
    on_order = 0
    moves = [one for one in told if isinstance(one, Movement) and one.sku == sku]
    for one in sorted(moves, key=lambda one: (one.occurred_at, one.movement_id)):
        if one.kind == "order_placed":
            on_order += one.quantity
        elif one.kind in ("delivery", "order_cancelled"):
            on_order = max(0, on_order - one.quantity)
    return on_hand / UNIT, on_order / UNIT


def expected(log):
    """(offset, SKU, rule, state) of every alert."""
    told, seen, states, found = [], set(), {}, []
    for offset, message in enumerate(log):
        source = type(message), getattr(message, "offset", -1)
        again = source in seen
        if not again:
            seen.add(source)
            told.append(message)
        # A SKU is judged where a message speaks of it; of a receipt also where it is repeated.
        if isinstance(message, Movement):
            skus = set() if again else {message.sku}
        else:
            sold = purchases_in(message.purchases) if isinstance(message, Sales) else {}
            skus = {sku for one in sold.values() for sku in one}
        for sku in sorted(skus):
            on_hand, on_order = stock(told, sku)
            found += [(offset, sku, *change) for change in changes(states, sku, on_hand, on_order, S, PACK)]
    return found


@pytest.mark.parametrize("seed", range(40))
def test_every_alert_of_a_day_is_what_a_batch_computation_over_the_log_gives(seed):
    log, state = a_day(seed), RestockState(Windows(WIDTH, GRACE))
    decided = [
        (offset, one.sku, one.rule, one.state)
        for offset, message in enumerate(log)
        for one in decide(state, offset, message).alerts
        if one.rule in ("stock_out", "reorder_point")
    ]
    assert sorted(decided) == sorted(expected(log))
    assert decided
