"""A snapshot is the state: whoever goes on from one decides as who was never interrupted, whatever was killed."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.moves import Moves
from kernel.records import Record
from schemas import alert, feed
from schemas.feed import Catalogue, Known
from streams.restock import saved, snapshot
from streams.restock.decide import decide
from streams.restock.item import Item
from streams.restock.shop import Shop
from streams.restock.state import RestockState
from streams.restock.trading import Trading
from streams.windows import Windows
from tests.unit.streams.restock.feeds import GRACE, WIDTH, Feed, usual_week
from tests.unit.streams.restock.shelf_topic import Life, Topic, restored
from tests.unit.streams.restock.stories import (
    ACTIONS,
    CAMPAIGNS,
    MOVES,
    POLICIES,
    REPEATS,
    SALES,
    SKUS,
    Story,
    new_state,
)

RUNS = settings(max_examples=150, deadline=None)
WINDOWS = Windows(WIDTH, GRACE)
_number = st.integers(0, 40)
KNOWN = st.tuples(st.just("known"), st.sampled_from(SKUS), st.sampled_from("abc"), st.none() | st.floats(0.01, 2))
TOLD = st.one_of(SALES, SALES, SALES, MOVES, MOVES, ACTIONS, POLICIES, CAMPAIGNS, KNOWN, REPEATS)
WHOLE_ROUND = st.tuples(st.just("round"), _number, st.none(), st.just(0))
KILLED_ROUND = st.tuples(st.just("round"), _number, st.integers(0, 6), st.integers(0, 12))
RESTARTS = st.sampled_from([("restart", False), ("restart", True)])  # whether the topic was compacted meanwhile
WAKES = st.tuples(st.just("wake"), _number)
LOSES = st.tuples(st.just("lose"), st.integers(0, 200))
_EVENTS = st.one_of(TOLD, TOLD, TOLD, TOLD, WHOLE_ROUND, KILLED_ROUND, RESTARTS, WAKES, LOSES)
LIVES = st.lists(_EVENTS, min_size=10, max_size=80)
# So that what is drawn meets alerts, orders and campaigns from its first step on.
BEGUN = (
    ("sell", "1", "milk", 0, 0, 1, 0), ("sell", "2", "milk", 0, 0, 1, 0),
    ("move", "1", "milk", "count", 10, 0, 3), ("move", "2", "bread", "count", 10, 0, 1),
    ("policies", 4, 2), ("campaign", "milk", 24), ("move", "1", "milk", "order_placed", 5, 0, 2),
    ("sell", "1", "milk", 5, 0, 3, 0), ("sell", "2", "bread", 5, 0, 1, 0), ("round", 0, None, 0),
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _small_parts():
    """So that a store needs several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "PART_BYTES", 300)
        patch.setattr(saved, "MOVES_AT_ONCE", 3)
        yield


class Knowing(Story):
    """A story in which names and rates are told as well; `came` is what came of each message."""

    def __init__(self):
        super().__init__()
        self.came = []

    def tell(self, message):
        self.came.append(super().tell(message))
        return self.came[-1]

    def _known(self, sku, category, rate):
        return self.tell(Catalogue(skus={sku: Known(f"name of {sku}", category=category, purchases_an_hour=rate)}))


def records_of(log):
    return [(Record(offset, 0, b"12", feed.encode(one)), one) for offset, one in enumerate(log)]


def said(came):
    """What goes out, to the byte."""
    return [
        ([alert.encode(one) for one in done.alerts], [str(fault) for _, fault in done.refused], done.tracked)
        for done in came
    ]


def same(one, other):
    """Whether two states are the same: what dataclasses compare, and what these leave out."""
    assert one == other
    assert [shop.moves.kept for shop in one.shops.values()] == [shop.moves.kept for shop in other.shops.values()]
    for mine, theirs in zip(one.shops.values(), other.shops.values(), strict=True):
        for item, again in zip(mine.items.values(), theirs.items.values(), strict=True):
            assert bytes(item.numbers) == bytes(again.numbers)
            assert item.running() == again.running()
            assert item.product == again.product
            assert bytes(item.demand) == bytes(again.demand)


class Lives:
    """One feed, one topic of snapshots, and worker after worker; any of which may be frozen, and wake up."""

    def __init__(self):
        self.story, self.topic = Knowing(), Topic()
        self.lives = [Life(self.topic, new_state(), decide)]

    def step(self, step):
        if step[0] == "round":
            _, which, kill_at, lands = step
            life = self.lives[which % len(self.lives)]
            if life.round(kill_at, lands):
                self.lives.remove(life)
                if not self.lives:
                    self.restart(False)
        elif step[0] == "restart":
            self.restart(step[1])
        elif step[0] == "lose":
            if self.topic.records:
                del self.topic.records[step[1] % len(self.topic.records)]
        elif step[0] == "wake":
            self.go_on(self.lives[step[1] % len(self.lives)])
        else:
            self.story.step(step)
            self.go_on(self.lives[-1])

    def go_on(self, life):
        begin = life.state.applied + 1
        assert said(life.take(records_of(self.story.log))) == said(self.story.came[begin:])

    def restart(self, compacted):
        if compacted:
            self.topic.compact()
        state, _ = restored(self.topic, WINDOWS)
        life = Life(self.topic, new_state() if state is None else state, decide)
        self.go_on(life)
        same(life.state, self.story.state)
        self.lives.append(life)


@RUNS
@given(LIVES)
def test_who_goes_on_from_a_snapshot_decides_as_who_was_never_interrupted(steps):
    lives = Lives()
    for step in (*BEGUN, *steps):
        lives.step(step)
    for life in lives.lives:
        lives.go_on(life)
        same(life.state, lives.story.state)
    lives.restart(True)


def busy():
    """A store with alerts, orders, a campaign, policies and names."""
    told = Feed()
    usual_week(told, days=3)
    told.move("count", "Mon 08:00", 9)
    told.open("Mon 08:00")
    told.tell(Catalogue(skus={"milk": Known("Milk", category="dairy", purchases_an_hour=0.5)}))
    told.move("order_placed", "Mon 08:05", 7)
    told.tell(
        feed.PoliciesSet(version="1", since=0, rules=[feed.PolicySetting(category="dairy", reorder_point=800_000)])
    )
    told.tell(feed.Campaign(campaign_id="c", skus=["milk"], since=0, until=1 << 60))
    for minute in range(10, 20):
        told.sell(f"Mon 09:{minute}")
    return told


def test_a_round_that_is_killed_at_any_operation_leaves_the_snapshot_before_it_or_its_own():
    log = records_of(busy().log)
    for lands in (0, 1, 100):
        kill_at = 0
        while True:
            topic = Topic()
            life = Life(topic, new_state(), decide)
            life.take(log[:-5])
            assert not life.round()
            life.take(log)
            killed = life.round(kill_at, lands)
            state, damaged = restored(topic, WINDOWS)
            assert damaged == []
            assert state.applied == len(log) - 1 if not killed else state.applied in (len(log) - 6, len(log) - 1)
            again = Life(topic, state, decide)
            again.take(log)
            same(again.state, life.state)
            if not killed:
                break
            kill_at += 1
        assert kill_at >= 4, "sections, their acknowledgement, the head, its acknowledgement"


def test_a_part_that_is_missing_or_another_is_seen_and_the_snapshot_is_passed_over():
    log = records_of(busy().log)
    topic = Topic()
    life = Life(topic, new_state(), decide)
    life.take(log)
    life.round()
    sections = [number for number, one in enumerate(topic.records) if not one.key.endswith(b"\0")]
    assert len(sections) > 3
    for number in sections:
        for changed in (None, b"", topic.records[number].value[:-1] + b"?", topic.records[number - 1].value):
            spoilt = Topic()
            spoilt.records = list(topic.records)
            spoilt.records[number] = topic.records[number]._replace(value=changed)
            state, damaged = restored(spoilt, WINDOWS)
            assert (state, len(damaged)) == (None, 1)


def test_where_the_newest_is_damaged_the_one_before_it_is_gone_on_from():
    log = records_of(busy().log)
    topic = Topic()
    first, second = Life(topic, new_state(), decide), Life(topic, new_state(), decide)
    first.take(log[:-5])
    first.round()
    second.take(log)
    second.round()
    topic.records = [one for one in topic.records if one.key != snapshot.part_key(second.writer.owner, "common", 0, 0)]
    state, damaged = restored(topic, WINDOWS)
    assert damaged == ["common: part 0 is missing"]
    assert state.applied == len(log) - 6


def test_a_head_that_lands_late_names_what_others_have_taken_the_place_of():
    log = records_of(busy().log)
    topic = Topic()
    life = Life(topic, new_state(), decide)
    for until in (-4, -3, -2):
        life.take(log[:until])
        life.round()
    late = next(one for one in topic.records if one.key.endswith(b"\0"))
    topic.append([(late.key, late.value, [])])
    assert restored(topic, WINDOWS)[0].applied == len(log) - 3
    topic.compact()
    state, (damaged,) = restored(topic, WINDOWS)
    assert state is None
    assert damaged == f"index: part 0 is of the feed's offset {len(log) - 3}, not of {len(log) - 5}"


def test_other_windows_and_other_layouts_are_passed_over(monkeypatch):
    log = records_of(busy().log)
    topic = Topic()
    life = Life(topic, new_state(), decide)
    life.take(log)
    life.round()
    assert restored(topic, Windows(WIDTH, GRACE + 1)) == (None, [])
    monkeypatch.setattr(snapshot, "LAYOUT", "of another version")
    assert restored(topic, WINDOWS) == (None, [])


def test_a_round_writes_what_has_changed_and_takes_predecessors_away_once():
    told = busy()
    told.store = "13"
    told.sell("Mon 10:00", units=0)
    log = records_of(told.log)
    topic = Topic()
    first = Life(topic, new_state(), decide)
    first.take(log[:-1])
    first.round()
    owner = first.writer.owner.encode()
    before = len(topic.records)
    first.take(log)
    first.round()
    written = {one.key.split(b"\0")[1] for one in topic.records[before:]}
    assert written == {b"store 13", b"index", b""}
    second = Life(topic, restored(topic, WINDOWS)[0], decide)
    told.sell("Mon 10:01", units=0)
    second.take(records_of(told.log))
    second.round()
    topic.compact()
    assert {one.key.split(b"\0")[0] for one in topic.records} == {second.writer.owner.encode()} != {owner}


def test_moves_that_were_saved_are_not_saved_again():
    told = busy()
    topic = Topic()
    life = Life(topic, new_state(), decide)
    life.take(records_of(told.log))
    life.round()
    before, moves = len(topic.records), life.state.shops["12"].moves.many
    assert moves // 3 >= 3
    told.sell("Mon 10:01")
    life.take(records_of(told.log))
    life.round()
    written = {one.key.split(b"\0")[1] for one in topic.records[before:]}
    assert written == {b"store 12", b"moves %d 12" % (moves // 3), b"index", b""}
    same(restored(topic, WINDOWS)[0], told.state)


def test_what_cannot_be_saved_is_told_and_costs_nothing_but_time(caplog):
    topic = Topic()
    life = Life(topic, new_state(), decide)
    told = busy()
    told.tell(feed.Campaign(campaign_id="d", skus=["milk"], since=0, until=1 << 70))
    life.take(records_of(told.log))
    assert not life.round()
    assert topic.records == []
    assert "cannot be saved" in caplog.text
    same(life.state, told.state)


SAVED = {
    RestockState: {"windows", "partition", "applied", "movements", "shops"} | set(saved.SavedCommon.__struct_fields__),
    Shop: set(saved.SavedShop.__struct_fields__) | {"items"},
    Trading: set(saved.SavedTrading.__struct_fields__),
    Item: {"sku", "numbers", "orders", "promotion", "episodes", "promoted", "policy", "policy_version"},
    Moves: {"kept", "numbers"},
}


@pytest.mark.parametrize("kind", SAVED, ids=lambda kind: kind.__name__)
def test_each_field_is_saved_or_named_as_made_anew(kind):
    fields = {one.name for one in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set(kind.__slots__)
    derived = saved.DERIVED[kind.__name__].keys()
    assert not SAVED[kind] & derived
    assert fields <= SAVED[kind] | derived, "save it (streams/restock/saved.py, and raise FORMAT), or say why not"
    assert derived <= fields


def test_an_episode_is_saved_with_all_it_has():
    assert saved.SavedEpisode.__struct_fields__ == tuple(one.name for one in dataclasses.fields(saved.Episode))


def test_figures_that_are_whole_numbers_stay_so():
    assert (
        msgspec.msgpack.decode(
            msgspec.msgpack.encode(
                saved.SavedEpisode("a", "surge", "raised", "info", 1, 1, {"n": 3, "f": 3.0}, None, "")
            ),
            type=saved.SavedEpisode,
        ).figures.__repr__()
        == "{'n': 3, 'f': 3.0}"
    )
