"""Messages of `pos.late`: a receipt whose window had closed, with its lines as they would have counted."""

from __future__ import annotations

import msgspec


class LateLine(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one line adds: signed like a row's totals. `position` counts the receipt's lines from 1.

    `receipts` is +1 (-1 in a post_void) on the first line of each SKU of the receipt, else 0.
    """

    position: int
    sku: str
    units: int
    returned: int
    revenue: int
    discount: int
    tax: int
    receipts: int


class LateMessage(msgspec.Struct, frozen=True, gc=False):
    """A late receipt. Scales and times as in `schemas.window`; void lines are left out.

    `watermark` is the store's watermark that closed the window. `receipts` is +1, or -1 for a post_void.
    """

    epoch: int
    partition: int
    offset: int
    store_id: str
    transaction_id: str
    reversal: bool
    occurred_at: int
    window_start: int
    watermark: int
    currency: str
    business_date: str
    receipts: int
    lines: list[LateLine]


_decoder = msgspec.json.Decoder(LateMessage)
_encoder = msgspec.json.Encoder()


def encode(message: LateMessage) -> bytes:
    """JSON, as it stands in `pos.late`."""
    return _encoder.encode(message)


def decode(value: bytes) -> LateMessage:
    """Read a message of `pos.late`; raises msgspec.MsgspecError on what is none."""
    return _decoder.decode(value)
