"""Wait until every broker has heard of a change to the topics: the controller makes it, the others are told later."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_exponential

LIMIT_SECONDS = 30.0


async def heard_by_all(
    client: AIOKafkaAdminClient, partitions: Mapping[str, int], limit: float = LIMIT_SECONDS
) -> bool:
    """Whether every broker that answers tells of these topics, with at least so many partitions, in `limit` seconds.

    The admin client asks whichever broker it likes: one that has not heard would say that a new topic does not exist.
    A broker that is down does not count, since it hears of everything before it serves again.
    """

    async def heard() -> bool:
        told = [await _told_by(client, node["node_id"]) for node in (await client.describe_cluster())["brokers"]]
        answers = [counts for counts in told if counts is not None]
        return bool(answers) and all(
            counts.get(name, 0) >= many for counts in answers for name, many in partitions.items()
        )

    retrying = AsyncRetrying(
        retry=retry_if_result(lambda heard: not heard),
        wait=wait_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(limit),
        retry_error_callback=lambda _: False,
    )
    return bool(await retrying(heard))


async def _told_by(client: AIOKafkaAdminClient, node: int) -> dict[str, int] | None:
    """How many partitions each topic has, as one broker tells it; None where it does not answer.

    Of all topics: a broker that creates what it is asked about would create a topic that it has not heard of yet.
    """
    try:
        answer = await client._send_request(MetadataRequest(None), node)  # noqa: SLF001  # a public call names no node
    except KafkaError:
        return None
    return {topic["topic"]: len(topic["partitions"]) for topic in answer.to_object()["topics"]}
