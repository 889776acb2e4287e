"""Which alerts are due, after whatever was done to who told and decided them.

What is due is computed from the log by batch code that shares nothing with tillstream: amounts are those of
`pos.receipts` and `stock.movements`; `restock.feed` only says in which order these were told. Reorder points are set by
hand, so that no demand is needed; of the rules it knows those for low stock and for none.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer

from schemas.feed import PoliciesSet, PolicySetting, encode
from schemas.topics import ALERTS, FEED, RECEIPTS, STOCK
from tests.faults.harness import log_of
from tests.faults.load import TRACKED
from tests.faults.oracle import Oracle
from tests.unit.streams.restock.verdicts import changes
from tillstream import ch, kafka

UNIT = 100_000
LEVEL, UP_TO, PACK = 30 * UNIT, 120 * UNIT, 10 * UNIT
NEVER = 10**15
UNIX = datetime(1970, 1, 1, tzinfo=UTC)
RULES = ("stock_out", "reorder_point")
PATIENCE = 90.0


async def set_levels(settings):
    """Have every partition's feed begin with the policy."""
    rule = PolicySetting(
        reorder_point=LEVEL, order_up_to=UP_TO, pack=PACK, critical_per_day=NEVER, warning_per_day=NEVER
    )
    value = encode(PoliciesSet(version="1", since=0, rules=[rule]))
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        for partition in range(settings.partitions):
            await producer.send_and_wait(settings.topic_prefix + FEED, value, partition=partition)


async def alerts_of(settings):
    """Every message of `restock.alerts`."""
    return [json.loads(value) for values in await log_of(settings, ALERTS) for value in values]


async def alerts_judged(settings):
    """(alerts in the log, differences from those that are due), once all that was published is told and decided.

    Differences are also alerts that stand in the log twice. Nothing says that all is decided, so it asks again.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await alerts_of(settings)
        keys = [(one["alert_id"], one["sequence"]) for one in found]
        is_told, due = await asyncio.to_thread(
            _due, settings, *[await log_of(settings, topic) for topic in (FEED, RECEIPTS, STOCK)]
        )
        sent = [
            (one["feed_partition"], one["feed_offset"], one["store_id"], one["sku"], one["rule"], one["state"])
            for one in found
            if one["rule"] in RULES and one["reason"] != "more is at risk"  # by what is lost a day: not judged here
        ]
        differing = _different(sent, due)
        differences = sum(map(abs, differing.values())) + len(keys) - len(set(keys)) + (not is_told)
        if not differences or time.monotonic() > deadline:
            for one, many in sorted(differing.items()):
                sys.stdout.write(f"{'due' if many > 0 else 'sent'}: {one}\n")  # pytest shows it where the test fails
            return found, differences
        await asyncio.sleep(0.5)  # see above


def _different(sent, due):
    """How much oftener each stands in what is due, negative where it does in what was sent; none that is right."""
    counts = Counter(due)
    counts.subtract(sent)
    return {one: many for one, many in counts.items() if many}


def _due(settings, fed, receipts, stock):
    """(whether every movement and every sale of a tracked SKU was told, the alerts that come of what was)."""
    is_told, due = True, []
    for partition, messages in enumerate(fed):
        shelves = Shelves(settings, receipts[partition], stock[partition])
        for offset, value in enumerate(messages):
            due += [(partition, offset, *change) for change in shelves.take(json.loads(value))]
        is_told = is_told and shelves.is_told
    return is_told, due


class Shelves:
    """One partition: what its feed brings about, by the messages that it names."""

    def __init__(self, settings, receipts, stock):
        self._grace = settings.grace // timedelta(microseconds=1)
        self._stock = [json.loads(value) for value in stock]
        self._sold = defaultdict(list)
        Oracle(settings.window, settings.grace).take(receipts, self._folded)
        self._moved = defaultdict(list)
        self._told_to, self._watermark, self._states = {}, {}, {}
        # Of a shelf: the count that rules, and what was sold after it in the first so many lines.
        self._sold_after = {}
        self._movements = -1

    def _folded(self, offset, receipt, lines):
        turn = -1 if receipt["type"] == "post_void" else 1
        for line in lines:
            if line["sku"] in TRACKED and receipt["type"] != "return" and line.get("kind") != "return":
                at = _moment(receipt["occurred_at"])
                self._sold[receipt["store_id"], line["sku"]].append((offset, at, turn * _units(line["quantity"])))

    def take(self, message):
        """(store, SKU, rule, state) of each alert that changes by a message of the feed."""
        touched = []
        if message["type"] == "movement" and message["offset"] > self._movements:
            self._movements = message["offset"]
            touched = self._move(self._stock[message["offset"]], message["offset"])
        elif message["type"] == "sales":
            touched = self._sell(message)
        for shelf in touched:
            if any(kind == "count" for _, _, kind, _ in self._moved[shelf]):
                changed = changes(self._states, shelf, self._on_hand(shelf), self._on_order(shelf), LEVEL, PACK)
                yield from ((*shelf, *change) for change in changed)

    def _move(self, movement, offset):
        shelf, at = (movement["store_id"], movement["sku"]), _moment(movement["occurred_at"])
        if at < self._watermark.get(shelf[0], at) - self._grace:
            return []  # refused: too old
        self._moved[shelf].append((at, offset, movement["kind"], _units(movement["quantity"])))
        return [shelf]

    def _sell(self, message):
        store, last = message["store_id"], message["offset"]
        self._watermark[store] = max(self._watermark.get(store, message["watermark"]), message["watermark"])
        opened = [(store, sku) for skus in message.get("opened", {}).values() for sku in skus]
        for shelf in opened:
            if shelf in self._moved:
                self._told_to[shelf] = max(self._told_to.get(shelf, -1), last)
        sold = [(store, sku) for skus in message.get("purchases", {}).values() for sku in skus]
        for shelf in sold:
            if shelf in self._told_to:
                self._told_to[shelf] = max(self._told_to[shelf], last)
        return dict.fromkeys([*opened, *sold])

    def _on_hand(self, shelf):
        counted_at, _, _, on_hand = max(one for one in self._moved[shelf] if one[2] == "count")
        signs = {"delivery": 1, "adjustment": 1, "transfer_out": -1}
        moved = sum(signs.get(kind, 0) * many for at, _, kind, many in self._moved[shelf] if at > counted_at)
        told_to = self._told_to.get(shelf, -1)
        count, lines, sold = self._sold_after.get(shelf, (None, 0, 0))
        if count != counted_at:
            lines, sold = 0, 0
        while lines < len(self._sold[shelf]) and self._sold[shelf][lines][0] <= told_to:
            _, at, many = self._sold[shelf][lines]
            sold += many if at > counted_at else 0
            lines += 1
        self._sold_after[shelf] = counted_at, lines, sold
        return on_hand + moved - sold

    def _on_order(self, shelf):
        on_order = 0
        for _, _, kind, many in sorted(self._moved[shelf]):
            if kind == "order_placed":
                on_order += many
            elif kind in ("delivery", "order_cancelled"):
                on_order = max(0, on_order - many)
        return on_order

    @property
    def is_told(self):
        """Whether nothing is left to tell: no movement, and of no shelf a sale."""
        untold = any(
            sold[-1][0] > self._told_to.get(shelf, -1)
            for shelf, sold in self._sold.items()
            if sold and shelf in self._moved
        )
        return self._movements == len(self._stock) - 1 and not untold


def _moment(text):
    return (datetime.fromisoformat(text) - UNIX) // timedelta(microseconds=1)


def _units(text):
    whole, _, rest = text.lstrip("-").partition(".")
    return (-1 if text.startswith("-") else 1) * int(whole + rest.ljust(5, "0"))


def rows_differ(settings, alerts):
    """How many states of alerts ClickHouse's view lacks, has twice, or has beyond the log's."""
    with ch.connect(settings) as client:
        rows = client.query("SELECT alert_id, sequence, state FROM alert_states").result_rows
    due = [(one["alert_id"], one["sequence"], one["state"]) for one in alerts]
    return sum(map(abs, _different([tuple(row) for row in rows], due).values()))
