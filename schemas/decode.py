"""From the bytes of `pos.receipts` to a Receipt: a first, lenient version; the strict rules land next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from schemas.errors import Refused
from schemas.receipt import Lines, Receipt, ReceiptMessage

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_decoder = msgspec.json.Decoder(ReceiptMessage)


def _scaled(text: str, places: int) -> int:
    whole, _, rest = text.partition(".")
    scale: int = 10**places
    return int(whole) * scale + (int(rest.ljust(places, "0")) if rest else 0)


def decode(value: bytes) -> Receipt:
    """Read one receipt; raises schemas.errors.Refused on anything that is none."""
    try:
        message = _decoder.decode(value)
    except msgspec.MsgspecError as fault:
        raise Refused("$", str(fault)) from None
    found = message.lines
    kind = message.type or "sale"
    returned = [kind == "return" or line.kind == "return" for line in found]
    void = [bool(line.void) for line in found]
    lines = Lines(
        [line.sku for line in found],
        [_scaled(line.quantity, 5) for line in found],
        [_scaled(line.amount, 4) for line in found],
        [_scaled(line.discount or "0", 4) for line in found],
        [_scaled(line.tax or "0", 4) for line in found],
        returned if any(returned) else None,
        void if any(void) else None,
    )
    return Receipt(
        message.transaction_id,
        message.store_id,
        (message.occurred_at - _UNIX) // timedelta(microseconds=1),
        message.currency,
        message.business_date or message.occurred_at.date().isoformat(),
        kind,
        lines,
    )
