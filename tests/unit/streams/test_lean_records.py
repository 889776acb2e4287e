"""A worker's records come without aiokafka's wrapping, those of other consumers in the same process with it."""

from types import SimpleNamespace

import pytest
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.batches import fill
from streams.lean_records import as_they_are, lean

MESSAGES = [(b"12", b"{}", []), (None, b"x", [("reason", b"y")]), (b"gone", None, [])]


def read(key_deserializer):
    batch = BatchBuilder(10_000, 0)
    assert fill(batch, MESSAGES, 0) == len(MESSAGES)
    fetched = MemoryRecords(bytes(batch._build()))
    return list(
        fetcher.PartitionRecords(TopicPartition("t", 1), fetched, None, 0, key_deserializer, None, True, 0)
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _put_back(monkeypatch):
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)


@pytest.mark.parametrize("leanly", [True, False])
def test_they_have_what_the_fold_and_the_restore_read(leanly):
    consumer = SimpleNamespace()
    lean(consumer)
    assert consumer._key_deserializer is as_they_are
    found = read(as_they_are if leanly else None)
    assert {isinstance(record, ConsumerRecord) for record in found} == {not leanly}
    assert [(one.key, one.value, list(one.headers)) for one in found] == MESSAGES
    assert [one.offset for one in found] == [0, 1, 2]
    assert len({(one.timestamp, one.timestamp_type) for one in found}) == 1
    assert found[0].timestamp > 1_700_000_000_000


def test_a_batch_takes_what_fits_and_says_where_it_stopped():
    messages = [(b"k", b"v" * 300, [])] * 10
    at, batches = 0, []
    while at < len(messages):
        batches.append(BatchBuilder(1_000, 0))
        begun, at = at, fill(batches[-1], messages, at)
        assert batches[-1].record_count() == at - begun > 0
    assert [batch._closed for batch in batches] == [True] * (len(batches) - 1) + [False]
    assert len(batches) > 2
