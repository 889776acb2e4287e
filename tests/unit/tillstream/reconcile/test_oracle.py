"""The yardstick by itself: each message's result, what was paid, and which late receipt counts.

Windows of 5 minutes, an hour of grace. Times are minutes after noon of the tests' day.

    0    5   10                        65   70
    |----|----|- - - - - - - - - - - - -|----|
    window of 0 closes when the store's watermark reaches 65
"""

from __future__ import annotations

import pytest

from tests.unit.streams.world import MAX_SKEW, MINUTE, Record, log_of, message, moment
from tillstream.reconcile.oracle import FirstCopies, PartitionOracle, paid
from tillstream.reconcile.recompute import floor_of


def judged(values):
    oracle = PartitionOracle(5 * MINUTE, 60 * MINUTE, MAX_SKEW)
    return oracle, list(oracle.judge(log_of(values)))


@pytest.mark.parametrize(
    ("values", "results"),
    [
        ([message("a", 0)], {"folded": 1}),
        ([message("a", 0), message("a", 3)], {"folded": 1, "duplicate": 1}),
        ([message("a", 0), message("a", 0, type="post_void")], {"folded": 2}),
        ([message("a", 0), message("a", 0, type="post_void"), message("a", 0, type="post_void")],
         {"folded": 2, "duplicate": 1}),
        ([message("a", 0), message("b", 64.9), message("c", 4)], {"folded": 3}),
        ([message("a", 0), message("b", 65), message("c", 4)], {"folded": 2, "late": 1}),
        ([message("a", 0), message("b", 65), message("a", 4)], {"folded": 2, "late": 1}),  # its id has gone with it
        ([message("a", 0), message("b", 65), message("a", 66)], {"folded": 3}),
        ([message("a", 0), message("b", 65), message("c", 4), message("d", 70)], {"folded": 3, "late": 1}),
        ([message("a", 0), message("a", 0, type="void")], {"folded": 1, "rejected": 1}),
        ([message("a", 0), message("b", 0, type="void")], {"folded": 1, "ignored": 1}),
        ([message("a", 0), message("b", 65), message("a", 0, type="void")], {"folded": 2, "ignored": 1}),
        ([message("a", 0, type="training"), b"{"], {"ignored": 1, "rejected": 1}),
        ([message("a", 0, store="13")], {"rejected": 1}),  # under the key of store 12
        ([message("a", 10_010.1)], {"rejected": 1}),  # ahead of its publication
        ([message("a", 10_010)], {"folded": 1}),
    ],
)  # fmt: skip
def test_each_message_ends_in_one_result(values, results):
    assert dict(judged(values)[0].counts) == results


@pytest.mark.parametrize(
    ("late", "counts"),
    [
        ([message("c", 4)], [2]),  # alone
        ([message("a", 4)], []),  # its copy was folded, long ago
        ([message("c", 4), message("c", 3)], [2]),  # the first of two late ones
        ([message("c", 4), message("c", 66)], [2]),  # a copy in an open window comes later
        ([message("c", 66), message("c", 4)], []),  # and that is seen as a duplicate of it
        ([message("c", 4, type="training"), message("c", 4)], [3]),  # what counts nothing is no copy
        ([message("c", 4, type="post_void"), message("c", 4)], [2, 3]),
    ],
)
def test_a_late_receipt_counts_if_no_message_of_its_id_comes_before_it(late, counts):
    values = [message("a", 0), message("b", 65), *late]
    oracle, _ = judged(values)
    copies = FirstCopies(oracle.late, MAX_SKEW)
    copies.look(log_of(values))
    assert [one.offset for one in copies.counting()] == counts


def test_a_stores_watermark_closes_no_other_stores_windows():
    values = [message("a", 0), Record(1, b"13", message("b", 65, store="13"), moment(10_000) // 1000), message("c", 4)]
    assert dict(judged(values)[0].counts) == {"folded": 3}


@pytest.mark.parametrize(
    ("more", "amount"),
    [
        ({}, 30_000),
        ({"type": "return"}, -30_000),
        ({"type": "post_void"}, -30_000),
        ({"lines": [("a", "1", "1.00", {"kind": "return"}), ("b", "1", "2.00")]}, 10_000),
        ({"lines": [("a", "1", "1.00", {"void": True}), ("b", "1", "2.00")], "type": "post_void"}, -20_000),
    ],
)
def test_what_was_paid_is_signed(more, amount):
    _, (one,) = judged([message("t", 0, **{"lines": [("a", "1", "1.00"), ("b", "1", "2.00")], **more})])
    assert paid(one.receipt) == amount


def test_the_ledgers_sum_holds_copies_and_late_ones_and_nothing_that_was_ignored():
    values = [message("a", 0), message("a", 0), message("b", 65), message("c", 0), message("d", 65, type="training")]
    assert judged(values)[0].paid == 4 * 10_000


@pytest.mark.parametrize(("timestamp", "floor"), [(0, 15), (4.99, 15), (5, 20), (9, 20)])
def test_where_the_logs_beginning_is_gone_windows_count_that_it_cannot_have_touched(timestamp, floor):
    # 10 minutes of skew: a record published at 4:59 may have claimed 14:59.
    assert floor_of(round(timestamp * 60_000), 5 * MINUTE, 10 * MINUTE) == floor * MINUTE
