"""Which records of `pos.receipts` may count at all: the part of the rules that needs no state.

The fold and the ledger both ask here, so that they can never disagree about what is a receipt.
"""

from __future__ import annotations

from schemas import stub
from schemas.decode import decode
from schemas.errors import Refused
from schemas.receipt import Receipt


def admit(key: bytes | None, value: bytes | None, timestamp_ms: int, max_skew_us: int) -> Receipt:
    """Decode a record and check it against its key and its Kafka timestamp; raises Refused."""
    if value is None:
        raise Refused("$", "the record has no value", "publish the receipt as the record's value")
    try:
        receipt = decode(value)
    except Refused:
        if (first := stub.read(value)) is not None:  # as it was refused when it was still what it stands for
            raise first from None
        raise
    if key is None or key != receipt.store_id.encode():
        raise Refused("$.store_id", "the record's key is not the store_id", "publish with key = store_id")
    if receipt.occurred_at > timestamp_ms * 1000 + max_skew_us:
        raise Refused(
            "$.occurred_at",
            "more than MAX_SKEW ahead of the record's Kafka timestamp",
            "set the till's clock, then send the receipt again",
        )
    return receipt
