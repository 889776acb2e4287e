"""Which webhook tells of which receipt, and how long it took. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lib.hooks import Hook
from lib.shelves import Shelf

RAISED = "restock.raised"
RULE = "stock_out"


def raised(got: Sequence[Hook]) -> list[Hook]:
    """Those that tell of an empty shelf, for the first time: it is told of again when more is at risk."""
    return [one for one in got if one.type == RAISED and one.said["rule"] == RULE and one.said["sequence"] == 1]


def missing(shelves: Sequence[Shelf], got: Sequence[Hook]) -> int:
    """Of how many shelves nothing has come yet."""
    there = {(one.said["store_id"], one.said["sku"]) for one in raised(got)}
    return sum((one.store_id, one.sku) not in there for one in shelves)


def faults(shelves: Sequence[Shelf], got: Sequence[Hook]) -> list[str]:
    """What is wrong with what came: each shelf is told of once, and no webhook comes twice."""
    found = []
    if twice := sum(many > 1 for many in Counter(one.id for one in got).values()):
        found.append(f"{twice:,} webhooks came more than once")
    if lost := missing(shelves, got):
        found.append(f"{lost:,} of {len(shelves):,} webhooks did not come")
    told = Counter((one.said["store_id"], one.said["sku"]) for one in raised(got))
    if many := sum(count > 1 for count in told.values()):
        found.append(f"{many:,} shelves were told of more than once")
    if strange := len(told.keys() - {(one.store_id, one.sku) for one in shelves}):
        found.append(f"{strange:,} shelves were told of that nobody counted")
    return found


def hook_waits(
    shelves: Sequence[Shelf], got: Sequence[Hook], acknowledged: Sequence[tuple[float, int, int]], warm_up: float
) -> np.ndarray[Any, Any]:
    """Seconds from the acknowledgement of the receipt that empties a shelf until its webhook came, shelf by shelf.

    `acknowledged` are by the receipts' numbers; those of the first `warm_up` seconds are left out.
    """
    came = {(one.said["store_id"], one.said["sku"]): one.moment for one in raised(got)}
    at = np.array([acknowledged[one.receipt][0] for one in shelves])
    wait = np.array([came[one.store_id, one.sku] for one in shelves]) - at
    return wait[at >= min(moment for moment, *_ in acknowledged) + warm_up]
