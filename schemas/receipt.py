"""A receipt, in two shapes: as it stands in `pos.receipts`, and as the rest of tillstream uses it.

`ReceiptMessage` and `LineMessage` are the JSON (docs/schemas/receipt.json is generated from them).
`Receipt` is what `schemas.decode.decode` makes of it: checked, exact integers, lines in columns, because a
Python object per line is what costs.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

IDENTIFIER_LENGTH = 128
MAX_BYTES = 1024 * 1024
MAX_LINES = 2000
LARGEST_INTEGER = 2**63 - 1

# No control characters besides: schemas.decode looks at the whole message for them, which is quicker.
Identifier = Annotated[str, Meta(min_length=1, max_length=IDENTIFIER_LENGTH)]
Integer = Annotated[int, Meta(ge=-LARGEST_INTEGER - 1, le=LARGEST_INTEGER)]
ReceiptType = Literal["sale", "return", "exchange", "void", "post_void", "training"]
LineKind = Literal["sale", "return"]


class LineMessage(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One line as tills send it. `amount` was paid for the whole quantity, after `discount`, tax included.

    Decimals are strings here; JSON numbers are read by schemas.decode as well.
    """

    sku: Identifier
    quantity: str
    amount: str
    line: Integer | str | None = None
    unit: str | None = None
    discount: str | None = None
    tax: str | None = None
    kind: LineKind | None = None
    void: bool | None = None
    restocked: bool | None = None


class ReceiptMessage(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One receipt as tills send it. Unknown fields are read by a slower path and ignored."""

    transaction_id: Identifier
    store_id: Identifier
    occurred_at: str
    currency: str
    lines: Annotated[list[LineMessage], Meta(min_length=1, max_length=MAX_LINES)]
    till_id: Identifier | None = None
    sequence: Integer | None = None
    type: ReceiptType | None = None
    business_date: str | None = None
    customer_id: str | None = None
    original_transaction_id: str | None = None


class Lines(msgspec.Struct, frozen=True, gc=False):
    """A receipt's lines in columns of equal length, in the order of the message, void ones included.

    `quantity` in hundred-thousandths, `amount`, `discount` and `tax` in ten-thousandths, never negative.
    `returned` and `void` are None where no line is a return, or void (nearly always); else a flag per line,
    with a receipt of type return already accounted for. `kind` is not kept besides.
    """

    sku: list[str]
    quantity: list[int]
    amount: list[int]
    discount: list[int]
    tax: list[int]
    returned: list[bool] | None = None
    void: list[bool] | None = None
    unit: list[str | None] | None = None
    restocked: list[bool] | None = None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A receipt that has been checked.

    `occurred_at` is in microseconds since the Unix epoch, UTC; digits beyond are dropped.
    `business_date` is ISO; where the message has none, the date of `occurred_at` at its own offset.
    `sequence` is the till's own number, or None.
    """

    transaction_id: str
    store_id: str
    occurred_at: int
    currency: str
    business_date: str
    type: ReceiptType
    lines: Lines
    till_id: str | None = None
    sequence: int | None = None
    customer_id: str | None = None
    original_transaction_id: str | None = None

    @property
    def reversal(self) -> bool:
        """Whether it takes back what another receipt added (it may then bear that receipt's id)."""
        return self.type == "post_void"

    @property
    def counts_nothing(self) -> bool:
        """Training, void, or with void lines only: ignored, and kept out of the ledger."""
        return self.type in ("training", "void") or (self.lines.void is not None and all(self.lines.void))
