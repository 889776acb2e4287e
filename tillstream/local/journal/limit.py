"""How much the embedded broker may hold: all of it is memory."""

from __future__ import annotations

import logging

from schemas.errors import Stop
from schemas.topics import MIB

log = logging.getLogger(__name__)

WARN_AT = 0.8
_KAFKA = "go on with Apache Kafka (docs/operations.md says how)"


class Limit:
    """TILLSTREAM_EMBEDDED_MAX, in bytes of the journaled topics' batches as clients sent them."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._warned = False

    def check(self, held: int) -> None:
        """Warn once at 80 %; raises Stop when it is full."""
        if held >= self._largest:
            raise Stop(
                f"The embedded broker holds {held // MIB} MiB of input, and TILLSTREAM_EMBEDDED_MAX lets it hold "
                f"{self._largest // MIB} MiB: it takes no more.",
                f"Set TILLSTREAM_EMBEDDED_MAX higher if this machine has the memory, or {_KAFKA}.",
            )
        if held >= WARN_AT * self._largest and not self._warned:
            self._warned = True
            log.warning(
                "the embedded broker holds %d MiB of input, %d %% of TILLSTREAM_EMBEDDED_MAX: before it is full, %s",
                held // MIB,
                100 * held // self._largest,
                _KAFKA,
            )
