"""Messages of `restock.feed`: the one log by which restock decides, in the order in which it was written.

Quantities are integers of hundred-thousandths, money of ten-thousandths, times microseconds since the Unix epoch, UTC.
Each message names where it comes from, so that one that is repeated is recognised.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.stock import StockMovement

# Of one purchase: offset of its receipt, when it occurred, units, units put back on the shelf, revenue; signed.
PURCHASE_WIDTH = 5
# Of one SKU in one window: its start, units, revenue; signed.
TOTAL_WIDTH = 3
ActionKind = Literal["acknowledge", "snooze", "resolve"]


# currency -> SKU -> numbers, PURCHASE_WIDTH of each purchase, or TOTAL_WIDTH of each window.
Told = dict[str, dict[str, list[int]]]
NOTHING = b"{}"


class Sales(msgspec.Struct, frozen=True, gc=False, tag="sales", tag_field="type", kw_only=True):
    """What one store sold of tracked SKUs in a chunk of `pos.receipts` whose last offset is `offset`.

    `log` numbers the topic's lives: offsets of two cannot be compared. `watermark` is the store's after the chunk,
    `receipts` the windows that the chunk has touched, each with the receipts counted in it so far. `purchases` are
    currency -> SKU -> PURCHASE_WIDTH numbers for each receipt in which it occurs. `opened` are SKUs that have become
    tracked: what the open windows hold of each up to and with `offset`, TOTAL_WIDTH numbers a window, as if its sales
    had occurred in its last moment; purchases up to that offset are in it. The purchases are left as they stand (see
    `purchases_of` and `purchases_in`): there are many, and the kernel reads them.
    """

    log: int
    offset: int
    store_id: str
    watermark: int
    receipts: list[Annotated[list[int], Meta(min_length=2, max_length=2)]]
    purchases: msgspec.Raw = msgspec.Raw(NOTHING)
    opened: Told = {}


class Movement(StockMovement, frozen=True, gc=False, tag="movement", tag_field="type", kw_only=True):
    """A message of `stock.movements`, as it stands at `offset` there."""

    offset: int


class Action(msgspec.Struct, frozen=True, gc=False, tag="action", tag_field="type", kw_only=True):
    """What somebody did to an alert. `action_id` is the sender's; `until` is when a snooze ends."""

    action_id: str
    store_id: str
    alert_id: str
    kind: ActionKind
    actor: str = ""
    until: int | None = None


class PolicySetting(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Settings for a store, a SKU or a category (empty is any); days for times, None for what is not set here."""

    store: str = ""
    sku: str = ""
    category: str = ""
    lead_time: float | None = None
    lead_time_sd: float | None = None
    service_level: float | None = None
    review_period: float | None = None
    pack: int | None = None
    minimum_order: int | None = None
    shelf_capacity: int | None = None
    reorder_point: int | None = None
    order_up_to: int | None = None
    critical_per_day: int | None = None
    warning_per_day: int | None = None


class PoliciesSet(msgspec.Struct, frozen=True, gc=False, tag="policies", tag_field="type", kw_only=True):
    """All policies of a version, which apply from a moment on; every partition has it."""

    version: str
    since: int
    rules: list[PolicySetting]


class Known(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of a SKU: names, and what like stores sell of it in a standard trading hour.

    A message that has no names, or no rates, tells nothing of them: `known_by_now`.
    """

    name: str = ""
    department: str = ""
    category: str = ""
    brand: str = ""
    purchases_an_hour: float | None = None
    units_a_purchase: float | None = None


def known_by_now(before: Known, told: Known) -> Known:
    """What is known of a SKU once this is told: names and rates come from two sources, each as a whole."""
    names = told if told.name or told.department or told.category or told.brand else before
    rates = before if told.purchases_an_hour is None else told
    return Known(
        names.name, names.department, names.category, names.brand, rates.purchases_an_hour, rates.units_a_purchase
    )


class Catalogue(msgspec.Struct, frozen=True, gc=False, tag="catalogue", tag_field="type", kw_only=True):
    """SKUs as they are known from now on; every partition has it."""

    skus: dict[str, Known]


class Campaign(msgspec.Struct, frozen=True, gc=False, tag="campaign", tag_field="type", kw_only=True):
    """SKUs that are promoted from `since` until `until` (not included), in these stores, or in all (none named)."""

    campaign_id: str
    skus: list[str]
    since: int
    until: int
    stores: list[str] = []


FeedMessage = Sales | Movement | Action | PoliciesSet | Catalogue | Campaign

_decoder = msgspec.json.Decoder(FeedMessage)
_encoder = msgspec.json.Encoder()


_purchases = msgspec.json.Decoder(Told)


def purchases_of(told: Told) -> msgspec.Raw:
    """Purchases as `Sales` has them."""
    return msgspec.Raw(_encoder.encode(told))


def purchases_in(told: msgspec.Raw) -> Told:
    """What they say; raises msgspec.MsgspecError where they are none."""
    return _purchases.decode(told)


def encode(message: FeedMessage) -> bytes:
    """JSON, as it stands in `restock.feed`."""
    return _encoder.encode(message)


def decode(value: bytes) -> FeedMessage:
    """Read a message of `restock.feed`; raises msgspec.MsgspecError on what is none."""
    message: FeedMessage = _decoder.decode(value)
    return message
