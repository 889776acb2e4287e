"""Wait until Kafka and ClickHouse answer, and say so in one line while they do not.

One-shot commands give up after `limit` seconds with Unavailable; roles under `up` pass `limit=None` and wait on.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import AuthenticationFailedError, KafkaError, UnsupportedSaslMechanismError
from clickhouse_connect.driver.exceptions import DatabaseError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_exponential,
)

from schemas.errors import Stop, Unavailable
from tillstream import ch, kafka
from tillstream.settings import Settings

log = logging.getLogger(__name__)

ONE_SHOT_LIMIT = 30.0
ATTEMPT_SECONDS = 10.0


async def wait_for_kafka(settings: Settings, limit: float | None = ONE_SHOT_LIMIT) -> None:
    """Return once a broker answers a metadata request; Unavailable after `limit` seconds, Stop on a refused login."""

    async def ask() -> None:
        async with admin(settings):
            pass

    await _until_answered(ask, limit)


async def wait_for_clickhouse(
    settings: Settings, limit: float | None = ONE_SHOT_LIMIT, *, quietly: bool = False
) -> None:
    """Return once ClickHouse answers a query; Unavailable after `limit` seconds, Stop on a refused login."""
    await _until_answered(lambda: asyncio.to_thread(_ask_clickhouse, settings), limit, quietly=quietly)


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client of the brokers; raises Unavailable or Stop like `wait_for_kafka`, but tries only once."""
    options = kafka.client_options(settings)
    await _reachable(settings.kafka_servers)
    client = AIOKafkaAdminClient(**options, request_timeout_ms=int(ATTEMPT_SECONDS * 1000))
    try:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await client.start()
        except (AuthenticationFailedError, UnsupportedSaslMechanismError) as fault:
            raise Stop(
                f"Kafka at {_where(settings)} refuses the login: {brief(fault)}.",
                "Set TILLSTREAM_KAFKA_SECURITY, TILLSTREAM_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD.",
            ) from None
        except (KafkaError, OSError, TimeoutError, ssl.SSLError) as fault:
            raise Unavailable(f"Kafka at {_where(settings)}", brief(fault)) from None
        yield client
    finally:
        await client.close()


async def _reachable(servers: list[str]) -> None:
    """Open a connection to the first server that takes one: the system's own words say best what is wrong."""
    fault: Exception = OSError("no address given")
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, TimeoutError) as refused:
            fault = refused
            continue
        writer.close()
        return
    raise Unavailable(f"Kafka at {','.join(servers)}", brief(fault))


def _ask_clickhouse(settings: Settings) -> None:
    where = ch_where(settings)
    try:
        ch.connect(settings, database="").close()
    except Unavailable as away:
        raise Unavailable(f"ClickHouse at {where}", away.reason.removeprefix(f"{where}: ")) from None
    except DatabaseError as fault:
        if "AUTHENTICATION_FAILED" in str(fault) or "code 516" in str(fault):
            raise Stop(
                f"ClickHouse at {where} refuses the login.",
                "Put user and password into TILLSTREAM_CLICKHOUSE_URL (or its file, TILLSTREAM_CLICKHOUSE_URL_FILE).",
            ) from None
        raise Unavailable(f"ClickHouse at {where}", brief(fault)) from None


async def _until_answered(ask: Callable[[], Awaitable[None]], limit: float | None, *, quietly: bool = False) -> None:
    said = ""

    def say(state: RetryCallState) -> None:
        nonlocal said
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, Unavailable) and (sentence := f"waiting for {fault.neighbour}: {fault.reason}") != said:
            said = sentence
            log.info(sentence)

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_never if limit is None else stop_after_delay(limit),
        wait=wait_exponential(multiplier=0.1, max=2),
        before_sleep=None if quietly else say,
        reraise=True,
    ):
        with attempt:
            await ask()


def ch_where(settings: Settings) -> str:
    """host:port of ClickHouse, without user and password."""
    options = ch.client_options(settings)
    return f"{options['host']}:{options['port']}"


def _where(settings: Settings) -> str:
    return ",".join(settings.kafka_servers)


def brief(fault: BaseException) -> str:
    """The fault in a few words on one line."""
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused"
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    text = str(fault).strip()
    return text.splitlines()[0][:200] if text else type(fault).__name__
