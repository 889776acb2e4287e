"""The task of a partition, and the tasks together, with an outlet and a source that keep what they are asked."""

import asyncio

import pytest
from faust.types import TP

from schemas.errors import Again, Stop
from streams.agents import WAITING_CHUNKS, Folding, PartitionTask
from streams.chunks import AFTER_SEEK, UNKNOWN, Chunk
from streams.fold import fold
from streams.records import fingerprint
from streams.state import PartitionState
from streams.tracking import Tracking
from streams.windows import Windows

from .world import MAX_SKEW, MINUTE, log_of, message

TP0 = TP("pos.receipts", 0)
WINDOWS = Windows(5 * MINUTE, 60 * MINUTE)
LOG = log_of([message(f"t{at}", at) for at in range(40)])


class KeptOutlet:
    """Keeps what is sent; acknowledges at once, or once `gate` is open."""

    def __init__(self):
        self.sent = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, role, partition, messages):
        self.sent.extend((role, partition, message) for message in messages)

    async def acknowledged(self):
        await self.gate.wait()


class KeptSource:
    """A log that begins at `begins`; keeps the offsets that were sought."""

    def __init__(self, begins=0):
        self.begins = begins
        self.sought = []

    async def seek(self, offset):
        self.sought.append(offset)
        return len(self.sought)

    async def first(self):
        return self.begins

    def accepted(self):
        return 0


def state_at(applied=-1, log=LOG):
    state = PartitionState(1, 0, "me", WINDOWS)
    if applied >= 0:
        fold(state, log[: applied + 1], "pos.receipts", MAX_SKEW)
    return state


def task_at(applied=-1, outlet=None, source=None, log=LOG):
    return PartitionTask(
        state_at(applied, log), "pos.receipts", MAX_SKEW, outlet or KeptOutlet(), source or KeptSource()
    )


def chunk_of(*offsets, follows=AFTER_SEEK, seeks=0, log=LOG):
    return Chunk(TP0, [log[offset] for offset in offsets], follows, seeks)


async def fed(task, *chunks):
    """Run a task over chunks; gives the offsets it acked."""
    acked = []
    running = asyncio.create_task(task.run())
    for chunk in chunks:
        await task.queue.put((chunk, acked.append))
    for _ in range(30):  # turns of the loop, not time: the fakes never make anyone wait
        await asyncio.sleep(0)
    if running.done():
        running.result()
    running.cancel()
    return acked


async def test_chunks_that_follow_each_other_are_folded_and_acked_in_order():
    task = task_at()
    assert await fed(task, chunk_of(0, 1, follows=AFTER_SEEK), chunk_of(2, follows=1)) == [2, 3]
    assert task.state.applied == 2


async def test_nothing_is_folded_before_restock_has_read_its_feed():
    # A window that closed until then would be told to nobody.
    task = PartitionTask(
        state_at(), "pos.receipts", MAX_SKEW, KeptOutlet(), KeptSource(), tracking=Tracking(1, missed=False)
    )
    assert await fed(task, chunk_of(0, 1)) == []
    task.restock_is_ready()
    assert await fed(task) == [], "it was acked where it was queued"
    assert task.state.applied == 1


async def test_a_chunk_that_was_folded_before_is_acked_and_counts_nothing():
    task = task_at(applied=5)
    counts = dict(task.state.counts)
    assert await fed(task, chunk_of(0, 1, 2)) == [6], "the commit never goes back"
    assert task.state.counts == counts


async def test_a_chunk_that_overlaps_what_is_folded_counts_only_its_new_part():
    task = task_at(applied=2)
    assert await fed(task, chunk_of(1, 2, 3, 4)) == [5]
    assert task.state.counts["folded"] == 5


@pytest.mark.parametrize("follows", [UNKNOWN, AFTER_SEEK, 4])
async def test_a_hole_makes_it_seek_back_and_fold_nothing(follows):
    source = KeptSource()
    task = task_at(applied=2, source=source)
    assert await fed(task, chunk_of(5, 6, follows=follows)) == []
    assert source.sought == [3]
    assert task.state.applied == 2


async def test_chunks_fetched_before_the_seek_are_dropped_without_seeking_again():
    source = KeptSource()
    task = task_at(applied=2, source=source)
    acked = await fed(
        task,
        chunk_of(5, follows=4, seeks=0),  # the hole
        chunk_of(6, follows=5, seeks=0),  # was on its way
        chunk_of(3, 4, follows=AFTER_SEEK, seeks=1),
        chunk_of(5, follows=4, seeks=1),
    )
    assert source.sought == [3]
    assert acked == [5, 6]


async def test_an_empty_state_goes_to_the_first_offset_however_far_the_commit_is():
    """With nothing folded, `applied` is -1, and so is AFTER_SEEK: they must not be taken for each other."""
    source = KeptSource()
    assert await fed(task_at(source=source), chunk_of(7, follows=AFTER_SEEK)) == []
    assert source.sought == [0]


async def test_offsets_that_the_log_never_had_are_stepped_over_without_seeking():
    """Marks of a producer's transactions take up offsets that no consumer is given."""
    source = KeptSource()
    task = task_at(applied=2, source=source)
    assert await fed(task, chunk_of(4, 5, follows=2), chunk_of(8, follows=5)) == [6, 9]
    assert source.sought == []


async def test_a_hole_that_stays_after_seeking_to_it_is_one_of_the_log():
    source = KeptSource()
    task = task_at(applied=2, source=source)
    acked = await fed(task, chunk_of(5, follows=UNKNOWN), chunk_of(5, follows=AFTER_SEEK, seeks=1))
    assert acked == [6]
    assert source.sought == [3]


async def test_a_chunk_after_somebody_elses_seek_is_no_proof_that_the_log_has_a_hole():
    source = KeptSource()
    task = task_at(applied=2, source=source)
    acked = await fed(task, chunk_of(5, follows=UNKNOWN), chunk_of(7, follows=AFTER_SEEK, seeks=2))
    assert acked == []
    assert source.sought == [3, 3]


@pytest.mark.parametrize("follows", [2, UNKNOWN])
async def test_receipts_that_retention_removed_uncounted_stop_the_worker(follows):
    task = task_at(applied=2, source=KeptSource(begins=5))
    with pytest.raises(Stop, match=r"partition 0, begins at offset 5: retention removed the receipts from 3 on"):
        await fed(task, chunk_of(5, follows=follows), chunk_of(5, follows=AFTER_SEEK, seeks=1))
    assert task.state.applied == 2


async def test_a_new_worker_begins_where_the_log_begins():
    task = task_at(source=KeptSource(begins=5))
    assert await fed(task, chunk_of(5), chunk_of(5, 6, follows=AFTER_SEEK, seeks=1)) == [7]


async def test_another_record_at_the_folded_offset_stops_the_worker():
    other = log_of([message(f"other{at}", at) for at in range(40)])
    task = task_at(applied=5)
    with pytest.raises(Stop, match=r"does not hold the receipt that was counted at offset 5.*recreated"):
        await fed(task, chunk_of(4, 5, 6, log=other))


async def test_a_log_that_is_read_backwards_without_a_seek_was_recreated():
    """What Kafka's client does when the log ends before the offset that it wants: it begins anew, and says nothing."""
    task = task_at(applied=5)
    with pytest.raises(Stop, match="recreated"):
        await fed(task, chunk_of(6, 7, follows=5), chunk_of(0, 1, follows=7))
    assert task.state.applied == 7


async def test_nothing_is_acked_before_all_is_acknowledged():
    outlet = KeptOutlet()
    outlet.gate.clear()
    task = task_at(outlet=outlet)
    assert await fed(task, chunk_of(0, 1)) == []
    assert {role for role, _, _ in outlet.sent} == {"state", "windows"}
    assert len([1 for role, _, _ in outlet.sent if role == "state"]) == 1, "no PartitionRecord yet"


async def no_crash(fault):
    raise AssertionError(fault)


async def test_a_revoke_while_every_queue_is_full_does_not_leave_the_agent_waiting_for_ever():
    folding, outlet = Folding(no_crash), KeptOutlet()
    outlet.gate.clear()
    assert folding.start([task_at(outlet=outlet)], revokes=0)

    async def agent():
        for at in range(WAITING_CHUNKS + 3):
            await folding.take(chunk_of(at, follows=at - 1), lambda _: None)

    delivering = asyncio.create_task(agent())
    for _ in range(20):
        await asyncio.sleep(0)
    assert folding.tasks[0].queue.full()
    await folding.drop()
    async with asyncio.timeout(5):
        await delivering


async def test_after_a_revoke_no_ack_reaches_anyone():
    folding, outlet, acked = Folding(no_crash), KeptOutlet(), []
    outlet.gate.clear()
    folding.start([task_at(outlet=outlet)], revokes=0)
    await folding.take(chunk_of(0), acked.append)
    await folding.take(chunk_of(1, follows=0), acked.append)
    await asyncio.sleep(0)
    await folding.drop()
    outlet.gate.set()
    await folding.take(chunk_of(2, follows=1), acked.append)
    for _ in range(20):
        await asyncio.sleep(0)
    assert acked == []


async def test_states_restored_for_an_assignment_that_was_revoked_meanwhile_are_not_folded():
    folding = Folding(no_crash)
    assigned = folding.revokes
    await folding.drop()
    assert not folding.start([task_at()], assigned)
    assert folding.tasks == {}


@pytest.mark.parametrize("fault", [Stop("no room", "make some"), RuntimeError("a bug"), OSError("a socket")])
async def test_whatever_ends_a_task_crashes_the_app_and_nothing_is_raised_into_the_agent(fault):
    class Broken(KeptOutlet):
        async def acknowledged(self):
            raise fault

    told = []

    async def crash(what):
        told.append(what)

    folding = Folding(crash)
    folding.start([task_at(outlet=Broken())], revokes=0)
    acked = []
    await folding.take(chunk_of(0), acked.append)
    for _ in range(20):
        await asyncio.sleep(0)
    assert told == [fault]
    assert acked == []
    await folding.drop()


async def test_a_cancellation_that_nobody_asked_for_crashes_the_app_too():
    """An await on what a library has cancelled raises it: the task would end as if its partition was revoked."""

    class Cancelled(KeptOutlet):
        async def acknowledged(self):
            raise asyncio.CancelledError

    told = []

    async def crash(what):
        told.append(what)

    folding = Folding(crash)
    folding.start([task_at(outlet=Cancelled())], revokes=0)
    await folding.take(chunk_of(0), [].append)
    for _ in range(20):
        await asyncio.sleep(0)
    assert [type(what) for what in told] == [Again]
    await folding.drop()


async def test_one_partition_folds_on_while_another_waits_for_acknowledgements():
    slow, folding, acked = KeptOutlet(), Folding(no_crash), []
    slow.gate.clear()
    other = PartitionTask(PartitionState(1, 1, "me", WINDOWS), "pos.receipts", MAX_SKEW, KeptOutlet(), KeptSource())
    folding.start([task_at(outlet=slow), other], revokes=0)
    await folding.take(chunk_of(0), acked.append)
    await folding.take(Chunk(TP("pos.receipts", 1), LOG[:3], AFTER_SEEK, 0), acked.append)
    for _ in range(20):
        await asyncio.sleep(0)
    assert acked == [3]
    await folding.drop()


@pytest.mark.parametrize("waits", [True, False])
async def test_tombstones_are_waited_for_with_the_next_flush_where_a_chunk_waits_and_at_once_where_none_does(waits):
    """They are sent all the same; a wait for them would hold up the chunk by the broker's answer."""
    done = []

    class Told(KeptOutlet):
        async def send(self, role, partition, messages):
            done.append("tombstones" if messages[0][1] is None else role)

        async def acknowledged(self):
            done.append("wait")

    log = log_of([message("a", 0), message("b", 900), message("c", 901)])  # b closes a's window
    source = KeptSource()
    source.accepted = lambda: 100
    task = task_at(outlet=Told(), source=source, log=log)
    for chunk in [chunk_of(0, 1, log=log), chunk_of(2, follows=1, log=log)][: 1 + waits]:
        task.queue.put_nowait((chunk, [].append))
    assert await fed(task) == []
    assert done[done.index("tombstones") + 1] == ("state" if waits else "wait")
    assert done[-1] == "wait"


async def test_only_partitions_with_room_are_asked_for_and_one_that_gets_room_wakes_who_waits():
    tp, other, outlet = TP("pos.receipts", 0), TP("pos.receipts", 1), KeptOutlet()
    folding = Folding(no_crash)
    outlet.gate.clear()
    folding.start([task_at(outlet=outlet)], revokes=0)
    for at in range(WAITING_CHUNKS + 1):
        await folding.take(chunk_of(at, follows=at - 1), lambda _: None)
        await asyncio.sleep(0)
    assert folding.with_room({tp, other}) == {other}
    waiting = asyncio.create_task(folding.made_room(60))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    outlet.gate.set()
    await asyncio.sleep(0)  # room is made before anyone waits for it
    async with asyncio.timeout(30):
        await folding.made_room(60)
    assert folding.with_room({tp, other}) == {tp, other}
    await folding.drop()


def test_a_fingerprint_tells_offset_key_and_value_apart():
    assert len({fingerprint(*what) for what in [(1, b"a", b"b"), (2, b"a", b"b"), (1, b"ab", b""), (1, None, b"ab"),
                                                (1, b"a", b"c")]}) == 5  # fmt: skip
