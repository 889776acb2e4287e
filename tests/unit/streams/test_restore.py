"""From a changelog to a state: whose record holds, what is still to come, what is over."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.flush import Send, flush
from streams.fold import REPLAYED, fold
from streams.records import (
    PartitionRecord,
    decode_partition,
    encode_partition,
    fingerprint,
    partition_key,
    read_key,
    window_key,
)
from streams.restore import Restore
from streams.state import PartitionState, Store, decode_window, receipt_hash
from streams.windows import Windows

from .world import MAX_SKEW, MINUTE, Sent, Worker, log_of, message, moment

WINDOWS = Windows(5 * MINUTE, 10 * MINUTE)
W0 = moment(0)


def restored(changelog, owner="heir"):
    restore = Restore()
    restore.take(changelog)
    return restore.finish(1, 0, owner, WINDOWS)


def left_by(log, owner, sent=None, steps=(1, 3)):
    """The changelog that a worker leaves which folds the whole log in one chunk, up to some of its steps."""
    sent = sent or Sent()
    for operation in Worker(log, sent, WINDOWS, owner).operations(1000):
        if operation.step in steps and isinstance(operation, Send):
            sent.take(operation)
    return sent


class TestWhichRecordHolds:
    LOG = log_of([message("a", 0), message("b", 1), message("c", 2)])

    def records(self):
        """W0 and the partition as folded up to 0 by one owner, up to 2 by another."""
        return left_by(self.LOG[:1], "old").changelog, left_by(self.LOG, "new").changelog

    @pytest.mark.parametrize("order", ["old first", "new first"])
    def test_the_largest_applied_holds_whoever_wrote_last(self, order):
        """A frozen owner wakes up and writes what it had: its record is the last one, and the older."""
        old, new = self.records()
        state = restored(old + new if order == "old first" else new + old)
        assert (state.applied, state.counts["folded"]) == (2, 3)
        [window] = state.stores["12"].windows.values()
        found = decode_window(window.value)
        assert (found.applied, found.receipts, len(found.ids)) == (2, 3, 3)
        assert window.owners == {"old", "new"}

    def test_window_and_partition_may_be_of_different_owners(self):
        old, new = self.records()
        state = restored(new[:1] + old)  # of the new owner only the window's record landed
        assert state.applied == 0
        assert decode_window(state.stores["12"].windows[W0].value).applied == 2
        assert state.ahead == {1, 2}

    def test_an_owners_later_record_takes_its_earlier_ones_place(self):
        sent = Sent()
        Worker(self.LOG, sent, WINDOWS, "only").run(chunk=1)
        assert len(sent.changelog) == 6
        state = restored(sent.changelog)
        assert decode_window(state.stores["12"].windows[W0].value).applied == 2
        assert state.stores["12"].windows[W0].owners == {"only"}

    @pytest.mark.parametrize("steps", [(1,), (3,), (1, 3)])
    def test_what_a_frozen_owner_sends_on_waking_takes_nothing_of_its_heirs_place_even_when_compacted(self, steps):
        """old   folds 0, freezes in its flush ........................ wakes: its records land last
           new                       restores nothing, folds 0 to 2
           The cleaner keeps the last record of each key: had both one key, only `old`'s would be left.
        """  # fmt: skip
        sent = left_by(self.LOG, "new")
        frozen = Worker(self.LOG[:1], Sent(), WINDOWS, "old")
        for operation in frozen.operations(1):
            if operation.step in steps and isinstance(operation, Send):
                sent.take(operation)
        kept = dict(sent.changelog)
        state = restored(kept.items())
        assert (state.applied, state.counts["folded"], state.ahead) == (2, 3, set())
        assert decode_window(state.stores["12"].windows[W0].value).receipts == 3

    def test_the_new_owner_is_the_one_that_was_drawn(self):
        assert restored(self.records()[0], "drawn").owner == "drawn"

    def test_nothing_restored_is_a_state_with_nothing_folded(self):
        state = restored([])
        assert (state.applied, state.stores, state.closed, state.ahead) == (-1, {}, [], set())


class TestTombstones:
    def test_a_tombstone_takes_its_owners_record_only(self):
        log = log_of([message("a", 0), message("b", 1)])
        sent = left_by(log, "second", left_by(log[:1], "first"))
        sent.changelog.append((window_key(0, "12", W0, "second"), None))
        state = restored(sent.changelog)
        assert state.stores["12"].windows[W0].owners == {"first"}

    def test_a_window_whose_records_are_all_gone_is_none(self):
        sent = left_by(log_of([message("a", 0)]), "only")
        sent.changelog.append((window_key(0, "12", W0, "only"), None))
        assert restored(sent.changelog).stores["12"].windows == {}

    def test_a_tombstone_of_what_never_was_is_harmless(self):
        assert restored([(window_key(0, "12", W0, "x"), None), (partition_key(0, "x"), None)]).applied == -1

    def test_a_window_that_a_durable_watermark_has_closed_waits_for_its_tombstones_of_all_owners(self):
        log = log_of([message("a", 0), message("b", 1), message("c", 15)])
        sent = left_by(log[:2], "second", left_by(log[:1], "first"))
        state = restored(left_by(log, "third", sent).changelog)
        assert list(state.stores["12"].windows) == [moment(15)]
        assert [(closed.start, closed.owners, closed.at) for closed in state.closed] == [(W0, {"first", "second"}, 2)]

    def test_a_record_that_a_zombie_writes_after_the_tombstones_gets_one_at_the_next_start(self):
        """W0 is closed and gone; a frozen owner's record of it lands then; the next owner sweeps it away."""
        log = log_of([message("a", 0), message("b", 15), message("c", 16), message("d", 17), message("e", 18)])
        zombies = left_by(log[:1], "zombie").changelog[0]
        sent = Sent()
        Worker(log[:3], sent, WINDOWS, "heir").run(chunk=1)
        sent.changelog.append(zombies)
        Worker(log, sent, WINDOWS, "last").run(chunk=1)
        assert sent.changelog.count((zombies[0], None)) == 1
        assert restored(sent.changelog).closed == []


class TestAhead:
    """A crash came after step 1 and before step 3: windows are ahead of the PartitionRecord.

    offset              0    1    2    3
    PartitionRecord     |         applied = 0
    W0's record         |--------------| 0 to 3, landed
    """

    LOG = log_of([message("a", 0), message("b", 1), message("a", 2), message("c", 3)])

    def crashed(self):
        sent = left_by(self.LOG[:1], "first")
        left_by(self.LOG, "second", sent, steps=(1,))
        sent.rows.clear()  # none of its rows landed
        return sent

    def test_what_a_window_holds_beyond_applied_is_known_to_come_again(self):
        state = restored(self.crashed().changelog)
        assert state.ahead == {1, 3}, "offset 2 is a duplicate, which no window holds"
        assert state.stores["12"].seen.used == 1, "only what stands at or before `applied` makes a duplicate"

    def test_it_is_replayed_not_folded_twice_and_its_rows_are_sent_again(self):
        sent = self.crashed()
        state = restored(sent.changelog)
        done = fold(state, self.LOG[1:], "pos.receipts", MAX_SKEW)
        assert (done.results[REPLAYED], done.results["folded"], done.results["duplicate"]) == (2, 0, 1)
        assert state.counts["folded"] == 3
        assert state.ahead == set()
        for operation in flush(state, done, 0):
            sent.take(operation)
        assert list(sent.totals().values()) == [(300_000, 0, 30_000, 0, 0, 3)]
        assert list(sent.receipts.values()) == [(3, 3)]

    def test_a_store_that_is_only_ahead_has_no_watermark_yet(self):
        sent = left_by(self.LOG, "only", steps=(1,))
        state = restored(sent.changelog)
        assert (state.applied, state.stores["12"].watermark, state.ahead) == (-1, None, {0, 1, 3})
        fold(state, self.LOG, "pos.receipts", MAX_SKEW)
        assert state.stores["12"].watermark == moment(3)

    def test_windows_that_close_on_the_way_through_what_is_ahead_close_as_they_did_first(self):
        log = log_of([message("a", 0), message("b", 15), message("late", 1), message("a", 16)])
        sent = left_by(log, "only", steps=(1,))
        Worker(log, sent, WINDOWS, "last").run(chunk=1)
        assert sent.results() == {"folded": 3, "late": 1}
        assert len(sent.totals()) == 2


rows = st.dictionaries(
    st.sampled_from(["NOK", "JPY"]),
    st.dictionaries(
        st.dates().map(str),
        st.dictionaries(
            st.text(min_size=1, max_size=128), st.lists(st.integers(-(10**18), 10**18), min_size=7, max_size=7),
            max_size=4,
        ),
        max_size=2,
    ),
)  # fmt: skip
names = st.text(min_size=1, max_size=128)
hashes = st.integers(0, 2**64 - 1)
offsets = st.integers(0, 2**62)


class TestRecordsComeBackAsTheyWere:
    @given(names, st.integers(0, 4 * 10**15), names, st.integers(0, 9_999))
    def test_a_windows_key(self, store, start, owner, partition):
        assert read_key(window_key(partition, store, start, owner)) == (store, start, owner)

    @given(names, st.integers(0, 9_999))
    def test_a_partitions_key(self, owner, partition):
        assert read_key(partition_key(partition, owner)) == (None, 0, owner)

    @given(st.lists(st.tuples(names, st.integers(0, 10**15), names), unique=True))
    def test_keys_of_different_things_differ(self, found):
        assert len({window_key(0, *one) for one in found}) == len(found)

    @given(offsets, st.integers(-(2**31), 2**31), st.dictionaries(hashes, offsets, max_size=6), rows)
    @settings(deadline=None)
    def test_a_store_window(self, applied, receipts, ids, found):
        record = decode_window(msgspec.msgpack.encode((applied, receipts, ids, found)))
        assert (record.applied, record.receipts, record.ids) == (applied, receipts, ids)
        assert msgspec.msgpack.decode(record.rows) == found

    @given(offsets, hashes, st.dictionaries(names, st.integers(0, 4 * 10**15), max_size=6))
    def test_a_partition_record(self, applied, print_, watermarks):
        state = PartitionState(1, 0, "me", WINDOWS, applied=applied, fingerprint=print_)
        state.stores = {name: Store(mark) for name, mark in watermarks.items()} | {"none yet": Store()}
        watermarks.pop("none yet", None)
        assert decode_partition(encode_partition(state)) == PartitionRecord(
            applied, print_, watermarks, state.counts, WINDOWS.width, WINDOWS.grace
        )


class TestHashes:
    def test_they_are_the_same_on_every_machine_and_in_every_version(self):
        """They stand in changelogs: another value would make every known receipt a new one."""
        assert receipt_hash("S12-T4-20261123-000871", reversal=False) == 5563364774731859517
        assert receipt_hash("S12-T4-20261123-000871", reversal=True) == 6034854867582002035
        assert fingerprint(41, b"12", b"{}") == 14122241666719362978

    @given(st.lists(names, unique=True, max_size=20))
    def test_a_sale_and_its_reversal_and_other_ids_differ(self, ids):
        assert len({receipt_hash(one, reversal=turn) for one in ids for turn in (True, False)}) == 2 * len(ids)

    @given(offsets, st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=20), st.data())
    def test_a_fingerprint_tells_another_record_at_the_same_offset(self, offset, key, value, data):
        other = data.draw(st.binary(max_size=20).filter(lambda found: found != (value or b"")))
        assert fingerprint(offset, key, value) != fingerprint(offset, key, other)
        assert fingerprint(offset, key, value) != fingerprint(offset + 1, key, value)
