"""Records as aiokafka's C code reads them, without the object that it wraps each one in.

A ConsumerRecord has eleven fields, of which the fold needs four, and making it takes as long as all else that is done
to read a receipt. What is wrapped has offset, timestamp, timestamp_type, key, value and headers; topic and partition
are the chunk's.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher


def as_they_are(key: Any) -> Any:
    """Stand as a consumer's key_deserializer: by it its fetches are told from those of other consumers."""
    return key


class LeanRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """A fetch of one partition; of a consumer that was asked for it, its records come as they are."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is as_they_are else super()._consumer_record(tp, record)


def lean(consumer: Any) -> None:
    """Let a consumer of aiokafka's that is not started yet give its records as they are."""
    fetcher.PartitionRecords = LeanRecords
    consumer._key_deserializer = as_they_are  # noqa: SLF001  # as if it had been given to its constructor
