"""What the kernel reads, held against what Python reads of the same messages."""

from __future__ import annotations

from kernel.reading import ASK, COLUMNS, COUNTED, LINE_WIDTH, NOTHING, REVERSAL, VOID, Reading, group_of
from kernel.records import Record, Records
from kernel.seen import Stores
from schemas.admission import admit
from schemas.currency import CODES
from schemas.errors import Refused
from streams.chunk_read import signed_lines
from streams.state import receipt_hash


def read(messages, timestamp_ms, max_skew_us):
    """By the kernel: what is known of each receipt and its lines, or None where Python is asked."""
    reading = Reading(records_of(messages, timestamp_ms), max_skew_us, CODES)
    return [
        None if kind == ASK else (kind, identity % 2**64, moment, alls, group, lines_of(reading, first, kept))
        for kind, identity, moment, first, kept, alls, group in facts(reading)
    ]


def records_of(messages, timestamp_ms=0):
    """(key, value) pairs as the log has them, from offset 0 on."""
    return Records.of([Record(offset, timestamp_ms, *message) for offset, message in enumerate(messages)])


def facts(reading):
    """All that is known of each receipt, in the order of the columns."""
    return zip(*map(reading.column, range(COLUMNS)), strict=True)


def lines_of(reading, first, many):
    """Lines as signed_lines has them, but for their positions."""
    texts = reading.records.text + bytes(reading.more)
    found = []
    for at in range(first, first + many):
        *figures, begin, length, restocked = reading.lines[LINE_WIDTH * at : LINE_WIDTH * (at + 1)]
        found.append((texts[begin : begin + length].decode(), *figures, restocked))
    return found


def expected(key, value, timestamp_ms, max_skew_us):
    """The same by Python; None where the message is refused."""
    try:
        receipt = admit(key, value, timestamp_ms, max_skew_us)
    except Refused:
        return None
    kind = COUNTED | REVERSAL * receipt.reversal | VOID * (receipt.type == "void") | NOTHING * receipt.counts_nothing
    return (
        kind,
        receipt_hash(receipt.transaction_id, reversal=receipt.reversal),
        receipt.occurred_at,
        len(receipt.lines.sku),
        group_of(receipt.currency, receipt.business_date),
        [tuple(line[1:]) for line in signed_lines(receipt)],
    )


def differences(messages, timestamp_ms, max_skew_us):
    """(message, by the kernel, by Python) of those that the kernel reads otherwise, and how many it read at all."""
    found = read(messages, timestamp_ms, max_skew_us)
    wrong = []
    for message, ours in zip(messages, found, strict=True):
        if ours is not None and ours != (theirs := expected(*message, timestamp_ms, max_skew_us)):
            wrong.append((message, ours, theirs))
    return wrong, sum(ours is not None for ours in found)


def start_of(seen, identity):
    """Where a receipt stands by what a store has seen, NOWHERE where it is not known."""
    reading = Reading(records_of([(b"12", b"")]), 0, [])
    reading.put(0, COUNTED, identity, 0, [], 0, 0)
    return Stores(reading).find([seen])[0]
