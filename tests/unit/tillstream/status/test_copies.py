"""Which copies of a receipt were counted besides the first; the fold itself is the judge.

Windows are 5 minutes wide and stay open for 10 more: W0 closes once the watermark reaches minute 15.

    minute   0         5         10        15        20        25
             |---W0----|---W5----|---W10---|---W15---|---W20---|
    t at 1   |<- its id is known until here ->|
    t at 16                                | counted again, unless W0 is open at its offset
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.fold import fold
from streams.state import PartitionState
from streams.windows import Windows
from tests.unit.streams.world import MAX_SKEW, MINUTE, log_of, message, moment
from tillstream.status.copies import Message, counted_again

WIDTH, GRACE = 5 * MINUTE, 10 * MINUTE


def by_the_fold(log):
    """Offsets of the messages that were folded though a message of their id stands before them."""
    state, known, found = PartitionState(1, 0, "me", Windows(WIDTH, GRACE)), set(), []
    values = [message(name, minutes) for name, minutes in log]
    for record, (name, _) in zip(log_of(values), log, strict=True):
        before = state.counts["folded"]
        fold(state, [record], "pos.receipts", MAX_SKEW)
        if name in known and state.counts["folded"] > before:
            found.append(record.offset)
        known.add(name)
    return found


def by_the_ledger(log):
    """The same from the ledger's columns, the way `status` puts its questions."""
    messages = {}
    for offset, (name, minutes) in enumerate(log):
        messages.setdefault((name, False), []).append(Message(offset, moment(minutes)))
    suspects = {
        identity: found for identity, found in messages.items()
        if max(one.at // WIDTH for one in found) > found[0].at // WIDTH
    }  # fmt: skip
    copies = {one.offset for found in suspects.values() for one in found[1:]}

    def watermark(offset):
        return max((one.at for found in messages.values() for one in found
                    if one.offset < offset and one.offset not in copies), default=0)  # fmt: skip

    return [pair.copy.offset for pair in counted_again(suspects, watermark, WIDTH, GRACE)]


@pytest.mark.parametrize(
    ("log", "counted"),
    [
        ([("t", 1), ("t", 16)], []),  # W0 is open still: a duplicate
        ([("t", 1), ("u", 15), ("t", 16)], [2]),
        ([("t", 1), ("u", 14), ("t", 16)], []),  # one minute too early
        ([("t", 1), ("u", 15), ("t", 4)], []),  # late, and preceded
        ([("t", 1), ("u", 40), ("t", 24)], []),  # late itself: W20 closes at 35 ...
        ([("t", 1), ("u", 34), ("t", 24)], [2]),  # ... and is open here
        ([("t", 1), ("u", 15), ("t", 16), ("t", 1)], [2]),  # the old one again hides nothing
        ([("t", 1), ("u", 15), ("t", 16), ("t", 17)], [2]),  # a duplicate of the copy
        ([("t", 1), ("u", 15), ("t", 16), ("u", 30), ("t", 31)], [2]),  # u's copy is a duplicate: it moves nothing
        ([("t", 1), ("u", 15), ("t", 16), ("v", 30), ("t", 31)], [2, 4]),
        ([("u", 20), ("t", 1), ("t", 21)], [2]),  # the first was late, and counts
    ],
)
def test_a_copy_counts_where_the_window_before_has_closed_and_its_own_is_open(log, counted):
    assert by_the_fold(log) == counted
    assert by_the_ledger(log) == counted


@given(st.lists(st.tuples(st.sampled_from("tuvw"), st.integers(0, 60)), max_size=14))
def test_the_ledger_tells_the_same_as_the_fold(log):
    assert by_the_ledger(log) == by_the_fold(log)
