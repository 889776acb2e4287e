"""Kafka's batches as the journal keeps them: the same bytes, but for producers' numbers and refused card numbers."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from schemas.errors import Stop
from tillstream.local.journal.batch import anonymous, split, stubbed

from .disks import batch, records


@pytest.mark.parametrize("compression", [0, 1, 3, 4])
def test_a_fetch_is_split_into_its_batches_and_a_cut_one_at_its_end_is_left_out(compression):
    sent = [batch("t", 1, begin, [b"x" * 50] * 3, compression=compression) for begin in (0, 3, 6)]
    fetched = b"".join(one.data for one in sent)
    assert list(split("t", 1, fetched)) == sent
    for size in range(len(sent[0].data) + len(sent[1].data), len(fetched)):
        assert list(split("t", 1, fetched[:size])) == sent[:2]


def test_what_is_no_batch_of_records_is_a_sentence_with_its_place():
    data = bytearray(batch("t", 1, 7, [b"x"]).data)
    data[16] = 1
    with pytest.raises(Stop, match="t, partition 1, offset 7, holds what the journal cannot keep: a message of Kafka"):
        list(split("t", 1, bytes(data)))
    data[16], data[22] = 2, data[22] | 0x20
    with pytest.raises(Stop, match="a mark of a transaction"):
        list(split("t", 1, bytes(data)))


def test_a_producers_number_and_sequence_are_taken_out_and_the_checksum_is_right():
    one = batch("t", 1, 7, [b"a", b"b"], producer_id=99, producer_epoch=3, base_sequence=17)
    plain = anonymous(one)
    read = DefaultRecordBatch(plain.data)
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (-1, -1, -1)
    assert records(plain) == records(one)
    assert plain == batch("t", 1, 7, [b"a", b"b"])
    assert anonymous(plain) is plain


@pytest.mark.parametrize("compression", [0, 4])
def test_a_stub_takes_the_place_of_one_record_and_nothing_else_changes(compression):
    one = batch("t", 1, 7, [b"a", b"secret", None], compression=compression)
    kept = stubbed(one, lambda key, value: (None, b"stub") if value == b"secret" else None)
    read = DefaultRecordBatch(kept.data)
    assert read.validate_crc()
    assert read.compression_type == compression
    before, after = records(one), records(kept)
    assert (after[0], after[2]) == (before[0], before[2])
    offset, when, _, _, headers = before[1]
    assert after[1] == (offset, when, None, b"stub", headers)
    assert stubbed(one, lambda *_: None) is one
