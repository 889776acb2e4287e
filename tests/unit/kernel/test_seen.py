"""Receipts that a store has counted are found again, those of windows that are over are forgotten in time."""

from array import array
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.reading import COUNTED, Reading
from kernel.seen import NOWHERE, Seen, Stores
from tests.unit.kernel.agreement import records_of, start_of

hashes = st.integers(0, 2**64 - 1) | st.integers(0, 3)
starts = st.integers(0, 20)


def chunk_of(receipts):
    """Receipts of (store, identity); None stands for what was not read."""
    reading = Reading(records_of([(b"" if one is None else one[0], b"") for one in receipts]), 0, [])
    for at, one in enumerate(receipts):
        if one is not None:
            reading.put(at, COUNTED, one[1], 0, [], 0, 0)
    return reading, Stores(reading)


@given(st.lists(st.tuples(hashes, starts), max_size=200), st.lists(hashes, max_size=20))
@settings(deadline=None)
def test_what_was_noted_is_found_and_the_last_start_holds(receipts, others):
    seen, wanted = Seen(), {}
    for at in range(0, len(receipts), 7):
        part = receipts[at : at + 7]
        seen.note([identity for identity, _ in part], [start for _, start in part])
        wanted |= dict(part)
    for identity in [*wanted, *others]:
        assert start_of(seen, identity) == wanted.get(identity, NOWHERE)
    assert seen.used == len(wanted)


@given(st.lists(st.lists(st.tuples(hashes, st.integers(0, 3)), min_size=1, max_size=30), min_size=1, max_size=30))
@settings(deadline=None)
def test_room_is_made_by_forgetting_what_is_over(rounds):
    """Each round's windows begin after those of the round before; only the newest two are open."""
    seen, noted = Seen(), []
    for number, receipts in enumerate(rounds):
        oldest = 10 * (number - 1)
        noted.append({identity: 10 * number + start for identity, start in receipts})
        seen.make_room(len(noted[-1]), oldest)
        seen.note(list(noted[-1]), noted[-1].values())
        for identity, start in {**(noted[-2] if number else {}), **noted[-1]}.items():
            assert start_of(seen, identity) == start
    largest = max(len(one) + len(other) for one, other in pairwise([{}, *noted]))
    assert seen.places <= 8 * max(largest + max(map(len, noted)), 1)


def test_a_table_stays_as_it_is_while_windows_come_and_go():
    seen = Seen()
    for number in range(10_000):
        seen.make_room(1, number - 50)
        seen.note([number * 0x9E3779B97F4A7C15 % 2**64], [number])
    assert seen.places <= 256


@given(
    st.lists(st.none() | st.tuples(st.sampled_from([b"1", b"12", b"2", "æ".encode()]), hashes), min_size=1, max_size=60)
)
@settings(deadline=None)
def test_a_chunk_is_told_store_by_store_with_its_twins(receipts):
    _, stores = chunk_of(receipts)
    names = list(dict.fromkeys(one[0] for one in receipts if one))
    assert stores.names == names
    assert stores.numbers == [-1 if one is None else names.index(one[0]) for one in receipts]
    assert stores.counts == [sum(one is not None and one[0] == name for one in receipts) for name in names]
    for at, one in enumerate(receipts):
        before = [place for place in range(at) if one is not None and receipts[place] == one]
        assert stores.twins[at] == (before[-1] if before else -1)


@given(st.lists(st.none() | st.tuples(st.sampled_from([b"1", b"2", b"3"]), hashes), min_size=1, max_size=60), st.data())
@settings(deadline=None)
def test_a_chunk_is_noted_and_found_in_the_tables_of_its_stores(receipts, data):
    _, stores = chunk_of(receipts)
    seen = [Seen() for _ in stores.names]
    placed = [data.draw(starts | st.just(NOWHERE)) if one else NOWHERE for one in receipts]
    assert set(stores.find([None] * len(seen))) == {NOWHERE}
    assert set(stores.find(seen)) == {NOWHERE}
    for table, many in zip(seen, stores.counts, strict=True):
        table.make_room(many, 0)
    stores.note(seen, array("q", placed))
    wanted = {one: start for one, start in zip(receipts, placed, strict=True) if start != NOWHERE}
    assert stores.find(seen) == [wanted.get(one, NOWHERE) for one in receipts]
    assert [table.used for table in seen] == [sum(name == own for name, _ in wanted) for own in stores.names]
