"""How to reach Kafka: from the settings to what aiokafka's clients take."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.helpers import create_ssl_context

from tillstream.settings import Settings

# For whoever reads up to a known end: a fetch that waits for more holds up the fetch after the next seek, and the first
# question for an offset of a topic is asked again after a backoff, once its leader is known.
TO_THE_END = {"fetch_max_wait_ms": 20, "retry_backoff_ms": 20}


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments common to every aiokafka consumer, producer and admin client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_servers,
        "security_protocol": settings.kafka_security,
    }
    context = ssl_context(settings)
    if context is not None:
        options["ssl_context"] = context
    if settings.kafka_security.startswith("SASL_"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings have it, or None where the protocol has none."""
    if not settings.kafka_security.endswith("SSL"):
        return None
    context: ssl.SSLContext = create_ssl_context(
        cafile=settings.kafka_ca_file, certfile=settings.kafka_cert_file, keyfile=settings.kafka_key_file
    )
    return context


async def end_offsets(consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """The offset after the last record of each partition, in their order; takes over assignment and positions.

    The embedded broker's ListOffsets answers the base offset of the last batch plus one, which is short where a
    batch holds several records. The high watermark of a fetch is right on every broker, so it is asked for.
    """
    wanted = list(partitions)
    consumer.assign(wanted)
    found = await consumer.end_offsets(wanted)  # in the order in which brokers answer
    ends: dict[TopicPartition, int] = {partition: found[partition] for partition in wanted}
    for partition in wanted:
        consumer.seek(partition, ends[partition])
    missing = {partition for partition in wanted if ends[partition] > 0}
    while missing:
        await consumer.getmany(*missing, timeout_ms=100, max_records=1)
        for partition in list(missing):
            highwater = consumer.highwater(partition)
            if highwater is not None:
                ends[partition] = max(ends[partition], highwater)
                missing.discard(partition)
    return ends
