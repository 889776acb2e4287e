"""aiokafka on uvloop: a write to a connection that has just closed is a broken connection, as it is on asyncio.

asyncio's transport takes such a write and drops it; uvloop's raises RuntimeError, where aiokafka 0.14 is prepared for
OSError (its issue #1038). Whichever of its tasks wrote ends then (sender, fetcher, coordinator, metadata), and some of
them nobody watches: a consumer without the last one stays in its group and never finds its coordinator again.
"""

from __future__ import annotations

from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError, KafkaError


class Connection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """A connection to a broker whose closing is told as aiokafka expects it."""

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Send a request; the future of its answer. Raises KafkaConnectionError where the connection has closed."""
        try:
            return super().send(request, expect_response)
        except KafkaError:  # these are RuntimeErrors too
            raise
        except RuntimeError as closed:
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {closed}") from closed


def mend() -> None:
    """Let every connection that aiokafka opens from now on be such a one."""
    conn.AIOKafkaConnection = Connection
