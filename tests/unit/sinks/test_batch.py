"""A message that breaks its writer is set aside alone: it must not end the sink, at every start anew."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas import window
from schemas.late import LateLine, LateMessage
from sinks import epochs, late, rejected, sales
from sinks.batch import Batch, Source, prepare_all
from tests.unit.sinks.records import Record, rows_of

START = 1_795_453_500_000_000
WINDOW = window.WindowMessage(1, 3, "12", START, 1, 17, {"NOK": {"2026-11-23": {"a": [1, 0, 1, 0, 0, 1, 17]}}})
LATE = LateMessage(
    1, 3, 18, "12", "t1", False, START, START, START, "NOK", "2026-11-23", 1, [LateLine(1, "a", 1, 0, 9, 1, 0, 1)]
)


def row(figures, day="2026-11-23"):
    return {"rows": {"NOK": {day: {"a": figures}}}}


def changed(message, **more):
    return json.dumps({**json.loads(msgspec.json.encode(message)), **more}).encode()


BAD = {
    "a figure too few": (sales, WINDOW, row([1, 0, 1, 0, 0, 17])),
    "a figure too many": (sales, WINDOW, row([1, 0, 1, 0, 0, 1, 1, 17])),
    "beyond 64 bits": (sales, WINDOW, row([2**63, 0, 1, 0, 0, 1, 17])),
    "no date": (sales, WINDOW, row([1, 0, 1, 0, 0, 1, 17], "yesterday")),
    "a version below 0": (sales, WINDOW, {"version": -1}),
    "a partition beyond 16 bits": (sales, WINDOW, {"partition": 65_536}),
    "a late line's figure beyond 64 bits": (late, LATE, {"lines": [[1, "a", 2**63, 0, 9, 1, 0, 1]]}),
    "a late offset below 0": (late, LATE, {"offset": -1}),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_message_that_no_row_can_hold_stands_alone_between_good_ones(fault):
    writer, good, more = BAD[fault]
    values = [msgspec.json.encode(good)] * 5 + [changed(good, **more)] + [msgspec.json.encode(good)] * 6
    records = [Record(value=value, offset=offset) for offset, value in enumerate(values)]
    batches = prepare_all(writer.prepare, records)
    refused = [one for batch in batches for one in batch.unreadable]
    assert [source for source, _ in refused] == [Source("t", 3, 5)]
    assert refused[0][1]
    table = "late_lines" if writer is late else "sales_windows"
    assert sum(len(rows_of(batch, table)) for batch in batches) == 11
    kept = [source.offset for batch in batches for rows in batch.rows if rows.table == table for source in rows.sources]
    assert kept == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_good_messages_stay_one_batch():
    records = [Record(value=msgspec.json.encode(WINDOW), offset=offset) for offset in range(10)]
    (batch,) = prepare_all(sales.prepare, records)
    assert len(batch.rows[0].sources) == 10


@pytest.mark.parametrize(
    ("prepare", "record"),
    [
        (epochs.prepare, Record(value=b'{"epoch": -1, "state": "live", "window": 300, "grace": 3600}', offset=5)),
        (
            rejected.prepare,
            Record(
                headers=(("reason", b""), ("path", b""), ("topic", b""), ("partition", b"-1"), ("offset", b"0")),
                offset=5,
            ),
        ),
    ],
)
def test_epochs_and_dead_letters_that_no_row_can_hold_are_set_aside(prepare, record):
    (batch,) = prepare_all(prepare, [record])
    assert batch.rows == []
    assert [source.offset for source, _ in batch.unreadable] == [5]


def test_a_fault_of_the_program_is_not_blamed_on_a_message():
    def broken(records):
        raise NotImplementedError("a bug")

    with pytest.raises(NotImplementedError):
        prepare_all(broken, [Record()])


def test_the_newest_publication_of_each_part_is_kept():
    def prepare(records):
        if len(records) > 1:
            raise ValueError("one at a time")
        return Batch(newest=records[0].timestamp)

    batches = prepare_all(prepare, [Record(timestamp=3), Record(timestamp=9), Record(timestamp=5)])
    assert [batch.newest for batch in batches] == [3, 9, 5]
