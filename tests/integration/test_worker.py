"""Workers on the embedded broker, in this process: what they leave in Kafka equals a batch pass over the log.

No sink takes part: the messages of `sales.windows`, `pos.late` and `pos.rejected` are read back as the outside
keeps them (the larger version wins), partition by partition.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import topics
from schemas.errors import Stop
from streams.app import run_worker
from streams.consumer_thread import PatientConsumerThread
from streams.records import decode_partition, encode_partition, partition_key, read_key
from streams.state import PartitionState
from streams.windows import Windows
from tests.integration.harness import publish
from tests.integration.test_exact import receipts
from tests.unit.streams.world import Sent, message, oracle
from tillstream import kafka
from tillstream.roles import worker_config

pytestmark = pytest.mark.integration
ROLES = {topics.WINDOWS: "windows", topics.LATE: "late", topics.REJECTED: "rejected"}


@asynccontextmanager
async def worker(settings):
    """A worker that has its partitions; stopped cleanly at the end."""
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(run_worker(worker_config(settings, 1), stop, ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.gather(running, return_exceptions=True)
    running.result()


async def whole(settings, name):
    """Every record of a topic as of now, by partition."""
    found = defaultdict(list)
    async with AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        tps = [TopicPartition(settings.topic_prefix + name, partition) for partition in range(settings.partitions)]
        ends = await kafka.end_offsets(consumer, tps)
        await consumer.seek_to_beginning(*tps)
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                for record in (await consumer.getmany(tp, timeout_ms=1_000)).get(tp, []):
                    found[tp.partition].append(record)
    return found


async def until_counted(settings, many):
    """Return once the changelog vouches for so many messages: all that came of them is acknowledged by then."""
    counted = {}
    changelog = topics.changelog_topic(settings.topic_prefix, 1)
    async with asyncio.timeout(90), AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        consumer.assign([TopicPartition(changelog, at) for at in range(settings.partitions)])
        await consumer.seek_to_beginning()
        while sum(counted.values()) < many:
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    if record.value is not None and read_key(record.key)[0] is None:
                        messages = sum(decode_partition(record.value).counts.values())
                        counted[tp.partition] = max(counted.get(tp.partition, 0), messages)


async def check_exact(settings):
    """Compare what stands in the output topics with a batch pass over the log; gives the counts by result."""
    windows, counted = Windows(settings.window_us, settings.grace_us), defaultdict(int)
    log = await whole(settings, topics.RECEIPTS)
    sent = defaultdict(Sent)
    for name, role in ROLES.items():
        for partition, records in (await whole(settings, name)).items():
            for record in records:
                sent[partition].take_message(role, record.key, record.value, record.headers)
    for partition, records in log.items():
        rows, counts, late = oracle(records, windows)
        assert sent[partition].totals() == rows
        assert sent[partition].results() == counts
        assert set(sent[partition].late) == late
        assert len(sent[partition].rejected) == counts.get("rejected", 0)
        for result, count in counts.items():
            counted[result] += count
    assert sum(counted.values()) == sum(len(records) for records in log.values())
    return counted


async def test_workers_that_join_and_leave_in_the_middle_share_the_partitions_and_stay_exact(migrated):
    sent = receipts(3_000, seed=11)
    async with worker(migrated):
        await publish(migrated, sent[:1_000])
        load = asyncio.create_task(publish(migrated, sent[1_000:2_000], pause=0.2))
        async with worker(migrated):
            await load
            await until_counted(migrated, 1_500)
        await publish(migrated, sent[2_000:])
        await until_counted(migrated, len(sent))
    counted = await check_exact(migrated)
    assert counted["folded"] > 2_500
    assert counted["duplicate"] > 30
    assert counted["late"] > 30


async def test_a_restarted_worker_goes_on_from_its_state_wherever_the_commit_stands(migrated, monkeypatch):
    """The first one's commits are all lost, so that the second reads from the beginning; the second one's are
    far ahead, beyond the log's end, so that the third must go back to its state, without a new receipt to tell it.
    """
    sent = receipts(1_200, seed=12)
    honest = PatientConsumerThread._commit

    async def lost(thread, offsets):
        return False

    async def ahead(thread, offsets):
        return await honest(thread, {tp: at + 1_000 for tp, at in offsets.items()})

    for run, commits in enumerate((lost, ahead, honest), start=1):
        monkeypatch.setattr(PatientConsumerThread, "_commit", commits)
        await publish(migrated, sent[(run - 1) * 400 : run * 400])
        async with worker(migrated):
            await until_counted(migrated, run * 400)
        await check_exact(migrated)


async def test_a_window_of_20000_skus_and_a_chunk_of_many_stores_arrive_whole(migrated, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    wide = [
        ("0", message(f"w{at}", -20_000, [(f"sku{at + n}", "1", "0.01") for n in range(2_000)], "0"))
        for at in range(0, 20_000, 2_000)
    ]
    many = [(str(store), message("t", -20_000, store=str(store))) for store in range(1, 600)]
    await publish(migrated, [*wide, *many])  # before anyone reads, so that they come in few chunks
    async with worker(migrated):
        await until_counted(migrated, len(wide) + len(many))
    assert await check_exact(migrated) == {"folded": len(wide) + len(many)}
    largest = max(
        len(skus)
        for records in (await whole(migrated, topics.WINDOWS)).values()
        for record in records
        for days in msgspec.json.decode(record.value).get("rows", {}).values()
        for skus in days.values()
    )
    assert largest == 5_000, "cut, and no smaller than it needs be"
    assert list(tmp_path.iterdir()) == [], "a worker leaves no folders where it was started"


@pytest.mark.parametrize(
    ("applied", "sentence"),
    [
        pytest.param(50, r"ends before offset 3, but its receipts up to 50 were counted", id="shorter"),
        pytest.param(1, r"does not hold the receipt that was counted at offset 1", id="another one"),
    ],
)
async def test_a_worker_refuses_a_log_that_is_not_the_one_it_counted(migrated, applied, sentence):
    """The changelog is of a `pos.receipts` that is gone: somebody deleted the topic and created it anew."""
    state = PartitionState(1, 0, "gone", Windows(migrated.window_us, migrated.grace_us), applied, fingerprint=99)
    options = kafka.client_options(migrated)
    async with AIOKafkaProducer(**options) as producer:
        changelog = topics.changelog_topic(migrated.topic_prefix, 1)
        await producer.send_and_wait(changelog, encode_partition(state), partition_key(0, "gone"), partition=0)
        for at in range(3):
            value = message(f"t{at}", -20_000)
            await producer.send_and_wait(migrated.topic_prefix + topics.RECEIPTS, value, b"12", partition=0)
    with pytest.raises(Stop, match=sentence):
        async with worker(migrated):
            pass
    assert await whole(migrated, topics.WINDOWS) == {}, "nothing was counted"
