"""Messages of `sales.windows`: absolute totals, so that writing one twice changes nothing.

Quantities are integers of hundred-thousandths (`"1"` is 100000), money integers of ten-thousandths
(`"59.80"` is 598000). Times are integer microseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

QUANTITY_SCALE = 5
MONEY_SCALE = 4


class Totals(NamedTuple):
    """One row's totals, in the order in which they stand in a message.

    `version` is the offset in `pos.receipts` of the row's last change.
    """

    units: int
    returned: int
    revenue: int
    discount: int
    tax: int
    receipts: int
    version: int


# currency -> business date (ISO, "2026-11-23") -> SKU -> [units, returned, revenue, discount, tax, receipts, version]
Figures = Annotated[list[int], Meta(min_length=7, max_length=7)]
Rows = dict[str, dict[str, dict[str, Figures]]]


class WindowMessage(msgspec.Struct, frozen=True, gc=False, tag="window", tag_field="type"):
    """The SKUs of one store's window that changed, and how many receipts the window has.

    `receipts` and `version` (largest offset folded into the window) make the row of `store_windows`.
    """

    epoch: int
    partition: int
    store_id: str
    window_start: int
    receipts: int
    version: int
    rows: Rows


class CountsMessage(msgspec.Struct, frozen=True, gc=False, tag="counts", tag_field="type"):
    """How many messages of a partition ended in which result, up to and with offset `version`.

    Sent after the rows of its flush. `published` is the Kafka timestamp, in milliseconds, of the newest message that
    the flush has folded, by which the sink tells how fresh its rows are; 0 where there is none.
    """

    epoch: int
    partition: int
    version: int
    counts: dict[str, int]
    published: int = 0


SalesMessage = WindowMessage | CountsMessage

_decoder = msgspec.json.Decoder(SalesMessage)
_encoder = msgspec.json.Encoder()


def encode(message: SalesMessage) -> bytes:
    """JSON, as it stands in `sales.windows`."""
    return _encoder.encode(message)


def head_of(epoch: int, partition: int, store_id: str) -> bytes:
    """What all WindowMessages of a store begin with as `encode` makes them, up to their window's start."""
    return b'{"type":"window","epoch":%d,"partition":%d,"store_id":%b,"window_start":' % (
        epoch,
        partition,
        _encoder.encode(store_id),
    )


def decode(value: bytes) -> SalesMessage:
    """Read a message of `sales.windows`; raises msgspec.MsgspecError on what is none."""
    message: SalesMessage = _decoder.decode(value)
    return message
