"""The journal between a real broker, a real ClickHouse and a disk that stalls or fills up: offsets, rows and the gate.

published  0 ........ 400 ........ 800 ........ 1000
journal    [---------]                                   the disk stalls here: 400 to 800 are counted, not kept
crash                           x                        rows of 400 to 800 go before these offsets come again
published             400' .............. 1000'          other receipts, at the same offsets
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatch

from schemas import feed, stub
from schemas.errors import Stop
from schemas.topics import EPOCHS, FEED, RECEIPTS
from tests.faults.load import receipts
from tests.faults.oracle import Oracle
from tests.integration.harness import publish, ready, roles
from tests.integration.journals import journaled, until_journaled
from tillstream import ch, kafka
from tillstream.local.broker import broker_argv
from tillstream.local.journal.disk import Folder
from tillstream.local.journal.recovery import blocks, recover
from tillstream.local.journal.run import Journal
from tillstream.local.launch import EmbeddedServer, free_port
from tillstream.migrate import migrate
from tillstream.publish import partition_of
from tillstream.reconcile.run import reconcile
from tillstream.settings import Settings
from tillstream.waiting import admin, wait_for_kafka

pytestmark = pytest.mark.integration
MARK = 64  # bytes, more than a block without batches has


@pytest.fixture
def own(clickhouse, tmp_path):
    """Settings of a broker with a journal of its own."""
    return Settings(
        kafka_url=f"kafka://127.0.0.1:{free_port()}",
        clickhouse_url=f"{clickhouse}/journal_{tmp_path.name[-40:].replace('-', '_')}",
        partitions=2,
        data_dir=tmp_path,
        metrics_bind="127.0.0.1:0",
    )


class Disk(Folder):
    """A folder whose writes can be held up or refused."""

    def __init__(self, settings):
        super().__init__(settings.data_dir / "broker" / "journal")
        self.may_write, self.may_read = threading.Event(), threading.Event()
        self.may_write.set()
        self.may_read.set()
        self.reads, self.full, self.gone = 0, False, False

    def append(self, name, data):
        self.may_write.wait()
        if self.gone:
            raise OSError(errno.EIO, "the machine is gone")
        if self.full:
            super().append(name, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(name, data)

    def read(self, name):
        self.reads += 1
        if self.reads > 1:  # the second time is for the broker
            self.may_read.wait()
        return super().read(name)


@asynccontextmanager
async def broker(settings, disk, *, crash=False, wait=True, ends=False):
    """A broker with its journal, as `up` runs them; gives the journal's task and the event that stops it.

    With `crash` the broker is killed, and nothing more reaches the disk. `ends`: the test sees the journal end.
    """
    inner = free_port()
    server = EmbeddedServer(
        broker_argv("127.0.0.1", inner, settings.kafka_servers[0]), settings.data_dir / "broker.log"
    )
    server.start()
    stop = asyncio.Event()
    journal = Journal(settings, ("127.0.0.1", inner), disk, own_clickhouse=True)
    task = asyncio.create_task(journal.run(stop))
    try:
        if wait:
            await answers(settings, task)
        yield task, stop
        if crash:
            disk.gone = True
            disk.may_write.set()
            server.process.kill()
        stop.set()
        if not ends:
            await task
    finally:
        disk.gone = True
        disk.may_write.set()
        disk.may_read.set()
        stop.set()
        server.process.kill()
        server.process.wait()
        await asyncio.gather(task, return_exceptions=True)


async def answers(settings, task):
    waiting = asyncio.create_task(wait_for_kafka(settings))
    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    await waiting


def is_shut(settings):
    host, _, port = settings.kafka_servers[0].rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


async def log(settings, topic=RECEIPTS, partitions=2):
    """By partition: offset, timestamp, key, headers and value of every record."""
    async with AIOKafkaConsumer(**kafka.client_options(settings), **kafka.TO_THE_END) as consumer:
        parts = [TopicPartition(topic, number) for number in range(partitions)]
        ends = await kafka.end_offsets(consumer, parts)
        await consumer.seek_to_beginning(*parts)
        found = {part.partition: [] for part in parts}
        while any(len(found[part.partition]) < ends[part] for part in parts):
            for part, records in (await consumer.getmany(*parts, timeout_ms=100)).items():
                found[part.partition] += [(r.offset, r.timestamp, r.key, r.headers, r.value) for r in records]
        return found


async def judge(settings):
    """Differences of ClickHouse from an oracle's pass over the log, once all is counted."""
    await reconcile(settings, wait=60)
    oracle = Oracle(settings.window, settings.grace)
    for records in (await log(settings)).values():
        oracle.take([value for *_, value in records])
    with ch.connect(settings) as client:
        return oracle.differences(client)


async def test_rows_of_lost_receipts_go_before_their_offsets_come_again(own, environment):
    sent, other = receipts(1_000, seed=21), receipts(2_000, seed=22)[1_000:]
    disk = Disk(own)
    async with broker(own, disk, crash=True, ends=True):
        await migrate(own)
        with roles(environment, own, "worker", "sink"):
            await ready(own)
            await publish(own, sent[:400])
            await until_journaled(own, 400)
            disk.may_write.clear()
            await publish(own, sent[400:800])
            assert await judge(own) == 0
        before = await log(own)
    with ch.connect(own) as client:  # an epoch whose message was lost as well
        client.command("INSERT INTO partition_results VALUES (7, 0, 'folded', 0, 1)")
    kept = journaled(own)
    assert kept.total() == 400
    assert sum(map(len, before.values())) == 800
    disk = Disk(own)
    async with broker(own, disk):
        with ch.connect(own) as client:
            for table, column in (
                ("sales_windows", "version"), ("store_windows", "version"), ("partition_results", "version"),
                ("late_lines", "offset"), ("receipts", "offset"), ("receipt_lines", "offset"), ("rejected", "offset"),
            ):  # fmt: skip
                rows = client.query(f"SELECT partition, max({column}) FROM {table} GROUP BY partition").result_rows
                assert rows or table in {"partition_results", "late_lines", "rejected"}, "older ones stay"
                assert all(last < kept[partition] for partition, last in rows), table
            assert client.query("SELECT count() FROM partition_results WHERE epoch != 1").result_rows == [(0,)]
        again = await log(own)
        assert again == {partition: records[: kept[partition]] for partition, records in before.items()}
        report = await migrate(own)
        assert not report.epoch_created, "the epoch came back too"
        await publish(own, other)
        with roles(environment, own, "worker", "sink"):
            assert await judge(own) == 0
    assert journaled(own).total() == 400 + len(other)


async def test_no_client_gets_in_before_the_replay_is_complete(own):
    sent = receipts(300, seed=23)
    async with broker(own, Disk(own)):
        await publish(own, sent)
        before = await log(own)
    disk = Disk(own)
    disk.may_read.clear()
    async with broker(own, disk, wait=False) as (task, _):
        producer = asyncio.create_task(_publish_when_it_can(own, [("s", b"first of all")]))
        async with asyncio.timeout(30):
            while disk.reads < 2:  # noqa: ASYNC110  # the replay begins
                await asyncio.sleep(0.01)
        assert is_shut(own)
        assert not producer.done()
        disk.may_read.set()
        await answers(own, task)
        await producer
        after = await log(own)
        for partition, records in before.items():
            assert after[partition][: len(records)] == records
        assert sum(map(len, after.values())) == len(sent) + 1


async def _publish_on(settings):
    for number in range(1_000):
        await publish(settings, receipts(5, seed=number))
        await until_journaled(settings, 5 * number + 5)


async def _publish_when_it_can(settings, sent):
    await wait_for_kafka(settings)
    await publish(settings, sent)


async def test_a_full_disk_shuts_clients_out_with_a_sentence_and_all_is_kept_once_there_is_room(own, caplog):
    sent = receipts(200, seed=24)
    disk = Disk(own)
    async with broker(own, disk):
        await publish(own, sent[:100])
        await until_journaled(own, 100)
        disk.full = True
        await publish(own, sent[100:])
        async with asyncio.timeout(30):
            while not is_shut(own):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
        assert caplog.text.count("cannot be written: No space left on device; clients are shut out until it can") == 1
        assert str(own.data_dir / "broker" / "journal") in caplog.text
        disk.full = False
        await wait_for_kafka(own)
        before = await log(own)
        assert journaled(own).total() == len(sent)
    async with broker(own, Disk(own)):
        assert await log(own) == before


async def test_a_disk_that_fills_up_after_the_last_message_shuts_clients_out_and_lets_them_in_again(own, caplog):
    disk = Disk(own)
    async with broker(own, disk) as (task, _):
        write = disk.append

        def refuse_marks(name, data):
            if len(data) < MARK:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(name, data)

        disk.append = refuse_marks
        await publish(own, receipts(10, seed=27))
        async with asyncio.timeout(30):
            while not is_shut(own):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
        assert journaled(own).total() == 10
        disk.append = write
        await answers(own, task)
    assert "the journal is written again: clients get in again" in caplog.text


async def test_stopped_while_the_disk_is_full_it_says_what_is_lost(own):
    disk = Disk(own)
    async with broker(own, disk, ends=True) as (task, stop):
        disk.full = True
        await publish(own, receipts(10, seed=25))
        async with asyncio.timeout(30):
            while not is_shut(own):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
        stop.set()
        with pytest.raises(Stop, match=r"not be written: No space left on device\. What was published since is lost"):
            await task
    async with broker(own, Disk(own)):
        assert not any((await log(own)).values())


async def test_a_full_broker_takes_no_more_warns_before_and_names_the_setting(own, caplog):
    small = own.model_copy(update={"embedded_max": 60_000})
    async with broker(small, Disk(small), ends=True) as (task, _):
        publishing = asyncio.create_task(_publish_on(small))
        with pytest.raises(Stop, match="TILLSTREAM_EMBEDDED_MAX lets it hold 0 MiB: it takes no more"):
            await task
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        assert is_shut(small)
        assert "before it is full, go on with Apache Kafka" in caplog.text
    with pytest.raises(Stop, match="Set TILLSTREAM_EMBEDDED_MAX higher"):
        async with broker(small, Disk(small), ends=True):
            pass
    async with broker(own, Disk(own)):
        assert sum(map(len, (await log(own)).values())) == journaled(own).total() > 10


async def test_a_database_with_rows_of_another_log_is_refused_and_keeps_them(own, tmp_path):
    async with broker(own, Disk(own)):
        await migrate(own)
        with ch.connect(own) as client:
            client.command("INSERT INTO partition_results VALUES (1, 0, 'folded', 17, 18)")
    other = own.model_copy(update={"data_dir": tmp_path / "other"})
    for _ in range(2):
        with pytest.raises(Stop, match="holds rows of another log than this data folder's journal"):
            async with broker(other, Disk(other), ends=True):
                pass
    with ch.connect(own) as client:
        assert client.query("SELECT count() FROM partition_results").result_rows == [(1,)]


async def test_epochs_come_back_at_their_offsets_and_a_card_number_is_nowhere_in_the_journal(own):
    card = {"store_id": "12", "transaction_id": "t", "customer_id": "4111 1111 1111 1111", "lines": []}
    value = json.dumps(card).encode()
    async with broker(own, Disk(own)):
        await migrate(own)
        await publish(own, [("12", value), ("12", b"good or not")])
        epochs = await log(own, EPOCHS, 1)
        before = await log(own)
    found = recover(Disk(own), "", own.partitions)
    stored = b"".join(one.data for block in blocks(Disk(own), found) for one in block.batches())
    assert b"4111" not in stored
    assert b"good or not" in stored
    async with broker(own, Disk(own)):
        assert await log(own, EPOCHS, 1) == epochs
        after = await log(own)
        (was,) = [records for records in before.values() if records]
        (now,) = [records for records in after.values() if records]
        assert [one[:4] for one in now] == [one[:4] for one in was]
        assert now[1] == was[1]
        assert stub.read(now[0][4]) is not None


async def test_a_deleted_topic_ends_it_with_a_sentence(own):
    async with broker(own, Disk(own), ends=True) as (task, _):
        await publish(own, receipts(10, seed=26))
        await until_journaled(own, 10)
        async with admin(own) as client:
            await client.delete_topics([RECEIPTS])
        with pytest.raises(Stop, match=r"pos.receipts, partition \d, ends before its journal.*the topic was deleted"):
            async with asyncio.timeout(30):
                await task


async def test_the_feed_is_never_ahead_of_its_receipts_in_the_journal(own):
    # What a worker tells right after the receipt may be read by the very fetch that came too early for this one.
    async def tell(producer, store):
        place = partition_of(store, own.partitions)
        for _ in range(5):
            read = await producer.send_and_wait(RECEIPTS, b"{}", key=store, partition=place)
            told = feed.Sales(log=1, offset=read.offset, store_id="12", watermark=0, receipts=[])
            await producer.send_and_wait(FEED, feed.encode(told), key=store, partition=place)

    async with broker(own, Disk(own)):
        await migrate(own)
        async with AIOKafkaProducer(**kafka.client_options(own), acks="all") as producer:
            sent, sizes = 0, set()
            async with asyncio.timeout(60):
                while len(sizes) < 10:  # the journal was written while all this went on
                    await asyncio.gather(*(tell(producer, b"%d" % number) for number in range(40)))
                    sent += 200
                    sizes.add(sum(len(Disk(own).read(name)) for name in Disk(own).names()))
    ends, ahead = Counter(), 0
    for block in blocks(Disk(own), recover(Disk(own), "", own.partitions)):
        for one in block.batches():
            ends[one.topic, one.partition] = one.end
        for one in block.batches():
            if one.topic == FEED:
                told = [feed.decode(record.value).offset for record in DefaultRecordBatch(one.data)]
                ahead += max(told) >= ends[RECEIPTS, one.partition]
    assert ends.total() == 2 * sent + 1, "all of it, and the epoch"
    assert ahead == 0
