"""What is published of a journal: small batches together, every record as it was, nothing where it does not belong."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Stop
from tillstream.local.journal import block
from tillstream.local.journal import fill as module
from tillstream.local.journal.fill import fill, gathered, is_fresh

from .disks import batch, records, stream


def by_place(batches):
    found = {}
    for one in batches:
        found.setdefault((one.topic, one.partition), []).extend(records(one))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 2**32), st.sampled_from([0, 100, 200, 10_000]))
def test_small_batches_of_a_partition_are_one_and_every_record_stays_as_it_was(many, seed, small):
    sent = stream(many, seed)
    before = module.SMALL, module.LARGE
    module.SMALL, module.LARGE = small, 3 * small
    try:
        out = gathered(sent)
    finally:
        module.SMALL, module.LARGE = before
    assert by_place(out) == by_place(sent)
    assert len(out) <= len(sent)
    ends = {}
    for one in out:
        assert one.begin == ends.get((one.topic, one.partition), 0)
        ends[one.topic, one.partition] = one.end


class Broker:
    """Puts batches where its partitions end, or `off` by so many."""

    def __init__(self, ends, off=0):
        self.ends, self.off, self.taken = dict(ends), off, []

    def send(self, one):
        place = (one.topic, one.partition)
        at = self.ends.get(place, 0)
        self.ends[place] = at + one.end - one.begin
        self.taken.append(one)
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(at + self.off)
        return answer


def blocks_of(sent, size=4):
    parts = [sent[at : at + size] for at in range(0, len(sent), size)]
    return [block.decode(block.encode(number, 0, part), 0) for number, part in enumerate(parts, 1)]


@pytest.mark.parametrize("had", [0, 1, 7, 30])
async def test_a_broker_that_was_filled_in_part_gets_the_rest(had):
    sent = stream(30, seed=8)
    ends = {(one.topic, one.partition): one.end for one in sent[:had]}
    broker, told = Broker(ends), []
    await fill(broker, blocks_of(sent), ends, told.append)
    assert broker.ends == {(one.topic, one.partition): one.end for one in sent}
    assert by_place(sent[:had] + broker.taken) == by_place(sent)
    assert sum(told) == sum(one.end - one.begin for one in sent[had:])


async def test_a_batch_that_comes_to_another_offset_ends_it_with_a_sentence():
    with pytest.raises(Stop, match=r"put \S+, partition \d, offset 0, at 1: what ClickHouse holds would name other"):
        await fill(Broker({}, off=1), blocks_of(stream(5, seed=9)), {})


async def test_a_broker_that_holds_another_log_is_refused():
    assert is_fresh({}, {})
    assert is_fresh({("t", 0): 3}, {("t", 0): 3, ("t", 1): 4})
    assert not is_fresh({("t", 0): 4, ("t", 1): 4}, {("t", 0): 3, ("t", 1): 4})
    with pytest.raises(Stop, match="holds another log than its journal: t, partition 1, ends at 3 there and at 4 here"):
        is_fresh({("t", 0): 4, ("t", 1): 3}, {("t", 0): 3, ("t", 1): 4})


async def test_batches_of_a_partition_never_change_their_order_when_a_large_one_stands_between():
    sent = [batch("t", 0, 0, [b"a"]), batch("t", 0, 1, [b"b" * module.SMALL]), batch("t", 0, 2, [b"c"])]
    assert gathered(sent) == sent
