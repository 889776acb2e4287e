"""A synthetic chain's receipts as JSON, in bulk, and what each of their lines adds to a total.

A line's text is looked up, not written: in one week a SKU is sold at one price, in VARIANTS quantities or weights,
some of them at a discount. So a receipt costs one join and one format.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lib.chain import FIRST_SKU, SKUS
from lib.tills import DAY, VARIANTS, Array, name_of
from schemas.window import MONEY_SCALE, QUANTITY_SCALE

CURRENCY = "NOK"
_CENT = 10 ** (MONEY_SCALE - 2)
_PIECES = np.array([1, 1, 1, 1, 2, 3, 1, 2])
_DISCOUNT_PERCENT = np.array([0, 0, 0, 0, 0, 0, 20, 10])
_TAX_PERCENT = 15  # of the price before tax
_WEIGHED_EVERY = 10
_CLOCK = [b"%02d:%02d:%02d" % (at // 3600, at // 60 % 60, at % 60) for at in range(DAY)]
_HEAD = (
    b'{"transaction_id":"S%d-T%d-%s-%06d","store_id":"%d","till_id":"%d","sequence":%d,"type":"%s",'
    b'"occurred_at":"%sT%sZ","business_date":"%s","currency":"' + CURRENCY.encode() + b'","lines":[%s]}'
)


@dataclass(frozen=True, slots=True)
class Prices:
    """One week's lines, of each SKU and variant: text and figures, in the units of schemas.window."""

    texts: list[bytes]
    units: Array
    amount: Array
    discount: Array
    tax: Array


@lru_cache(maxsize=1)
def prices(week: int, seed: int) -> Prices:
    """What lines look like in a week; index them by SKU * VARIANTS + variant."""
    chance = np.random.default_rng([seed, week, 2])
    cents = (chance.lognormal(8, 0.7, SKUS).astype("i8") + 100)[:, None]
    grams = chance.integers(50, 2_500, (SKUS, VARIANTS))
    weighed = (np.arange(SKUS) % _WEIGHED_EVERY == 0)[:, None]
    thousandths = np.where(weighed, grams, _PIECES * 1_000)
    full = cents * thousandths // 1_000
    discount = full * _DISCOUNT_PERCENT // 100
    amount = full - discount
    tax = amount * _TAX_PERCENT // (100 + _TAX_PERCENT)
    texts = [
        _line(FIRST_SKU + at // VARIANTS, *figures)
        for at, figures in enumerate(
            zip(*(column.ravel().tolist() for column in (thousandths, amount, discount, tax)), strict=True)
        )
    ]
    return Prices(
        texts,
        thousandths.ravel() * 10 ** (QUANTITY_SCALE - 3),
        *(one.ravel() * _CENT for one in (amount, discount, tax)),
    )


def _line(sku: int, thousandths: int, amount: int, discount: int, tax: int) -> bytes:
    whole, part = divmod(thousandths, 1_000)
    quantity = b'%d.%03d","unit":"kg' % (whole, part) if part else b"%d" % whole
    less = b',"discount":"%d.%02d"' % divmod(discount, 100) if discount else b""
    return b'{"sku":"%d","quantity":"%s","amount":"%d.%02d"%s,"tax":"%d.%02d"}' % (
        sku, quantity, *divmod(amount, 100), less, *divmod(tax, 100),
    )  # fmt: skip


def texts(day: int, heads: Array, lines: Array, week: Prices) -> list[bytes]:
    """The receipts of a day as JSON, in the order of the heads."""
    date = name_of(day).encode()
    compact = date.replace(b"-", b"")
    look_up = week.texts.__getitem__
    parts = list(map(look_up, (lines["sku"] * VARIANTS + lines["variant"]).tolist()))
    ends = np.cumsum(heads["lines"]).tolist()
    found, begin = [], 0
    for end, store, till, number, back, second in zip(
        ends, (heads["store"] + 1).tolist(), heads["till"].tolist(), heads["sequence"].tolist(),
        heads["returned"].tolist(), (heads["occurred"] - day * DAY).tolist(), strict=True,
    ):  # fmt: skip
        kind = b"return" if back else b"sale"
        found.append(
            _HEAD % (store, till, compact, number, store, till, number, kind, date, _CLOCK[second], date,
                     b",".join(parts[begin:end]))
        )  # fmt: skip
        begin = end
    return found


def week_of(day: int) -> int:
    """The price list that holds on a day."""
    return day // 7
