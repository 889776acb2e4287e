"""What is committed, what is delivered, what is forgotten: the consumer's books, over a thread that does as told."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import CommitFailedError, IllegalGenerationError, IllegalStateError, RequestTimedOutError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from kernel.records import Record, Records
from schemas.errors import Again
from streams.app import WorkerConfig, make_app
from streams.chunk_read import ChunkRead
from streams.chunks import AFTER_SEEK, UNKNOWN
from streams.consumer_thread import FETCH_MAX_WAIT_MS, PatientConsumerThread
from streams.lean_records import as_they_are
from streams.state import PartitionState
from streams.windows import Windows

CONFIG = WorkerConfig("kafka://127.0.0.1:9", "", 1, 2, 300_000_000, 0, 0)
P0, P1 = TP("pos.receipts", 0), TP("pos.receipts", 1)


class ToldThread:
    """Stands in for Faust's consumer thread: assignment, commits and fetches are what the test says."""

    def __init__(self):
        self.assigned = {P0, P1}
        self.committed = {P0: None, P1: None}
        self.commits = []
        self.accepts = True
        self.fetches = []
        self.seeks = []
        self.asked = []
        self.while_committing = lambda: None
        self.while_fetching = None
        self.dead = False

    def reads_no_more(self):
        return self.dead

    def assignment(self):
        return set(self.assigned)

    async def commit(self, offsets):
        self.commits.append(dict(offsets))
        self.while_committing()
        return self.accepts

    async def seek_to_committed(self):
        return dict(self.committed)

    async def seek_wait(self, partitions):
        self.seeks += list(partitions.items())

    async def call_thread(self, fun, *args, **kwargs):
        raise AssertionError("not in these tests")

    async def getmany(self, active, timeout):  # noqa: ASYNC109  # Faust's signature
        """Another thread fetches: who waits for it may be cancelled, it goes on."""
        self.asked.append((set(active), timeout))
        return await asyncio.shield(asyncio.ensure_future(self._fetched()))

    async def _fetched(self):
        if self.while_fetching is not None:
            await self.while_fetching()
        return self.fetches.pop(0)


@pytest.fixture
async def consumer():
    app = make_app(CONFIG)
    app.finalize()
    app.consumer_generation_id = 1
    found = app.consumer
    found._thread = ToldThread()
    found._active_partitions = {P0, P1}
    app.topics._acking_topics.add("pos.receipts")
    return found


def records(*offsets, partition=0):
    return {
        TopicPartition("pos.receipts", partition): [
            SimpleNamespace(offset=offset, timestamp=0, timestamp_type=0) for offset in offsets
        ]
    }


async def fetched(consumer, *fetches):
    consumer._thread.fetches = list(fetches)
    chunks = []
    for _ in fetches:
        chunks += [message.value async for _, message in consumer.getmany(1.0)]
    return chunks


class TestCommits:
    async def test_only_what_is_done_is_committed_and_its_end_is_accepted(self, consumer):
        consumer.done(P0, 10)
        assert await consumer.commit()
        assert consumer._thread.commits == [{P0: 10}]
        assert consumer.accepted == {P0: 10}

    async def test_a_commit_never_goes_back(self, consumer):
        consumer.done(P0, 10)
        consumer.done(P0, 4)
        await consumer.commit()
        await consumer.commit()
        assert consumer._thread.commits == [{P0: 10}], "and the same offset is committed once"

    async def test_a_refused_commit_is_tried_again_and_not_accepted_until_then(self, consumer):
        consumer.done(P0, 10)
        consumer._thread.accepts = False
        assert not await consumer.commit()
        assert consumer.accepted == {}
        consumer._thread.accepts = True
        assert await consumer.commit()
        assert consumer._thread.commits == [{P0: 10}, {P0: 10}]
        assert consumer.accepted == {P0: 10}

    async def test_what_is_assigned_no_more_is_neither_committed_nor_accepted(self, consumer):
        consumer.done(P0, 10)
        consumer.done(P1, 20)
        consumer._thread.assigned = {P0}
        await consumer.commit()
        assert consumer._thread.commits == [{P0: 10}]
        assert consumer.accepted == {P0: 10}

    async def test_a_commit_that_comes_back_after_a_rebalance_is_not_accepted_for_the_new_assignment(self, consumer):
        def rebalanced():
            consumer.app.consumer_generation_id = 2

        consumer.done(P0, 10)
        consumer._thread.while_committing = rebalanced
        await consumer.commit()
        assert consumer.accepted == {}

    async def test_a_message_is_acked_once_and_lets_its_end_be_committed(self, consumer):
        [chunk] = await fetched(consumer, records(3, 4, 7))
        message = consumer._chunk_message(chunk)
        assert consumer.ack(message)
        assert not consumer.ack(message)
        await consumer.commit()
        assert consumer._thread.commits == [{P0: 8}]

    async def test_a_changelogs_chunk_lets_nothing_be_committed(self, consumer):
        [chunk] = await fetched(consumer, records(3))
        consumer.app.topics._acking_topics.clear()
        consumer.ack(consumer._chunk_message(chunk))
        await consumer.commit()
        assert consumer._thread.commits == []


class TestARevoke:
    async def test_folding_stops_before_the_last_commit_and_the_books_are_cleared_after_it(self, consumer, monkeypatch):
        told = []

        async def stopped_folding():
            told.append(("folding stopped", dict(consumer._next)))

        async def rest(revoked):
            told.append(("the rest", dict(consumer._next), dict(consumer.accepted), dict(consumer.starts)))

        consumer.app.on_revoke = stopped_folding
        monkeypatch.setattr(consumer, "_on_partitions_revoked", rest)
        consumer._thread.while_committing = lambda: told.append("commit")
        consumer.done(P0, 10)
        consumer.starts[P0] = 3
        await consumer.on_partitions_revoked({P0, P1})
        assert told == [("folding stopped", {P0: 10}), "commit", ("the rest", {}, {}, {})]
        assert consumer._thread.commits == [{P0: 10}]

    async def test_chunks_after_it_do_not_claim_to_follow_what_was_before_it(self, consumer, monkeypatch):
        async def nothing(*_):
            pass

        await fetched(consumer, records(0, 1))
        consumer.app.on_revoke = nothing
        monkeypatch.setattr(consumer, "_on_partitions_revoked", nothing)
        await consumer.on_partitions_revoked({P0, P1})
        consumer._active_partitions = {P0, P1}
        [chunk] = await fetched(consumer, records(2, 3))
        assert chunk.follows == UNKNOWN


class TestDelivery:
    async def test_a_fetch_of_a_partition_is_one_chunk_that_says_what_it_follows(self, consumer):
        await consumer.seek(P0, 5)
        chunks = await fetched(consumer, records(5, 6), records(7), records(9, 12))
        assert [(chunk.follows, chunk.first, chunk.last) for chunk in chunks] == [
            (AFTER_SEEK, 5, 6),
            (6, 7, 7),
            (7, 9, 12),
        ]
        assert {chunk.seeks for chunk in chunks} == {1}

    async def test_a_partition_without_room_is_not_asked_for_and_holds_nobody_up(self, consumer, monkeypatch):
        monkeypatch.setattr(consumer.app.folding, "with_room", lambda active: set(active) - {P0})
        assert await fetched(consumer, records(1, partition=1))
        monkeypatch.setattr(consumer.app.folding, "with_room", set)
        assert await fetched(consumer, records(2, partition=1))
        assert consumer._thread.asked == [({P1}, 0.0), ({P0, P1}, 1.0)]

    async def test_where_no_partition_has_room_nothing_is_asked_for_until_there_is(self, consumer, monkeypatch):
        waited = []

        async def made_room(timeout):  # noqa: ASYNC109  # the folding's
            waited.append(timeout)

        monkeypatch.setattr(consumer.app.folding, "with_room", lambda _: set())
        monkeypatch.setattr(consumer.app.folding, "made_room", made_room)
        assert await fetched(consumer, {}) == []
        assert (consumer._thread.asked, len(waited)) == ([], 1)

    async def test_partitions_are_told_apart(self, consumer):
        await consumer.seek(P0, 5)
        chunks = await fetched(consumer, {**records(5), **records(40, partition=1)})
        assert [(chunk.tp, chunk.follows) for chunk in chunks] == [(P0, AFTER_SEEK), (P1, UNKNOWN)]

    async def test_what_was_fetched_while_a_seek_was_under_way_is_not_delivered_but_sought_again(self, consumer):
        async def seek_meanwhile():
            await consumer.seek(P0, 3)
            consumer._thread.while_fetching = None

        consumer._thread.while_fetching = seek_meanwhile
        assert await fetched(consumer, records(8, 9)) == []
        assert consumer._thread.seeks == [(P0, 3), (P0, 3)]
        [chunk] = await fetched(consumer, records(3, 4))
        assert (chunk.follows, chunk.seeks) == (AFTER_SEEK, 2)

    async def test_a_chunk_that_nobody_wants_leaves_a_hole_that_shows(self, consumer):
        await fetched(consumer, records(0, 1))
        consumer._active_partitions = {P1}
        assert await fetched(consumer, records(2, 3)) == []
        consumer._active_partitions = {P0, P1}
        [chunk] = await fetched(consumer, records(4))
        assert chunk.follows == UNKNOWN

    @pytest.mark.parametrize("what", ["another generation", "the flow stopped"])
    async def test_a_rebalance_between_two_chunks_of_a_fetch_holds_the_second_back(self, consumer, what):
        consumer._thread.fetches = [{**records(0), **records(7, partition=1)}]
        delivered = []
        async for tp, _ in consumer.getmany(1.0):
            delivered.append(tp)
            if what == "another generation":
                consumer.app.consumer_generation_id = 2
            else:
                consumer.stop_flow()
        assert delivered == [P0]

    async def test_what_a_rebalance_overtakes_is_dropped_without_touching_what_may_be_assigned_no_more(self, consumer):
        """Seeking a revoked partition raises, and what the fetcher raises ends the worker."""

        async def rebalanced():
            consumer.stop_flow()

        consumer._follows[P0] = 7
        consumer._thread.while_fetching = rebalanced
        assert await fetched(consumer, records(8)) == []
        assert consumer._thread.seeks == []
        consumer.resume_flow()
        consumer._thread.while_fetching = None
        [chunk] = await fetched(consumer, records(9))
        assert chunk.follows == UNKNOWN, "the hole shows"

    async def test_a_partition_that_is_gone_when_it_is_to_be_sought_again_is_let_go(self, consumer, monkeypatch):
        async def gone(partition, offset):
            raise IllegalStateError(partition)

        async def seek_meanwhile():
            await consumer.seek_wait({P0: 3})

        consumer._thread.while_fetching = seek_meanwhile
        monkeypatch.setattr(consumer, "_seek", gone)
        assert await fetched(consumer, records(8)) == []

    async def test_a_fetch_that_goes_on_while_a_rebalance_cancels_and_seeks_is_read_again(self, consumer):
        """Faust cancels its fetcher, seeks for the restore, fetches on; the thread's first fetch takes what comes next.

        app     |--- waits for a fetch ---[cancelled] seek to 0 |--- fetches ---
        thread  |------------------- fetch -----------------------[0, 1, 2]     [3, 4]
        """
        under_way = asyncio.Event()
        consumer._thread.while_fetching = under_way.wait
        consumer._thread.fetches = [records(0, 1, 2), records(0, 1, 2), records(3, 4)]
        await consumer.seek_wait({P0: 0})
        waiting = asyncio.create_task(anext(consumer.getmany(1.0)))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        await consumer.seek_wait({P0: 0})
        under_way.set()
        chunks = [message.value for _ in range(3) async for _, message in consumer.getmany(1.0)]
        assert [(chunk.follows, chunk.first) for chunk in chunks] == [(AFTER_SEEK, 0), (2, 3)]

    async def test_a_fetch_that_goes_on_while_its_waiter_is_cancelled_is_given_to_the_next_one(self, consumer):
        under_way = asyncio.Event()
        consumer._thread.while_fetching = under_way.wait
        consumer._thread.fetches = [records(0, 1)]
        await consumer.seek(P0, 0)
        waiting = asyncio.create_task(anext(consumer.getmany(1.0)))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        under_way.set()
        [chunk] = [message.value async for _, message in consumer.getmany(1.0)]
        assert (chunk.follows, chunk.first, chunk.last) == (AFTER_SEEK, 0, 1)

    async def test_of_a_fetch_that_is_given_up_after_its_first_chunk_the_others_are_missed(self, consumer):
        consumer._thread.fetches = [{**records(0), **records(7, partition=1)}, records(8, partition=1)]
        await consumer.seek(P1, 7)
        delivered = consumer.getmany(1.0)
        await anext(delivered)
        await delivered.aclose()
        [chunk] = [message.value async for _, message in consumer.getmany(1.0)]
        assert (chunk.follows, chunk.first) == (7, 8), "not AFTER_SEEK: the hole shows"

    async def test_a_client_that_reads_no_more_ends_the_worker_so_that_it_begins_anew(self, consumer, monkeypatch):
        reasons = []

        async def crash(reason):
            reasons.append(reason)

        monkeypatch.setattr(consumer.app, "crash", crash)
        await fetched(consumer, {})
        assert reasons == []
        consumer._thread.dead = True
        await fetched(consumer, {})
        [again] = reasons
        assert isinstance(again, Again)

    async def test_while_the_flow_is_stopped_it_waits(self, consumer):
        consumer.stop_flow()
        consumer._thread.fetches = [records(0)]
        waiting = asyncio.create_task(anext(consumer.getmany(1.0)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        consumer.resume_flow()
        _, message = await waiting
        assert message.value.first == 0


class TestWhereAWorkerStarts:
    @pytest.mark.parametrize(
        ("committed", "start", "sought"),
        [
            pytest.param(10, 10, 10, id="where both are"),
            pytest.param(4, 10, 4, id="at a commit that is behind: the rest is replayed"),
            pytest.param(10, 4, 4, id="at the state, where the commit is ahead"),
            pytest.param(10, 0, 0, id="at the log's beginning, where there is no state"),
            pytest.param(None, 10, 0, id="at the log's beginning, where nothing was ever committed"),
        ],
    )
    async def test_it_starts_at_the_smaller_of_commit_and_state(self, consumer, committed, start, sought):
        consumer._thread.committed = {P0: committed, P1: 5}
        consumer.starts[P0] = start
        await consumer.perform_seek()
        assert consumer._thread.seeks == [(P0, sought), (P1, 5)]
        [chunk] = await fetched(consumer, records(min(start, committed or 0)))
        assert chunk.follows == AFTER_SEEK

    async def test_what_was_fetched_before_it_went_to_its_start_is_fetched_again_also_where_nothing_was_committed(
        self, consumer
    ):
        """The queues are cleared at the end of a restore: a chunk that was delivered by then is lost."""
        await fetched(consumer, records(0, 1))
        consumer._thread.committed = {P0: None, P1: 5}
        await consumer.perform_seek()
        assert consumer._thread.seeks == [(P0, 0), (P1, 5)]

    async def test_what_is_read_while_faust_goes_back_to_the_commits_is_not_taken_for_a_log_that_went_back(
        self, consumer
    ):
        """Faust seeks partition after partition, and tells when all are sought.

        P0  |--- 0 … 9 are read ---| sought: 8 … 9 are read again |                  | 8 … 9 are read
        P1                                                        | sought, all told |
        """
        await fetched(consumer, records(*range(10)))
        consumer._thread.committed = {P0: 8, P1: 5}
        meanwhile = []

        async def one_after_the_other():
            meanwhile.extend(await fetched(consumer, records(8, 9)))
            return dict(consumer._thread.committed)

        consumer._thread.seek_to_committed = one_after_the_other
        await consumer.perform_seek()
        assert meanwhile == []
        [chunk] = await fetched(consumer, records(8, 9))
        assert (chunk.first, chunk.follows) == (8, AFTER_SEEK)

    async def test_what_was_dropped_shows_as_a_hole_where_a_rebalance_ends_the_going_back(self, consumer):
        await fetched(consumer, records(*range(10)))

        async def overtaken():
            assert await fetched(consumer, records(10, 11)) == []
            raise asyncio.CancelledError

        consumer._thread.seek_to_committed = overtaken
        with pytest.raises(asyncio.CancelledError):
            await consumer.perform_seek()
        [chunk] = await fetched(consumer, records(12))
        assert chunk.follows == UNKNOWN

    async def test_a_restore_reads_from_where_it_sought(self, consumer):
        await consumer.seek_wait({P0: 0})
        [chunk] = await fetched(consumer, records(0, 1))
        assert (chunk.follows, chunk.seeks) == (AFTER_SEEK, 1)


class TestTheThreadsCommit:
    @pytest.mark.parametrize(
        "fault", [CommitFailedError("rebalanced"), IllegalGenerationError(), RequestTimedOutError()]
    )
    async def test_a_failed_commit_is_a_no_and_crashes_nothing(self, fault, monkeypatch):
        thread = PatientConsumerThread(make_app(CONFIG).consumer)

        async def refuse(_):
            raise fault

        monkeypatch.setattr(thread, "assignment", lambda: {P0})
        monkeypatch.setattr(thread, "_ensure_consumer", lambda: SimpleNamespace(commit=refuse))
        assert await thread._commit({P0: 3}) is False
        assert await thread._commit({P1: 3}) is False, "not ours"


async def test_a_fetch_that_finds_nothing_holds_up_what_is_sought_meanwhile_for_a_moment_only():
    """Faust has it wait for 1.5 s at the broker, and a restore ends with seeking every partition."""
    app = make_app(CONFIG)
    app.finalize()
    thread = PatientConsumerThread(app.consumer, loop=asyncio.get_running_loop(), beacon=app.beacon)
    try:
        client = thread._create_worker_consumer(app.transport)
        await client.stop()
    finally:
        thread.thread_loop.close()
    assert client._fetch_max_wait_ms == FETCH_MAX_WAIT_MS <= 100
    assert client._key_deserializer is as_they_are, "and its records come without aiokafka's wrapping"


async def test_receipts_are_read_in_the_consumers_thread_and_a_changelog_is_left_as_it_is(monkeypatch):
    app = make_app(CONFIG)
    changelog = TopicPartition("tillstream-worker-e1-state-changelog", 0)
    found = {one: Records.of([Record(7, 1, b"12", b"{}")]) for one in (TopicPartition(*P0), changelog)}

    async def fetched(*_, **__):
        return found

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetched)
    thread = PatientConsumerThread(app.consumer)
    given = await thread._fetch_records(None, set(), timeout=0)
    assert given[changelog] is found[changelog]
    read = given[TopicPartition(*P0)]
    assert list(read) == list(found[changelog])
    assert ChunkRead(PartitionState(1, 0, "me", Windows(1, 1)), read, "pos.receipts", 0).reading is read.reading
