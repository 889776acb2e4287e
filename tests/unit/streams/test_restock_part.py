"""One partition of restock: what it sends of what it decides, how often, and what it tells the fold."""

from __future__ import annotations

import asyncio

import pytest

from kernel.records import Record
from schemas import alert, feed, position
from schemas.errors import Again, Stop
from streams.guard import guarded
from streams.restock.state import RestockState
from streams.restock_part import ALERTS_PER_BATCH, MOST_WHILE_BEHIND, SENT, RestockPart, sent_until
from streams.snapshots import SnapshotWriter
from streams.tracking import Tracking
from streams.windows import Windows
from tests.unit.streams.restock.feeds import GRACE, WIDTH, Feed


class Outlet:
    """Keeps what was sent, in the order in which it was acknowledged."""

    def __init__(self):
        self.waiting, self.batches = [], []

    async def send(self, role, partition, messages):
        self.waiting.append((role, messages))

    async def acknowledged(self):
        self.batches += self.waiting
        self.waiting = []

    def alerts(self):
        return [alert.decode(value) for role, batch in self.batches if role == "alerts" for _, value, _ in batch]


def part():
    outlet = Outlet()
    state, tracking = RestockState(Windows(WIDTH, GRACE)), Tracking(1, missed=False)
    return RestockPart(0, state, tracking, outlet, "stock", 0, SnapshotWriter(0, outlet)), outlet


def records(messages):
    return [Record(offset, 0, b"12", feed.encode(one)) for offset, one in enumerate(messages)]


def sold_out(skus):
    """A feed in which so many SKUs are counted, and are gone with one receipt each."""
    told = Feed()
    told.sell("Mon 07:55", units=0)
    for number in range(skus):
        told.move("count", "Mon 08:00", 0, sku=f"sku-{number}")
    return told.log


async def test_what_is_tracked_is_told_to_the_fold_once_however_often_the_feed_is_caught_up_with():
    restock, _ = part()
    await restock.take_feed(records(sold_out(2)))
    told = []
    restock._ready = lambda: told.append("the fold")
    restock.begin()
    restock.begin()
    assert told == ["the fold"]
    assert restock.tracking.to_open == {"12": ["sku-0", "sku-1"]}


async def test_what_becomes_tracked_later_is_told_at_once():
    restock, _ = part()
    woken = []
    restock.tracked = lambda: woken.append(1)
    restock.begin()
    await restock.take_feed(records(sold_out(2)))
    assert restock.tracking.to_open == {"12": ["sku-0", "sku-1"]}
    assert woken == [1, 1]


async def test_while_many_products_are_taken_up_others_get_their_turn():
    restock, _ = part()
    turns = []

    async def other():
        while True:
            turns.append(len(restock.state.known))
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    await restock.take_feed(records([feed.Catalogue(skus={f"{n}": feed.Known(f"Product {n}")}) for n in range(5)]))
    waiting.cancel()
    assert turns == [1, 2, 3, 4, 5]


async def test_alerts_that_have_landed_are_not_sent_again():
    log = records(sold_out(3))
    first, outlet = part()
    await first.take_feed(log)
    (last,) = [batch[-1] for role, batch in outlet.batches if role == "alerts"]
    second, again = part()
    second.sent_until = sent_until([Landed(headers=last[2])])
    await second.take_feed(log)
    assert len(outlet.alerts()) == 3
    assert again.alerts() == []


async def test_of_many_alerts_each_batch_says_how_far_it_reaches():
    restock, outlet = part()
    await restock.take_feed(records(sold_out(ALERTS_PER_BATCH + 5)))
    first, last = [batch for role, batch in outlet.batches if role == "alerts"]
    assert (len(first), len(last)) == (ALERTS_PER_BATCH, 5)
    after_first, rest = part()
    after_first.sent_until = sent_until([Landed(headers=first[-1][2])])
    await after_first.take_feed(records(sold_out(ALERTS_PER_BATCH + 5)))
    assert [one.alert_id for one in rest.alerts()] == [alert.decode(value).alert_id for _, value, _ in last]
    assert int(dict(last[-1][2])[SENT]) == ALERTS_PER_BATCH + 5


async def test_what_is_no_message_is_passed_over():
    restock, outlet = part()
    log = records(sold_out(1))
    await restock.take_feed([*log[:1], Record(1, 0, None, b"?"), Record(2, 0, None, log[1].value)])
    assert [one.sku for one in outlet.alerts()] == ["sku-0"]


class Landed:
    """A record as Kafka gives it back."""

    def __init__(self, headers):
        self.headers = headers


@pytest.mark.parametrize(
    ("fault", "told"), [(asyncio.CancelledError(), Again), (Stop("no"), Stop), (KeyError("x"), KeyError)]
)
async def test_nothing_ends_unseen_not_even_by_a_cancellation_of_somebody_elses(fault, told):
    crashed = []

    async def work():
        raise fault

    async def crash(error):
        crashed.append(type(error))

    await asyncio.create_task(guarded(work(), "restock", crash))
    assert crashed == [told]


async def test_who_is_asked_to_end_ends():
    crashed, begun = [], asyncio.Event()

    async def work():
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(guarded(work(), "restock", crashed.append))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert crashed == []


async def test_positions_go_out_by_and_by_while_the_feed_has_more_every_one_once():
    restock, outlet = part()
    many = MOST_WHILE_BEHIND + 5
    await restock.take_feed(records(sold_out(many)))
    restock.begin()

    def told():
        return [
            position.decode(value).sku for role, batch in outlet.batches if role == "positions" for _, value, _ in batch
        ]

    await restock.send_positions(10.0, behind=True)
    assert len(told()) == MOST_WHILE_BEHIND
    await restock.send_positions(10.9, behind=True)  # within the same second
    assert len(told()) == MOST_WHILE_BEHIND
    await restock.send_positions(11.0, behind=True)
    assert sorted(told()) == sorted(f"sku-{number}" for number in range(many))
    await restock.send_positions(12.0, behind=False)
    assert len(told()) == many
