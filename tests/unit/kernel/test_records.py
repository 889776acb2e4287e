"""Batches of Kafka's format 2 are taken apart as aiokafka does it, and nothing that they say leads beyond them."""

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.records import Record, Records, read_batch
from kernel.tombstones import framed_tombstones
from streams.batches import fill
from streams.framed import Framed

HEADER = 61
texts = st.none() | st.binary(max_size=200)
messages = st.lists(
    st.tuples(texts, texts, st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9)), max_size=3)).filter(
        lambda one: one[0] is not None or one[1] is not None
    ),
    min_size=1, max_size=20,
)  # fmt: skip


def batch_of(found):
    """(the records as they stand in a batch, the same as aiokafka reads them)."""
    builder = BatchBuilder(100_000, 0)
    assert fill(builder, found, 0) == len(found)
    text = bytes(builder._build())
    return text[HEADER:], list(MemoryRecords(text).next_batch())


@given(messages, st.integers(0, 2**62), st.integers(0, 25), st.none() | st.integers(0, 2**41))
@settings(deadline=None)
def test_records_are_those_that_aiokafka_reads(found, base, left_out, stamp):
    text, theirs = batch_of(found)
    first_time = theirs[0].timestamp
    ours = read_batch(text, len(found), base, base + left_out, first_time, stamp)
    wanted = [
        Record(base + one.offset, one.timestamp if stamp is None else stamp, one.key, one.value)
        for one in theirs[left_out:]
    ]
    assert list(ours) == [ours[at] for at in range(len(ours))] == wanted
    assert (ours.offsets(), ours.timestamps()) == ([one[0] for one in wanted], [one[1] for one in wanted])
    again = Records.of(wanted)
    assert list(again) == wanted
    assert Records.of(again) is again


@given(st.lists(messages, max_size=4), st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None)
def test_parts_are_one_after_the_other_and_can_be_cut(batches, begin, end):
    parts = [read_batch(batch_of(found)[0], len(found), 100 * at, 0, 7, None) for at, found in enumerate(batches)]
    wanted = [record for part in parts for record in part]
    joined = Records.joined(parts)
    assert list(joined) == wanted
    assert list(joined[begin:end]) == wanted[begin:end]
    assert list(Records.joined([joined[begin:end], joined])) == wanted[begin:end] + wanted
    if wanted:
        assert joined[-1] == wanted[-1]
    with pytest.raises(IndexError):
        joined[len(wanted)]


@given(messages, st.data())
@settings(deadline=None)
def test_a_batch_that_is_not_as_it_should_be_is_an_error_and_never_read_beyond(found, data):
    text, _ = batch_of(found)
    for cut in range(len(text)):
        with pytest.raises(ValueError, match="a batch that"):
            read_batch(text[:cut], len(found), 0, 0, 0, None)
    for many in (-1, len(found) - 1, len(found) + 1, 2**31 - 1):
        with pytest.raises(ValueError, match="a batch that"):
            read_batch(text, many, 0, 0, 0, None)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + bytes([data.draw(st.integers(0, 255))]) + text[at + 1 :]
    try:
        list(read_batch(changed, len(found), 0, 0, 0, None))
    except ValueError as fault:
        assert str(fault)  # noqa: PT017  # what is refused must be so, what passes must not crash


@given(st.binary(max_size=300), st.integers(0, 300))
@settings(deadline=None)
def test_noise_is_an_error_or_records(noise, many):
    try:
        assert len(read_batch(noise, many, 0, 0, 0, None)) == many
    except ValueError as fault:
        assert str(fault)  # noqa: PT017  # as above


@given(messages)
def test_what_the_kernel_and_framed_write_is_what_is_read(found):
    written = Framed([])
    for key, value, _ in found:
        written = written.and_then(key, value or b"")
    [(many, text)] = written.batches
    assert (
        [record[2:] for record in read_batch(text, many, 0, 0, 0, None)]
        == [(key, value) for key, value, _ in written]
        == [(key, value or b"") for key, value, _ in found]
    )


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=40), st.integers(1, 900))
def test_tombstones_are_keys_without_values_in_batches_of_a_size(keys, most):
    batches = framed_tombstones(keys, most)
    records = [record for many, text in batches for record in read_batch(text, many, 0, 0, 0, None)]
    assert [(record.key, record.value) for record in records] == [(key, None) for key in keys]
    assert list(Framed(batches)) == [(key, None, []) for key in keys]
    assert all(many == 1 or len(text) <= most for many, text in batches)
    assert sum(len(text) for _, text in batches) >= (len(batches) - 1) * most / 2, (
        "no batch is begun that is not needed"
    )
