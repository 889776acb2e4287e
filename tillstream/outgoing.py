"""A receipt on its way into `pos.receipts`, or a movement on its way into `stock.movements`."""

from __future__ import annotations

from typing import NamedTuple


class Outgoing(NamedTuple):
    """One record to publish: the key is `store_id` in UTF-8, the value is `value` byte for byte.

    `occurred_at` in microseconds since the Unix epoch paces a replay and goes nowhere else. `lines` is for figures
    only. A receipt that cannot be read (`--unchecked`) has what can be: an empty `store_id`, 0 and 0.
    """

    store_id: str
    occurred_at: int
    value: bytes
    lines: int = 0
