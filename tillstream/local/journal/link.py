"""One connection straight to the broker's own port, past the gate.

Kafka's usual clients ask the broker for its address and go there; it names the public one, which is shut while the
log is filled. The embedded broker is one, so whom to ask is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, for_code
from aiokafka.protocol.admin import CreateTopicsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.errors import Stop, Unavailable
from schemas.topics import TopicSpec
from tillstream.local.journal.batch import Batch
from tillstream.local.journal.recovery import Place

START_SECONDS = 60.0
REQUEST_MS = 30_000
# The shortest wait at which the broker looks at all: with 0 it answers of no partition.
AT_ONCE_MS = 1
ALL_IN_SYNC = -1
# A fetch takes whole batches, of which a topic's largest may be 4 MiB.
PARTITION_BYTES = 1024 * 1024
FETCH_BYTES = 32 * 1024 * 1024
TOPIC_EXISTS, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC = 36, 1, 3


class Fetched(NamedTuple):
    """What a fetch gave of one partition: batches as they are, and the offset after the partition's last record.

    `end` is 0 where the topic is missing or ends before what was asked for.
    """

    place: Place
    end: int
    data: bytes


class Link:
    """A connection, made by `connect`. Methods raise Unavailable when the broker has gone, Stop where it refuses."""

    def __init__(self, connection: AIOKafkaConnection) -> None:
        self._connection = connection

    def close(self) -> None:
        """End it."""
        self._connection.close()

    async def create(self, specs: Iterable[TopicSpec]) -> None:
        """Create topics; one that is there stays as it is."""
        new: list[Any] = [(spec.name, spec.partitions, 1, [], list(spec.config.items())) for spec in specs]
        answer = await self._ask(CreateTopicsRequest(new, REQUEST_MS, validate_only=False))
        for name, code, *_ in answer.topic_errors:
            if code not in (0, TOPIC_EXISTS):
                raise Stop(f"The embedded broker did not create the topic {name}: {for_code(code).__name__}.")

    def send(self, batch: Batch) -> asyncio.Future[int]:
        """Publish a batch; the offset at which the broker put it. Several may be under way: their order is kept."""
        request = ProduceRequest(None, ALL_IN_SYNC, REQUEST_MS, [(batch.topic, [(batch.partition, batch.data)])])
        return asyncio.ensure_future(self._offset(self._begin(request), batch))

    async def _offset(self, answer: Any, batch: Batch) -> int:
        _, partitions = (await self._answered(answer)).topics[0]
        _, code, offset, *_ = partitions[0]
        if code:
            raise Stop(
                f"The embedded broker refuses {batch.topic}, partition {batch.partition}, offset {batch.begin}, of the "
                f"journal: {for_code(code).__name__}."
            )
        return int(offset)

    async def fetch(self, positions: Mapping[Place, int], wait_ms: int) -> list[Fetched]:
        """What stands at these positions; waits so long where nothing does."""
        topics: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), offset in positions.items():
            topics.setdefault(topic, []).append((partition, offset, PARTITION_BYTES))
        answer = await self._ask(FetchRequest(wait_ms, 1, FETCH_BYTES, 0, list(topics.items())))
        found = []
        for topic, partitions in answer.topics:
            for partition, code, end, *_, data in partitions:
                if code not in (0, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC):
                    raise Stop(f"The embedded broker does not give {topic}, partition {partition}: {for_code(code)}.")
                found.append(Fetched((topic, partition), 0 if code else int(end), data or b""))
        return found

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last record of each partition, as a fetch tells it: ListOffsets' answer is short."""
        wanted = dict.fromkeys(places, 0)
        found: dict[Place, int] = {}
        while len(found) < len(wanted):
            found |= {one.place: one.end for one in await self.fetch(wanted, AT_ONCE_MS)}
        return found

    async def _ask(self, request: Any) -> Any:
        return await self._answered(self._begin(request))

    def _begin(self, request: Any) -> Any:
        try:
            return asyncio.ensure_future(self._connection.send(request))
        except KafkaConnectionError as fault:
            raise Unavailable("The embedded broker", str(fault)) from None

    @staticmethod
    async def _answered(answer: Any) -> Any:
        try:
            return await answer
        except (KafkaConnectionError, OSError, TimeoutError) as fault:
            raise Unavailable("The embedded broker", str(fault) or type(fault).__name__) from None


async def connect(host: str, port: int, patience: float = START_SECONDS) -> Link:
    """A connection to the broker, once it listens; raises Stop after `patience` seconds."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type((OSError, TimeoutError, KafkaConnectionError)),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(patience),
        reraise=True,
    )
    try:
        async for attempt in retrying:
            with attempt:
                return Link(await create_conn(host, port, request_timeout_ms=REQUEST_MS))
    except (OSError, TimeoutError, KafkaConnectionError):
        pass
    raise Stop(f"The embedded broker does not answer within {patience:.0f} s.", "What it said is in its log file.")
