"""The order of a flush, when tombstones go, and that every operation carries what the next relies on."""

import json

import pytest

from schemas import window
from streams.flush import Acknowledged, Commit, Send, flush
from streams.fold import fold
from streams.records import decode_partition, partition_key, read_key, window_key
from streams.restore import Restore
from streams.state import PartitionState
from streams.windows import Windows

from .world import MAX_SKEW, MINUTE, Record, Sent, Worker, log_of, message, moment

WINDOWS = Windows(5 * MINUTE, 10 * MINUTE)
OPEN, CLOSER = moment(0), moment(15)
EVERYTHING = [message("a", 0), message("b", 15), message("late", 1), b"{"]


def stepped(state, values, accepted=0):
    done = fold(state, values, "pos.receipts", MAX_SKEW)
    return list(flush(state, done, accepted))


def me(owner="me"):
    return PartitionState(1, 3, owner, WINDOWS)


def test_the_operations_of_a_flush_come_in_their_numbered_order():
    operations = stepped(me(), log_of(EVERYTHING))
    assert [(type(op), op.step, getattr(op, "role", None)) for op in operations] == [
        (Send, 1, "state"),
        (Send, 1, "windows"),
        (Send, 1, "late"),
        (Send, 1, "rejected"),
        (Acknowledged, 2, None),
        (Send, 3, "state"),
        (Acknowledged, 3, None),
        (Commit, 4, None),
    ]


def test_the_partition_record_vouches_for_what_was_acknowledged_before_it():
    operations = stepped(me(), log_of(EVERYTHING))
    [(key, value, _)] = operations[5].messages
    record = decode_partition(value)
    assert key == partition_key(3, "me")
    assert record.applied == 3
    assert record.watermarks == {"12": CLOSER}
    assert record.counts == {"folded": 2, "duplicate": 0, "late": 1, "rejected": 1, "ignored": 0}
    assert (record.window, record.grace) == (WINDOWS.width, WINDOWS.grace)


def test_the_commit_is_the_offset_after_the_last_one_folded():
    assert stepped(me(), log_of(EVERYTHING))[-1] == Commit(4, 4)


def test_every_touched_window_has_one_record_under_its_owners_key():
    messages = stepped(me(), log_of([message("a", 0), message("b", 5), message("c", 1)]))[0].messages
    assert [key for key, _, _ in messages] == [
        window_key(3, "12", moment(0), "me"),
        window_key(3, "12", moment(5), "me"),
    ]


def test_rows_go_under_the_stores_key_and_counts_last():
    messages = stepped(me(), log_of([message("a", 0)]))[1].messages
    assert [key for key, _, _ in messages] == [b"12", None]


def test_counts_say_when_the_newest_message_was_published_and_a_replayed_one_is_not_new():
    state = me()
    log = [*log_of([message("a", 0)], published=30), *log_of([b"{"], published=40)]
    log = [Record(offset, record.key, record.value, record.timestamp) for offset, record in enumerate(log)]
    first = window.decode(stepped(state, log[:1])[1].messages[-1][1])
    both = window.decode(stepped(state, log)[1].messages[-1][1])
    again = window.decode(stepped(state, log)[1].messages[-1][1])
    assert [one.published for one in (first, both, again)] == [moment(30) // 1000, moment(40) // 1000, 0]


def test_only_rows_that_changed_are_sent_again():
    state, log = me(), log_of([message("a", 0, [("x", "1", "1"), ("y", "1", "1")]), message("b", 0, [("y", "1", "1")])])
    stepped(state, log[:1])
    sent = Sent()
    for operation in stepped(state, log[1:]):
        sent.take(operation)
    assert {row[-1]: totals for row, totals in sent.totals().items()} == {"y": (200_000, 0, 20_000, 0, 0, 2)}


def test_a_window_that_a_chunk_opens_and_closes_is_sent_whole():
    sent = Sent()
    for operation in stepped(me(), log_of([message("a", 0, [("x", "1", "1")]), message("b", 15)])):
        sent.take(operation)
    assert len(sent.totals()) == 2


@pytest.mark.parametrize(
    ("accepted", "gone"),
    [
        pytest.param(0, False, id="no commit yet"),
        pytest.param(1, False, id="a commit of before the closing"),
        pytest.param(2, True, id="the commit of the chunk that closed it"),
        pytest.param(9, True, id="a later one"),
    ],
)
def test_tombstones_wait_for_an_accepted_commit_at_or_beyond_the_closing(accepted, gone):
    """offset   0    1 (closes W0)   2
       flush    |----------|         |--|      the second one may send W0's tombstone
    """  # fmt: skip
    state, log = me(), log_of([message("a", 0), message("b", 15), message("c", 16)])
    stepped(state, log[:2])
    operations = stepped(state, log[2:], accepted)
    tombstones = [message for op in operations if op.step == 5 and isinstance(op, Send) for message in op.messages]
    assert tombstones == ([(window_key(3, "12", OPEN, "me"), None, [])] if gone else [])
    assert [op.step for op in operations][-3:] == ([4, 5, 5] if gone else [3, 3, 4])
    assert bool(state.closed) is not gone


def test_a_flush_sends_no_tombstone_for_what_its_own_chunk_closed():
    """Its own PartitionRecord is durable by then, but nobody has accepted a commit that vouches for it."""
    operations = stepped(me(), log_of([message("a", 0), message("b", 15)]), accepted=1)
    assert max(op.step for op in operations) == 4


def test_all_owners_keys_of_a_closed_window_go_together():
    sent = Sent()
    log = log_of(
        [message("a", 0), message("b", 1), message("c", 2), message("d", 15), message("e", 16), message("f", 17)]
    )
    Worker(log[:1], sent, WINDOWS, "first").run()
    Worker(log[:2], sent, WINDOWS, "second").run()
    Worker(log[:3], sent, WINDOWS, "third").run()
    Worker(log, sent, WINDOWS, "fourth").run(chunk=1)
    gone = {read_key(key) for key, value in sent.changelog if value is None}
    assert gone == {("12", OPEN, owner) for owner in ("first", "second", "third")}


def test_whoever_has_written_a_window_after_another_owner_takes_both_keys_away():
    """The second knows its own key by then; the first's would stay in the changelog for ever."""
    sent = Sent()
    log = log_of([message("a", 0), message("b", 1), message("d", 15), message("e", 16), message("f", 17)])
    Worker(log[:1], sent, WINDOWS, "first").run()
    Worker(log, sent, WINDOWS, "second").run(chunk=1)
    gone = {read_key(key) for key, value in sent.changelog if value is None}
    assert gone == {("12", OPEN, owner) for owner in ("first", "second")}


def test_a_tombstone_that_was_not_acknowledged_is_sent_again_by_the_next_flush():
    state, log = me(), log_of([message("a", 0), message("b", 15), message("c", 16), message("d", 17)])
    stepped(state, log[:2])
    fold_two = fold(state, log[2:3], "pos.receipts", MAX_SKEW)
    for operation in flush(state, fold_two, 2):
        if isinstance(operation, Send) and operation.step == 5:
            break  # the crash of a send; the generator is never asked for more
    assert [op.step for op in stepped(state, log[3:], 3)][-2:] == [5, 5]


def test_no_tombstone_ever_names_an_open_window_or_a_partition_record():
    sent = Sent()
    values = [message(f"t{at}", at * 3) for at in range(30)]
    Worker(log_of(values), sent, WINDOWS, "me").run(chunk=2)
    mark = Restore()
    mark.take(sent.changelog)
    for key, value in sent.changelog:
        store, start, _ = read_key(key)
        if value is None:
            assert store == "12"
            assert not WINDOWS.is_open(start, mark.partition.watermarks["12"])
    assert any(value is None for _, value in sent.changelog)


def test_a_flush_of_nothing_new_still_vouches_and_commits():
    operations = stepped(me(), log_of([b"{"]))
    assert [op.step for op in operations] == [1, 1, 1, 2, 3, 3, 4]
    assert list(operations[0].messages) == []


def test_every_message_says_of_which_epoch_and_partition_it_is():
    """A store may arrive in two partitions, and a log be read in two epochs: nothing may take another's place."""
    state = PartitionState(7, 3, "me", WINDOWS)
    sends = [op for op in stepped(state, log_of(EVERYTHING)) if isinstance(op, Send)]
    told = [json.loads(value) for op in sends if op.role in {"windows", "late"} for _, value, _ in op.messages]
    assert {found.get("type", "late") for found in told} == {"window", "counts", "late"}
    assert {(found["epoch"], found["partition"]) for found in told} == {(7, 3)}
    [letter] = [headers for op in sends if op.role == "rejected" for _, _, headers in op.messages]
    assert dict(letter)["partition"] == b"3"
    assert all(json.loads(key)[0] == 3 for op in sends if op.role == "state" for key, _, _ in op.messages)
