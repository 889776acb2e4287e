"""Histories by seed: what tills send, and what befalls workers, Kafka and sinks meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.simulation.oracle import Widths
from tests.simulation.receipts import Line, Receipt
from tests.simulation.world import PARTITIONS, Event, History

# Two stores share partition 0; "9" arrives in both.
STORES = (("12", 0), ("7", 0), ("3", 1), ("9", 0), ("9", 1))
SKUS = ("a", "b", "c")
QUANTITIES = ("1", "2", "0.754", "0")
AMOUNTS = ("59.80", "0.01", "12", "0")
STRIDES = (0, 0, 1, 1, 2, 3, 5, 9, 22)
WIDTHS = (Widths(5, 10), Widths(5, 10), Widths(10, 5), Widths(15, 30), Widths(5, 0))
# How often each thing happens, by what a history is about; `publish` is a few receipts at a time.
EVEN = {
    "publish": 24, "step": 34, "land": 4, "commit": 8, "crash": 3, "rebalance": 1, "freeze": 1, "wake": 2, "die": 1,
    "compact": 2, "forget_commits": 0.5, "replay": 0.3, "lose_tail": 0.1, "sink": 6, "crash_sink": 1,
    "freeze_sink": 0.5, "wake_sink": 1, "lose_clickhouse": 0.5, "merge": 1, "rebuild": 0.3,
    "switch": 0.3, "remove": 0.2, "check": 0.3,
}  # fmt: skip
THEMES = (
    EVEN,
    EVEN | {"crash": 9, "compact": 4, "sink": 2},
    EVEN | {"freeze": 7, "wake": 9, "die": 3, "crash": 4, "compact": 5, "sink": 2},
    EVEN | {"freeze": 5, "wake": 6, "rebalance": 3, "compact": 5, "commit": 16, "sink": 2},
    EVEN | {"sink": 14, "crash_sink": 7, "freeze_sink": 2, "wake_sink": 3, "merge": 4},
    EVEN | {"replay": 2, "lose_tail": 1, "forget_commits": 2, "check": 1, "sink": 3},
    EVEN | {"rebuild": 2, "switch": 1.5, "remove": 1, "check": 1},
)  # fmt: skip
EVENTS = (25, 60)
MOST_RECEIPTS = 3


def history(seed: int) -> History:
    """The history of a seed: always the same one."""
    return _Draw(Random(seed)).history()


def _place(draw: Random) -> tuple[int, int]:
    """An epoch and a partition."""
    return draw.getrandbits(1), draw.getrandbits(1)


def _landed(draw: Random) -> int:
    """Which sends land, a bit each."""
    return draw.choice((0, draw.getrandbits(24), draw.getrandbits(24), (1 << 24) - 1))


def _nothing(_: Random) -> tuple:
    return ()


# What follows an event's name, by its name: see the methods of World.
ARGUMENTS: dict[str, Callable[[Random], tuple]] = {
    "step": lambda draw: (*_place(draw), draw.choice((1, 2, 3, 5, 8, 20)), draw.choice((1, 2, 3, 8))),
    "land": lambda draw: (*_place(draw), draw.randint(1, 4)),
    "commit": lambda draw: (*_place(draw), draw.random() < 0.8),
    "crash": lambda draw: (draw.getrandbits(2), _landed(draw)),
    "die": lambda draw: (draw.getrandbits(2), _landed(draw)),
    "rebalance": lambda draw: (draw.getrandbits(2),),
    "freeze": _place,
    "wake": lambda draw: (draw.getrandbits(2), draw.choice((1, 2, 3, 5, 8, 20))),
    "compact": lambda draw: (*_place(draw), draw.choice((300, 600, 900, 1000)), draw.random() < 0.5),
    "forget_commits": _place,
    "replay": lambda draw: (draw.random() < 0.5, draw.random() < 0.5, draw.getrandbits(24)),
    "lose_tail": lambda draw: (draw.randint(1, 8),),
    "sink": lambda draw: (draw.getrandbits(2), draw.randint(1, 5)),
    "crash_sink": lambda draw: (draw.getrandbits(2), draw.getrandbits(2)),
    "freeze_sink": lambda draw: (draw.getrandbits(2),),
    "wake_sink": lambda draw: (draw.getrandbits(2), draw.randint(1, 5)),
    "lose_clickhouse": lambda draw: (draw.getrandbits(2),),
    "merge": lambda draw: (draw.getrandbits(4), draw.getrandbits(3)),
    "rebuild": lambda draw: draw.choice(WIDTHS),
}


class _Draw:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.clock = {store: random.randrange(0, 40) for store, _ in STORES}
        self.sent: list[list[Receipt]] = [[] for _ in range(PARTITIONS)]
        self.widths = random.choice(WIDTHS)
        self.names = 0

    def history(self) -> History:
        draw = self.random
        weights = draw.choice(THEMES)
        many = draw.randint(*EVENTS)
        events: list[Event] = []
        for name in draw.choices(list(weights), list(weights.values()), k=many):
            if name == "publish":
                events += [self.publish() for _ in range(draw.randint(1, MOST_RECEIPTS))]
            else:
                events.append((name, *ARGUMENTS.get(name, _nothing)(draw)))
        return History(self.widths, events)

    def publish(self) -> Event:
        draw = self.random
        store, partition = draw.choice(STORES)
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
        if u < 0.64:
            self.clock[store] = now = now + draw.choice(STRIDES)
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
