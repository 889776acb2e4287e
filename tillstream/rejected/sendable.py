"""Which dead letters would be counted if they were sent now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.admission import admit
from schemas.decode import decode
from schemas.errors import Refused
from tillstream.outgoing import Outgoing
from tillstream.rejected import letters
from tillstream.rejected.letters import Letter, Wanted

# Of so many faults place and reason are kept; beyond, they are only counted.
_KEPT = 1000


def admitted(value: bytes, max_skew_us: int) -> Outgoing:
    """A receipt that the fold would admit if it reached Kafka now; raises Refused."""
    key = decode(value).store_id
    receipt = admit(key.encode(), value, int(time.time() * 1000), max_skew_us)
    return Outgoing(key, receipt.occurred_at, value, len(receipt.lines.sku))


class Sendable:
    """Iterates over the wanted letters that would be admitted; the others stand in `refused` and `faults`."""

    def __init__(self, client: Client, wanted: Wanted, max_skew_us: int) -> None:
        self._client = client
        self._wanted = wanted
        self._max_skew_us = max_skew_us
        self.refused = 0
        self.faults: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[Outgoing]:
        """Read letters as they are asked for; raises Unavailable or Stop."""
        for letter in letters.read(self._client, self._wanted):
            why = letters.why_not_sendable(letter)
            if why is not None or letter.value is None:
                self._refuse(letter, "$", why)
                continue
            try:
                receipt = admitted(letter.value, self._max_skew_us)
            except Refused as fault:
                self._refuse(letter, fault.path, fault.reason)
                continue
            yield receipt

    def _refuse(self, letter: Letter, path: str, reason: str | None) -> None:
        self.refused += 1
        if len(self.faults) < _KEPT:
            self.faults.append({"place": letter.place, "path": path, "reason": reason})
