"""Which receipts leave a stub in the journal: those that were refused and hold what looks like a payment card number.

Nearly all hold none, and are told quickly: digits become zeros, blanks and hyphens go, and no row of zeros is as long
as the shortest number. Digits may be written as escapes in JSON, so those are looked into as well.
"""

from __future__ import annotations

from aiokafka.record.default_records import DefaultRecordBatch

from schemas import stub
from schemas.card_search import holds_secret
from schemas.decode import decode
from schemas.errors import Refused
from tillstream.local.journal.batch import Batch, Key, Value, stubbed

_ZEROS = bytes(ord("0") if chr(code).isdecimal() and code < 128 else code for code in range(256))  # noqa: PLR2004  # ASCII
_SHORTEST = b"0" * 14
_ESCAPE = b"\\u"


def without_cards(batch: Batch) -> Batch:
    """A batch of receipts as it may be kept."""
    read = DefaultRecordBatch(batch.data)
    data = batch.data
    if read.compression_type:
        data = b"\n".join(part for record in read for part in (record.key, record.value) if part is not None)
    return stubbed(batch, stub_of) if may_hold_card(data) else batch


def may_hold_card(data: bytes) -> bool:
    """Whether there are digits enough for a card number: quick, and True for long ids too."""
    return _SHORTEST in data.translate(_ZEROS, b" -") or _ESCAPE in data


def stub_of(key: Key, value: Value) -> tuple[Key, Value] | None:
    """What stands in the place of a record of `pos.receipts`; None where it may stand itself.

    Refused by its own content, its value leaves a stub. One that could be counted stays, also where it is refused for
    its key or its time: with another bound on skew it may count. A key that is not its receipt's store goes alone.
    """
    if not any(may_hold_card(part) for part in (key, value) if part is not None):
        return None
    kept, store = value, b""
    if value is not None:
        try:
            store = decode(value).store_id.encode()
        except Refused as refused:
            if holds_secret(value):
                kept = stub.write(refused)
    secret_key = key is not None and key != store and holds_secret(key)
    return (None if secret_key else key, kept) if secret_key or kept is not value else None
