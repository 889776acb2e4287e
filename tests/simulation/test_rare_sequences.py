"""The sequences behind DESIGN.md's table "Why so", one by one: at random they show in one of a hundred histories.

Each ends in a restart and a comparison with the oracle; tests/faults/mutations.py takes each rule away.
Windows are five minutes wide and close ten minutes after their end, so that minute 30 closes W0 (minutes 0 to 5).
"""

import pytest

from tests.simulation.oracle import Widths
from tests.simulation.receipts import Line, Receipt
from tests.simulation.sink import without_threads
from tests.simulation.world import World

# A worker's operations: the changelog read at once; then of a chunk without late or refused receipts:
RESTORED = 1
SENT = 3  # StoreWindow records and rows are sent, nothing has landed
LANDED = 4  # they are acknowledged, the PartitionRecord is sent
DONE = 6  # it is acknowledged too, and the chunk is acked
ALL, NONE = (1 << 24) - 1, 0


class Story(World):
    """A world with one partition that matters, told in the words of the table."""

    def sale(self, name, minute, store="12"):
        self.publish(0, Receipt(store, name, minute, (Line("a", "1", "10"),)))

    def work(self, operations, chunk=8):
        self.step(0, 0, operations, chunk)

    def restore(self):
        self.work(RESTORED, 500)

    def owner_freezes(self):
        """The owner freezes; the group gives its partition to the next who works."""
        self.freeze(0, 0)

    def frozen_goes_on(self, operations):
        self.wake(0, operations)

    def frozen_dies(self, landed=NONE):
        self.die(0, landed)

    def owner_commits(self):
        self.commit(0, 0, answered=True)

    def owner_is_killed(self, landed=NONE):
        self.crash(self.process[1, 0], landed)

    def cleaner_runs(self):
        """It keeps the last record of each key, and no tombstone."""
        self.compact(0, 0, 1000, tombstones=True)

    def ends_exact(self):
        self.settle()
        self.check()


@pytest.fixture
def story():
    with without_threads():
        yield Story(Widths(5, 10))


@pytest.mark.parametrize("landed", ["none", "first", "last", "all but the first", "all but the last", "all"])
@pytest.mark.parametrize("operations", range(1, DONE + 4))
def test_a_worker_dies_between_any_two_operations_and_any_of_its_sends_land(story, operations, landed):
    """offset   0   1   2 (late)   3 (refused) | killed | 4, in the window of 0 and 1"""
    story.sale("t1", 40)
    story.sale("t2", 41)
    story.restore()
    story.work(DONE, chunk=1)
    story.sale("late", 1)
    story.publish(0, Receipt("12", "t", 1, (), fault="json"))
    story.work(operations)
    last = 1 << max(0, len(story.owners[1, 0].buffer) - 1)
    which = {
        "none": NONE,
        "first": 1,
        "last": last,
        "all but the first": ALL - 1,
        "all but the last": last - 1,
        "all": ALL,
    }
    story.owner_is_killed(which[landed])
    story.restore()
    story.work(2 * DONE, chunk=1)
    story.sale("t3", 42)
    story.ends_exact()


@pytest.mark.parametrize("compacted", [False, True], ids=["not compacted", "compacted"])
def test_a_frozen_workers_older_window_lands_after_its_successors(story, compacted):
    """A folds 0, freezes with its sends under way ......... wakes: they land, and A dies
       B                       folds 0 and 1, dies                                 C restores, folds 2
    C must go on from B's record of the window, though A's was written last.
    """  # fmt: skip
    story.sale("t1", 0)
    story.restore()
    story.work(SENT)
    story.owner_freezes()
    story.sale("t2", 1)
    story.restore()
    story.work(DONE)
    story.owner_commits()
    story.frozen_goes_on(1)  # the acknowledgement
    story.frozen_dies()
    if compacted:
        story.cleaner_runs()
    story.owner_is_killed()
    story.sale("t3", 2)
    story.ends_exact()


def test_a_frozen_workers_older_partition_record_lands_after_its_successors(story):
    """A folds 0, freezes before its PartitionRecord .................... wakes: it lands
       B          folds 0 to 3, which closes W0, commits, tombstones of W0            C restores
    By A's record W0 would be open, and it is gone: what is folded again would start it anew.
    """  # fmt: skip
    story.sale("t1", 0)
    story.restore()
    story.work(LANDED)
    story.owner_freezes()
    story.sale("t2", 1)
    story.sale("t3", 30)
    story.restore()
    story.work(DONE)
    story.owner_commits()
    story.sale("t4", 31)
    story.work(DONE + 2)
    assert story.kafka.tombstones
    story.frozen_goes_on(1)
    story.frozen_goes_on(1)
    story.frozen_dies()
    story.cleaner_runs()
    story.owner_is_killed()
    story.ends_exact()


def test_no_key_of_an_open_window_is_deleted_whoever_wrote_it(story):
    """A folds 0; folds 1 to 2, freezes ........ wakes: its window lands ........... its PartitionRecord lands
       B                        restores, folds 1, commits ......... folds the next ........ dies      C restores
    B has a record of the window of its own, up to 1. Had it deleted A's, up to 2, C would trust A's PartitionRecord
    and have B's window.
    """  # fmt: skip
    story.sale("t0", 0)
    story.restore()
    story.work(DONE)
    story.owner_commits()
    story.sale("t1", 1)
    story.sale("t2", 2)
    story.sale("t3", 3)
    story.work(SENT, chunk=3)
    story.owner_freezes()
    story.restore()
    story.work(DONE, chunk=1)  # B: 1
    story.owner_commits()
    story.frozen_goes_on(1)  # A's window, up to 3
    story.work(DONE + 2, chunk=1)  # B: 2
    story.frozen_goes_on(2)  # A's PartitionRecord
    story.frozen_dies()
    story.owner_is_killed()
    story.sale("t4", 4)
    story.ends_exact()


def test_tombstones_come_after_the_partition_record_whose_watermark_closed_the_window(story):
    """PartitionRecord of 0 | 1 in W0, 2 closes it | killed before their PartitionRecord, all else has landed."""
    story.sale("t1", 0)
    story.restore()
    story.work(DONE)
    story.owner_commits()
    story.sale("t2", 1)
    story.sale("t3", 30)
    story.work(LANDED)
    story.land(0, 0, 1)  # the PartitionRecord, or what takes its place
    story.work(1)
    story.owner_is_killed()
    story.cleaner_runs()
    story.ends_exact()


def test_a_straggler_of_a_closed_and_removed_window_is_late(story):
    story.sale("t1", 0)
    story.restore()
    story.work(DONE)
    story.sale("t2", 30)
    story.work(DONE)
    story.owner_commits()
    story.sale("t3", 31)
    story.work(DONE + 2)
    story.cleaner_runs()
    story.owner_is_killed()
    story.sale("straggler", 1)
    story.ends_exact()


def test_a_commit_ahead_of_the_state_skips_nothing(story):
    """The changelog lost its tail, the commit did not."""
    for at in range(4):
        story.sale(f"t{at}", at)
        story.work(DONE + RESTORED)
        story.owner_commits()
    story.lose_tail(3)
    story.sale("t4", 4)
    story.ends_exact()


def test_a_clock_that_is_wrong_harms_its_own_store_only(story):
    story.sale("t1", 0, store="12")
    story.sale("t2", 300, store="7")
    story.sale("t3", 1, store="12")
    story.ends_exact()


def test_a_frozen_workers_older_rows_written_last_change_nothing(story):
    """Its rows of offset 0 reach ClickHouse after its successor's of offset 1."""
    story.sale("t1", 0)
    story.restore()
    story.work(SENT)
    story.owner_freezes()
    story.sale("t2", 1)
    story.restore()
    story.work(DONE)
    for _ in range(3):
        story.sink(0, 9)
    story.frozen_goes_on(1)
    story.check()


def test_a_store_in_two_partitions_is_counted_twice_over(story):
    story.publish(0, Receipt("9", "t1", 0, (Line("a", "1", "10"),)))
    story.publish(1, Receipt("9", "t2", 1, (Line("a", "2", "20"),)))
    story.check()
    assert [row[0] for row in story.clickhouse.sales(1, []).values()] == [3]


def test_a_rebuilt_epoch_takes_the_live_ones_place_and_its_rows_are_its_own(story):
    for at in range(4):
        story.sale(f"t{at}", 20 * at)
    story.sale("straggler", 1)
    story.check()
    story.rebuild(5, 60)
    story.check()
    story.switch()
    story.check()
    assert story.clickhouse.live_epochs() == [2]
    story.remove()
    story.check()
    assert story.clickhouse.of("sales_windows", 1) == []


def test_a_retired_epochs_frozen_worker_changes_nothing_in_the_new_one(story):
    story.sale("t1", 0)
    story.restore()
    story.work(SENT)
    story.owner_freezes()
    story.rebuild(15, 30)
    story.check()
    story.switch()
    story.remove()
    story.frozen_goes_on(20)
    story.ends_exact()


@pytest.mark.parametrize("tables", [0, 1, 2, 3])
@pytest.mark.parametrize("operations", range(1, 5))
def test_a_sink_dies_between_insert_and_commit_and_repeats_harmlessly(story, operations, tables):
    story.sale("t1", 0)
    story.restore()
    story.work(DONE)
    story.sink(0, operations)
    story.crash_sink(0, tables)
    story.sale("t2", 1)
    story.ends_exact()


def test_a_frozen_sinks_insert_lands_after_its_successors(story):
    story.sale("t1", 0)
    story.restore()
    story.work(DONE)
    story.sink(0, 1)
    story.freeze_sink(0)
    story.sale("t2", 1)
    story.check()
    story.wake_sink(0, 9)
    story.check()


def test_clickhouse_that_wrote_and_did_not_answer_is_written_again(story):
    story.sale("t1", 0)
    story.lose_clickhouse(2)
    story.ends_exact()


def test_a_restore_that_is_overtaken_by_the_cleaner_has_all_that_it_needs(story):
    """Z folds 0 and dies.
       A folds 1 and 2, which closes W0, commits; folds 3, freezes ..... wakes: PartitionRecord, tombstones of W0
       B                                      begins to restore .................... the cleaner runs; reads on
    Up to where the changelog ended when B began, Z's PartitionRecord is the newest that is left, and W0 is gone: B
    would start it anew. It must read what was written meanwhile too.
    """  # fmt: skip
    story.sale("t0", 0)
    story.restore()
    story.work(DONE)
    story.owner_commits()
    story.owner_is_killed()
    story.sale("t1", 1)
    story.sale("t2", 30)
    story.restore()
    story.work(DONE)
    story.owner_commits()
    story.sale("t3", 31)
    story.work(LANDED)
    story.owner_freezes()
    story.work(0)  # B is assigned, and has read nothing yet
    story.frozen_goes_on(4)
    assert story.kafka.tombstones
    story.cleaner_runs()
    story.work(RESTORED, chunk=1)
    story.check()
