"""Histories by seed: what tills send, and what befalls workers, Kafka and sinks meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.simulation.oracle import Widths
from tests.simulation.receipts import Line, Receipt
from tests.simulation.stage import PARTITIONS
from tests.simulation.world import SKUS, Event, History

# Two stores share partition 0; "9" arrives in both.
STORES = (("12", 0), ("7", 0), ("3", 1), ("9", 0), ("9", 1))

QUANTITIES = ("1", "2", "0.754", "0")
AMOUNTS = ("59.80", "0.01", "12", "0")
STRIDES = (0, 0, 1, 1, 2, 3, 5, 9, 22)
CALM = (0, 0, 0, 1)
WIDTHS = (Widths(5, 10), Widths(5, 10), Widths(10, 5), Widths(15, 30), Widths(5, 0))
# How often each thing happens, by what a history is about; `publish` is a few receipts at a time.
EVEN = {
    "publish": 22, "step": 34, "land": 3, "commit": 10, "crash": 3, "rebalance": 1, "freeze": 1, "wake": 2, "die": 1,
    "compact": 2, "forget_commits": 0.5, "replay": 0.3, "lose_tail": 0.1, "sink": 4, "crash_sink": 1,
    "freeze_sink": 0.5, "wake_sink": 1, "lose_clickhouse": 0.5, "merge": 1, "rebuild": 0.3,
    "switch": 0.3, "retire": 0.2, "remove": 0.2, "check": 0.3,
}  # fmt: skip
# A duel is a worker that freezes in a flush, and what it and its successor do by turns.
FROZEN = {"publish": 16, "step": 24, "commit": 10, "duel": 4, "wake": 3, "die": 2, "crash": 3, "compact": 2}
THEMES = (
    EVEN,
    EVEN | {"crash": 9, "compact": 4, "sink": 1},
    EVEN | {"freeze": 6, "wake": 8, "die": 3, "crash": 4, "rebalance": 2, "sink": 1},
    FROZEN,
    FROZEN | {"duel": 10},
    FROZEN | {"compact": 6},
    EVEN | {"sink": 12, "crash_sink": 7, "freeze_sink": 2, "wake_sink": 3, "merge": 4},
    EVEN | {"replay": 2, "lose_tail": 1, "forget_commits": 2, "check": 1, "sink": 2},
    EVEN | {"rebuild": 5, "switch": 4, "retire": 1, "remove": 2, "check": 1},
)
EVENTS = (12, 42)
MOST_RECEIPTS = 3


def history(seed: int) -> History:
    """The history of a seed: always the same one."""
    return _Draw(Random(seed)).history()


class _Draw:
    """Draws one history. `narrow`: it is about one partition, where rare sequences come sooner."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.bits, self.choice, self.chance = random.getrandbits, random.choice, random.random
        self.weights = random.choice(THEMES)
        self.narrow = random.random() < (0.3 if self.weights.get("sink") else 0.9)
        self.stores = STORES[: random.randint(1, 2)] if self.narrow else STORES
        self.clock = {store: random.randrange(0, 40) for store, _ in STORES}
        self.sent: list[list[Receipt]] = [[] for _ in range(PARTITIONS)]
        self.widths = random.choice(WIDTHS)
        self.names = 0
        self.calm = False

    def history(self) -> History:
        many = self.random.randint(*EVENTS)
        events: list[Event] = []
        for name in self.random.choices(list(self.weights), list(self.weights.values()), k=many):
            if name == "publish":
                events += [self.publish() for _ in range(self.random.randint(1, MOST_RECEIPTS))]
            elif name == "duel":
                events += self.duel()
            else:
                events.append((name, *ARGUMENTS[name](self)))
        return History(self.widths, events[: EVENTS[1] + MOST_RECEIPTS])

    def duel(self) -> Iterator[Event]:
        """It freezes in its second chunk; most receipts are of one window, which a jump closes."""
        place, draw = self.place(), self.random
        self.calm = True
        yield from (self.publish() for _ in range(draw.randint(1, 2)))
        yield "step", *place, 20, 8
        yield "commit", *place, True
        yield from (self.publish() for _ in range(draw.randint(1, 4)))
        yield "step", *place, draw.randint(1, 5), 8
        yield "freeze", *place
        for _ in range(draw.randint(3, 7)):
            turn = draw.choice(("publish", "jump", "wake", "wake", "step", "step", "step"))
            if turn == "wake":
                yield "wake", -1, draw.randint(1, 2)
            elif turn == "step":
                yield "step", *place, draw.randint(6, 10), draw.choice((1, 1, 1, 2, 8))
                yield "commit", *place, True
            else:
                if turn == "jump":
                    self.clock = {
                        store: now + self.widths.window + self.widths.grace for store, now in self.clock.items()
                    }
                yield self.publish()
        yield "wake", -1, draw.randint(0, 2)
        if self.chance() < 0.5:
            yield "compact", *place, 1000, True
        yield "crash", self.bits(2), self.landed()
        yield self.publish()
        self.calm = False

    def place(self) -> tuple[int, int]:
        """An epoch and a partition."""
        return (0, 0) if self.narrow else (self.bits(1), self.bits(1))

    def landed(self) -> int:
        """Which sends land, a bit each."""
        return self.choice((0, self.bits(24), self.bits(24), (1 << 24) - 1))

    def publish(self) -> Event:
        draw = self.random
        store, partition = draw.choice(self.stores)
        sent = self.sent[partition]
        u = draw.random()
        earlier = draw.choice(sent[-8:]) if sent and u < 0.22 else None
        if earlier is not None and u < 0.13:
            receipt = earlier if u < 0.1 else earlier._replace(minute=self.minute(earlier.store), lines=self.lines())
        elif earlier is not None and u < 0.18:
            receipt = earlier._replace(type="post_void", minute=self.minute(earlier.store), fault="")
        elif earlier is not None:
            receipt = earlier._replace(type="void", fault="")
        else:
            receipt = self.new(store)
        sent.append(receipt)
        return ("publish", partition, receipt, *((1,) if draw.random() < 0.03 else ()))

    def new(self, store: str) -> Receipt:
        draw = self.random
        self.names += 1
        kind = "sale"
        fault = day = ""
        u = draw.random()
        if u < 0.05:
            fault = draw.choice(("json", "empty", "key", "ahead", "sign"))
        elif u < 0.08:
            kind = draw.choice(("training", "void"))
        elif u < 0.14:
            kind = draw.choice(("return", "exchange"))
        elif u < 0.18:
            day = "2024-01-08"
        currency = "NOK" if draw.random() < 0.95 else "JPY"
        return Receipt(store, f"t{self.names}", self.minute(store), self.lines(), kind, currency, day, fault)

    def minute(self, store: str) -> int:
        """In order for the most part; within grace, or beyond it, now and then."""
        draw = self.random
        u = draw.random()
        now = self.clock[store]
        if u < 0.64 or self.calm:
            self.clock[store] = now = now + draw.choice(CALM if self.calm else STRIDES)
            return now
        window, grace = self.widths
        if u < 0.84:
            return max(0, now - draw.randint(0, window + grace))
        return max(0, now - window - grace - draw.randint(0, 20))

    def lines(self) -> tuple[Line, ...]:
        draw = self.random
        if draw.random() < 0.85:
            many = 1 if draw.random() < 0.6 else 2
            return tuple([Line(draw.choice(SKUS), draw.choice(QUANTITIES), draw.choice(AMOUNTS)) for _ in range(many)])
        return tuple(
            [
                Line(
                    draw.choice(SKUS), draw.choice(QUANTITIES), draw.choice(AMOUNTS), draw.choice(AMOUNTS), "0.25",
                    draw.random() < 0.3, draw.random() < 0.4,
                )
                for _ in range(draw.randint(1, 3))
            ]
        )  # fmt: skip


def _nothing(_: _Draw) -> tuple:
    return ()


# What follows an event's name, by its name: see the methods of World.
ARGUMENTS: dict[str, Callable[[_Draw], tuple]] = {
    "step": lambda draw: (*draw.place(), draw.choice((1, 2, 3, 4, 6, 8, 20)), draw.choice((1, 2, 3, 8))),
    "land": lambda draw: (*draw.place(), 1 + draw.bits(2)),
    "commit": lambda draw: (*draw.place(), draw.chance() < 0.8),
    "crash": lambda draw: (draw.bits(2), draw.landed()),
    "die": lambda draw: (draw.bits(2), draw.landed()),
    "rebalance": lambda draw: (draw.bits(2),),
    "freeze": _Draw.place,
    "wake": lambda draw: (draw.bits(2), draw.choice((1, 1, 2, 3, 4, 8, 20))),
    "compact": lambda draw: (*draw.place(), draw.choice((300, 600, 900, 1000)), draw.chance() < 0.5),
    "forget_commits": _Draw.place,
    "replay": lambda draw: (draw.chance() < 0.5, draw.chance() < 0.5, draw.bits(24)),
    "lose_tail": lambda draw: (1 + draw.bits(3),),
    "sink": lambda draw: (draw.bits(2), 1 + draw.bits(2)),
    "crash_sink": lambda draw: (draw.bits(2), draw.bits(2)),
    "freeze_sink": lambda draw: (draw.bits(2),),
    "wake_sink": lambda draw: (draw.bits(2), 1 + draw.bits(2)),
    "lose_clickhouse": lambda draw: (draw.bits(2),),
    "merge": lambda draw: (draw.bits(4), draw.bits(3)),
    "rebuild": lambda draw: draw.choice(WIDTHS),
    "switch": _nothing,
    "retire": _nothing,
    "remove": _nothing,
    "check": _nothing,
}
