"""Sends what a flush says through aiokafka, as whole batches, and waits until all of it is acknowledged.

An outage makes it wait: a batch that fails is built and sent again, for ever. Sending a record twice is
harmless, since every record is absolute. What no retry can mend (a partition that is missing, a message that is
too large, rights that are missing) raises Stop; a missing topic may be a broker that does not know it yet.
Where aiokafka's sending task has ended, which an answer that was cut off can bring about, another producer is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from schemas.errors import Stop
from streams.batches import fill
from streams.flush import Role
from streams.framed import Framed, Message
from streams.framed_batch import FramedBatch

log = logging.getLogger(__name__)

LONGEST_WAIT = 5.0
START_SECONDS = 10.0
LOOK_SECONDS = 5.0
# Below it a thread costs more than what it takes over.
WORTH_A_THREAD = 32 * 1024


class KafkaOutlet:
    """Sends through an AIOKafkaProducer to the topics of each role; one per partition task."""

    def __init__(
        self,
        producer: Callable[[], Any],
        topics: Mapping[Role, str],
        renew: Callable[[], Awaitable[None]],
        ended: Callable[[Any], bool] = lambda _: False,
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._renew = renew
        self._ended = ended
        self._compressing: list[tuple[asyncio.Future[Any] | None, Any, str, int, Sequence[Message]]] = []
        self._sent: list[tuple[asyncio.Future[Any], Any, str, int, Sequence[Message]]] = []

    async def send(self, role: Role, partition: int, messages: Sequence[Message]) -> None:
        """Hand messages over, in as few batches as they fit in; a large one goes out with the next `acknowledged`."""
        await self._send(self._topics[role], partition, messages)

    async def _send(self, topic: str, partition: int, messages: Sequence[Message]) -> None:
        if isinstance(messages, Framed):
            for framed in messages.batches:
                await self._hand_over(FramedBatch(framed), topic, partition, Framed([framed]))
            return
        producer = self._producer()
        at = 0
        while at < len(messages):
            builder = producer.create_batch()
            begun, at = at, fill(builder, messages, at)
            if at == begun:
                raise Stop(
                    f"A message of {len(messages[at][1] or b'')} bytes for {topic} does not fit in a batch.",
                    "Use a shorter TILLSTREAM_WINDOW.",
                )
            await self._hand_over(builder, topic, partition, messages[begun:at])

    async def _hand_over(self, builder: Any, topic: str, partition: int, messages: Sequence[Message]) -> None:
        batch = builder, topic, partition, messages
        if builder.size() >= WORTH_A_THREAD:
            # Compressing lets go of the interpreter: meanwhile the next batch is made, and other partitions fold.
            # Left to aiokafka's sender, it would hold up the loop.
            built = asyncio.get_running_loop().run_in_executor(None, builder._build)  # noqa: SLF001  # kept in it
            self._compressing.append((built, *batch))
        elif self._compressing:  # in their order
            self._compressing.append((None, *batch))
        else:
            await self._send_batch(*batch)

    async def _send_compressed(self) -> None:
        waiting, self._compressing = self._compressing, []
        for built, *batch in waiting:
            if built is not None:
                await built
            await self._send_batch(*batch)

    async def _send_batch(self, builder: Any, topic: str, partition: int, messages: Sequence[Message]) -> None:
        producer = self._producer()
        try:
            try:
                future = await producer.send_batch(builder, topic, partition=partition)
            except AssertionError:  # aiokafka's answer to a partition that it knows nothing of: added a moment ago?
                await producer.client.force_metadata_update()
                future = await producer.send_batch(builder, topic, partition=partition)
        except AssertionError:
            raise Stop(
                f"Topic {topic} has no partition {partition}.", "Run `tillstream migrate`; it says what is wrong."
            ) from None
        except KafkaError as fault:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(fault)
        self._sent.append((future, producer, topic, partition, messages))

    async def acknowledged(self) -> None:
        """Wait for every acknowledgement; send again what failed."""
        attempt = 0
        while self._sent or self._compressing:
            await self._send_compressed()
            sent, self._sent = self._sent, []
            failed = await self._failed(sent)
            if not failed:
                break
            for fault, topic, *_ in failed:
                _raise_if_final(fault, topic)
            attempt += 1
            if attempt == 1:
                fault, topic, *_ = failed[0]
                log.warning(
                    "Kafka does not acknowledge what goes to %s (%s): sending it again", topic, type(fault).__name__
                )
            await asyncio.sleep(random.uniform(0.1, min(LONGEST_WAIT, 0.2 * 2**attempt)))  # noqa: S311  # jitter
            if any(type(fault) is KafkaError for fault, *_ in failed):  # what a producer says that has ended
                await self._renew()
            for _, topic, partition, messages in failed:
                await self._send(topic, partition, messages)
        if attempt:
            log.warning("Kafka acknowledges again")

    async def _failed(self, sent: list[Any]) -> list[tuple[BaseException, str, int, Sequence[Message]]]:
        """What was not acknowledged, each with its fault, once all is answered or its client has ended."""
        waiting = {future for future, *_ in sent}
        while True:
            _, waiting = await asyncio.wait(waiting, timeout=LOOK_SECONDS)
            if all(self._ended(producer) for future, producer, *_ in sent if future in waiting):
                break
        return [
            (fault, topic, partition, messages)
            for future, _, topic, partition, messages in sent
            if (fault := future.exception() if future.done() else KafkaError("its client has ended")) is not None
        ]


def renewing(producer_of: Callable[[], Any]) -> Callable[[], Awaitable[None]]:
    """A function that gives Faust's producer another client of aiokafka's where the one it has sends no more."""
    making = asyncio.Lock()

    async def renew() -> None:
        async with making:
            producer = producer_of()
            ended = producer._producer  # noqa: SLF001  # Faust shows it to nobody
            if not ended._sender.sender_task.done():  # noqa: SLF001  # nor does aiokafka; another partition was quicker
                return
            client = producer._new_producer()  # noqa: SLF001  # likewise
            try:
                async with asyncio.timeout(START_SECONDS):  # an answer that was cut off can leave it waiting for ever
                    await client.start()
            except (KafkaError, TimeoutError) as fault:  # again as soon as what was sent has failed again
                log.warning("Kafka takes no new connection (%s)", type(fault).__name__)
                await _leave(client)
                return
            producer._producer = client  # noqa: SLF001  # likewise
            log.warning("Kafka's client had stopped sending: another one goes on")
            await _leave(ended)

    return renew


def ended(producer: Any) -> Callable[[Any], bool]:
    """A function that says whether a client of aiokafka's sends no more, or is Faust's producer's no more."""
    return lambda client: client is not producer()._producer or client._sender.sender_task.done()  # noqa: SLF001  # see above


async def _leave(client: Any) -> None:
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            await client.stop()


def _raise_if_final(fault: object, topic: str) -> None:
    if isinstance(fault, MessageSizeTooLargeError | RecordListTooLargeError):
        raise Stop(
            f"Kafka refuses a message to {topic} as too large.",
            "Run `tillstream migrate`: it sets max.message.bytes as tillstream needs it.",
        )
    if isinstance(fault, TopicAuthorizationFailedError):
        raise Stop(f"Kafka does not let this user write to {topic}.", "Grant it the right to write there.")
    if not isinstance(fault, KafkaError):
        raise fault if isinstance(fault, BaseException) else AssertionError(fault)
