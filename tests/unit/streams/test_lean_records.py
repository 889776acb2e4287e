"""A worker's records come in columns, those of other consumers in the same process as aiokafka has them."""

import gc
import weakref
from types import SimpleNamespace

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import ConsumerRecord, TopicPartition

from kernel.records import Records
from streams.batches import fill
from streams.lean_records import as_they_are, lean

TP = TopicPartition("t", 1)
MESSAGES = [(b"12", b"{}", []), (None, b"x", [("reason", b"y")]), (b"gone", None, [])]
EACH = [(key, value) for key, value, _ in MESSAGES]
BASE_OFFSET = slice(0, 8)


@pytest.fixture(autouse=True)
def _put_back(monkeypatch):
    for name in ("PartitionRecords", "MemoryRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    monkeypatch.setattr(fetcher.FetchResult, "getall", fetcher.FetchResult.getall)


class Assignment:
    """One partition that is assigned, and its position."""

    def __init__(self, position):
        self.position = position
        self.resume_fut = None
        self.active = True

    def state_value(self, _):
        return self

    def is_assigned(self, _):
        return True

    has_valid_position = True
    paused = False

    def consumed_to(self, position):
        self.position = position


def batch(messages=MESSAGES, base=0, compression=0):
    builder = BatchBuilder(1_000_000, compression)
    assert fill(builder, messages, 0) == len(messages)
    text = bytearray(builder._build())
    text[BASE_OFFSET] = base.to_bytes(8, "big")  # the checksum does not cover it
    return bytes(text)


def fetched(text, offset=0, *, leanly=True, crcs=True):
    """(a fetch as a consumer takes it, what it knows of the partition)."""
    consumer = SimpleNamespace()
    lean(consumer)
    assert consumer._key_deserializer is as_they_are
    assignment = Assignment(offset)
    records = fetcher.PartitionRecords(
        TP, fetcher.MemoryRecords(text), None, offset, as_they_are if leanly else None, None, crcs, 0
    )
    result = fetcher.FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    result.check_assignment = lambda _: True
    return result, assignment


def taken(result, most=None):
    found = result.getall(most)
    assert not found or isinstance(found, Records)
    return [(one.offset, one.key, one.value) for one in found]


@pytest.mark.parametrize("compression", range(5))
def test_they_have_what_the_fold_and_the_restore_read(compression):
    result, assignment = fetched(batch(compression=compression, base=40))
    found = result.getall(100)
    assert [(one.key, one.value) for one in found] == EACH
    assert found.offsets() == [40, 41, 42]
    assert min(found.timestamps()) == max(found.timestamps()) > 1_700_000_000_000
    assert (assignment.position, result.has_more()) == (43, False)
    assert result.getall() == []


def test_where_the_broker_stamps_a_batch_its_stamp_is_that_of_each_record():
    text = bytearray(batch())
    text[22] |= 0x08
    text[35:43] = (1_900_000_000_000).to_bytes(8, "big")
    result, _ = fetched(bytes(text), crcs=False)
    assert result.getall().timestamps() == [1_900_000_000_000] * 3


def test_other_consumers_get_aiokafkas_own():
    result, assignment = fetched(batch(), leanly=False)
    found = result.getall(2) + result.getall(2)
    assert {type(one) for one in found} == {ConsumerRecord}
    assert [(one.key, one.value, list(one.headers)) for one in found] == MESSAGES
    assert (assignment.position, result.has_more()) == (3, False)


def test_as_many_as_are_wanted_are_taken_from_as_many_batches_as_it_takes():
    text = b"".join(batch(base=base) for base in (0, 3, 10))
    result, assignment = fetched(text)
    positions, offsets = [], []
    while result.has_more():
        offsets.append([offset for offset, *_ in taken(result, 2)])
        positions.append(assignment.position)
    assert offsets == [[0, 1], [2, 3], [4, 5], [10, 11], [12]]
    assert positions == [2, 4, 6, 12, 13]
    assert [one[0] for one in taken(fetched(text)[0])] == [0, 1, 2, 3, 4, 5, 10, 11, 12]


def test_what_stands_before_the_position_is_left_out_and_a_batch_may_end_in_a_hole():
    text = bytearray(batch(base=0) + batch(base=3))
    text[23:27] = (5).to_bytes(4, "big")  # its last offset was compacted away
    result, assignment = fetched(bytes(text), 2, crcs=False)
    assert [one[0] for one in taken(result, 1)] == [2]
    assert assignment.position == 6
    result, _ = fetched(bytes(text), 4, crcs=False)
    assert [one[0] for one in taken(result)] == [4, 5]


def control_batch(base):
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=1, producer_id=7, producer_epoch=0, base_sequence=0, batch_size=999
    )
    builder.append(0, 7, b"\0\0\0\1", b"\0\0\0\0\0\0", [])
    text = bytearray(builder.build())
    text[BASE_OFFSET] = base.to_bytes(8, "big")
    text[22] |= 0x20
    return bytes(text)


def test_marks_of_transactions_are_passed_over():
    result, assignment = fetched(batch(base=0) + control_batch(3) + batch(base=4) + control_batch(7), crcs=False)
    assert [one[0] for one in taken(result, 3)] == [0, 1, 2]
    assert [one[0] for one in taken(result, 9)] == [4, 5, 6]
    assert (assignment.position, result.has_more()) == (8, False)
    result, assignment = fetched(control_batch(9), 9, crcs=False)
    assert taken(result, 9) == []
    assert (assignment.position, result.has_more()) == (10, False)


def test_the_format_before_is_read_too():
    builder = LegacyRecordBatchBuilder(1, 0, 10_000)
    for offset, (key, value) in enumerate(EACH):
        assert builder.append(offset, 1_800_000_000_000, key, value) is not None
    result, _ = fetched(bytes(builder.build()), 1)
    assert taken(result) == [(1, *EACH[1]), (2, *EACH[2])]


def test_a_batch_that_was_harmed_is_fetched_again_with_what_came_before_it():
    harmed = bytearray(batch(base=3))
    harmed[-3] ^= 1
    result, assignment = fetched(batch(base=0) + bytes(harmed) + batch(base=6))
    with pytest.raises(CorruptRecordException):
        result.getall(5)
    assert assignment.position == 0
    assert (taken(result), assignment.position, result.has_more()) == ([], 0, False)
    result, assignment = fetched(batch(base=0) + bytes(harmed))
    assert [one[0] for one in taken(result, 3)] == [0, 1, 2]
    with pytest.raises(CorruptRecordException):
        result.getall(5)
    assert assignment.position == 3


def test_a_batch_whose_records_are_none_is_corrupt_too():
    text = bytearray(batch())
    text[57:61] = (4).to_bytes(4, "big")
    result, _ = fetched(bytes(text), crcs=False)
    with pytest.raises(CorruptRecordException, match="a batch that"):
        result.getall()


def test_what_was_fetched_goes_with_its_last_record_and_waits_for_no_collector():
    """A worker in its stride makes as many objects as it gives up, and Python collects by how many there are more."""
    gc.disable()
    try:
        for most in (2, 3, 100):
            result, _ = fetched(batch(base=0) + batch(base=3))
            kept = weakref.ref(result._partition_records)
            while result.has_more():
                result.getall(most)
            assert kept() is None
    finally:
        gc.enable()


def test_what_is_no_longer_assigned_is_not_given():
    result, _ = fetched(batch())
    result.check_assignment = lambda _: False
    assert result.getall(5) == []


def test_a_batch_takes_what_fits_and_says_where_it_stopped():
    messages = [(b"k", b"v" * 300, [])] * 10
    at, batches = 0, []
    while at < len(messages):
        batches.append(BatchBuilder(1_000, 0))
        begun, at = at, fill(batches[-1], messages, at)
        assert batches[-1].record_count() == at - begun > 0
    assert [batch._closed for batch in batches] == [True] * (len(batches) - 1) + [False]
    assert len(batches) > 2
