"""Whether ClickHouse has the alerts that the log calls for, and the stock that was simulated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client

from schemas.feed import FeedMessage
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.windows import Windows
from tillstream.alerts import found
from tillstream.alerts.found import FoundAlert, Wanted

PATIENCE = 30.0
POLL = 0.2
MOST_ALERTS = 100_000

_STATES = "SELECT alert_id, sequence, toString(state) FROM alert_states"
_ON_HAND = "SELECT store_id, sku, on_hand FROM stock_cover"

State = tuple[str, int, str]
Stock = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class RestockReport:
    """`states` are those that the log calls for, `shelves` those simulated; of each how many ClickHouse has otherwise.

    `alerts` are all alerts in their latest state.
    """

    states: int = 0
    states_differ: int = 0
    shelves: int = 0
    shelves_differ: int = 0
    alerts: list[FoundAlert] = field(default_factory=list)

    @property
    def different(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.states_differ or self.shelves_differ)


def decided(feed: Mapping[int, Sequence[tuple[int, FeedMessage]]], windows: Windows) -> set[State]:
    """Every state of every alert that the feed brings about, decided anew from it."""
    states: set[State] = set()
    for partition, messages in feed.items():
        state = RestockState(windows, partition)
        for offset, message in messages:
            states.update((one.alert_id, one.sequence, one.state) for one in decide(state, offset, message).alerts)
    return states


async def prove(client: Client, expected: set[State], on_hand: Stock) -> RestockReport:
    """Compare, once ClickHouse has it all, or when it has not within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while True:
        report = await asyncio.to_thread(_compare, client, expected, on_hand)
        if not report.different or time.monotonic() > deadline:
            return report
        await asyncio.sleep(POLL)


def _compare(client: Client, expected: set[State], on_hand: Stock) -> RestockReport:
    states = {(alert_id, sequence, state) for alert_id, sequence, state in client.query(_STATES).result_rows}
    shelves: dict[tuple[str, str], object] = {
        (store, sku): units for store, sku, units in client.query(_ON_HAND).result_rows
    }
    wrong = sum(shelves.get(shelf) != units for shelf, units in on_hand.items()) + len(shelves.keys() - on_hand.keys())
    alerts = found.listed(client, Wanted(resolved=True), MOST_ALERTS)
    return RestockReport(len(expected), len(expected ^ states), len(on_hand), wrong, alerts)
