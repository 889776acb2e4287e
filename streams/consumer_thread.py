"""The thread in which Faust drives aiokafka's consumer: how it reads, and that it commits without crashing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.lean_records import lean

# Faust's fetches wait 1.5 s at the broker where there is nothing to read. All that time no other partition of that
# broker is asked for: neither what has been folded meanwhile, nor what is sought or resumed, which at the end of a
# restore is every partition. Twenty requests a second cost next to nothing.
FETCH_MAX_WAIT_MS = 50


class PatientConsumerThread(driver.AIOKafkaConsumerThread):
    """Commits without crashing: False is an answer, and the next interval tries again."""

    def reads_no_more(self) -> bool:
        """Whether a task of aiokafka's has ended that it cannot read on without: fetching, or asking for metadata."""
        consumer = self._ensure_consumer()
        return bool(consumer._fetcher.error_future.done() or consumer._client._sync_task.done())  # noqa: SLF001  # it tells nobody

    def _create_worker_consumer(self, transport: Any) -> Any:
        """As Faust's, but for its records, and how long the broker may hold back an answer where nothing is new."""
        consumer = super()._create_worker_consumer(transport)
        lean(consumer)
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # noqa: SLF001  # read when it starts; Faust has no setting
        return consumer

    async def _fetch_records(self, *given: Any, **named: Any) -> Any:
        """As Faust's, in this thread, where what is fetched is read too: a partition folds while the next is read."""
        fetched = await super()._fetch_records(*given, **named)
        read_ahead = self.consumer.app.read_ahead
        return {tp: read_ahead(tp.topic, records) for tp, records in fetched.items()}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        assigned = self.assignment()
        if not all(tp in assigned for tp in offsets):
            return False
        try:
            await self._ensure_consumer().commit(
                {TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(at, "") for tp, at in offsets.items()}
            )
        except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError):
            return False
        except KafkaError as fault:
            self.log.warning("commit not accepted, trying again: %s", type(fault).__name__)
            return False
        return True
