"""Wires the worker: the Faust app, its state table, its one agent. Nothing happens at import."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import faust
from faust.types import TP

from kernel.records import Records
from schemas import topics
from schemas.errors import Again, TillstreamError
from streams import failpoints
from streams.agents import Folding
from streams.chunk_read import ReadAhead
from streams.flush import Role
from streams.framed import BATCH_BYTES
from streams.framed_batch import COMPRESSION
from streams.log_reader import look, read_on
from streams.parts import Parts
from streams.restocking import Restocking
from streams.same_log import check_log
from streams.state import PartitionState
from streams.tables import StateTable, StateTables
from streams.transport import ChunkSchema, ChunkTransport
from streams.windows import Windows

log = logging.getLogger(__name__)

RECORDS_PER_CHUNK = 4_000
METADATA_AGE_MS = 10_000


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to know. Times in microseconds; `sasl` is (mechanism, user, password) or None.

    `log` numbers the life of `pos.receipts`; None for an epoch that tells restock nothing, since it is being built.
    """

    kafka_url: str
    prefix: str
    epoch: int
    partitions: int
    window_us: int
    grace_us: int
    max_skew_us: int
    log: int | None = None
    ssl_context: ssl.SSLContext | None = None
    sasl: tuple[str, str, str] | None = None


class WorkerApp(faust.App):
    """A Faust app with chunked delivery, and a hook for the moment in which partitions are revoked."""

    folding: Folding
    restocking: Restocking
    # What the consumer's thread does with what it has fetched of a topic.
    read_ahead: Callable[[str, Records], Records]

    def _new_transport(self) -> Any:
        return ChunkTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Nothing: its tables live in memory, and Faust would leave folders wherever a worker was started."""

    async def on_revoke(self) -> None:
        """Give up folding without acking: the next owner folds it again."""
        await self.restocking.drop()
        await self.folding.drop()


def make_app(config: WorkerConfig, on_ready: Callable[[], None] = lambda: None) -> WorkerApp:
    """Build a worker's app; `on_ready` is called each time that all assigned partitions are restored."""
    app = WorkerApp(
        topics.group_id(config.prefix, config.epoch),
        broker=config.kafka_url.split(","),
        broker_credentials=_credentials(config),
        # A killed worker blocks its partitions for a session; a poll interval bounds the join.
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=6.0,
        broker_request_timeout=30.0,
        broker_max_poll_interval=300.0,
        broker_max_poll_records=RECORDS_PER_CHUNK,
        broker_commit_interval=0.25,
        broker_check_crcs=True,
        consumer_auto_offset_reset="earliest",
        # Partitions that were added are taken up within this.
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        producer_metadata_max_age_ms=METADATA_AGE_MS,
        consumer_max_fetch_size=8 * 1024 * 1024,
        producer_acks=-1,
        # aiokafka's lz4 is level 9, 22 MB/s; its zstd is level 3, 158 MB/s, and smaller.
        producer_compression_type=COMPRESSION,
        producer_linger=0.0,
        producer_max_batch_size=BATCH_BYTES,
        producer_max_request_size=15 * 1024 * 1024,
        stream_buffer_maxsize=16,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        store="memory://",
        TableManager=StateTables,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
        loghandlers=[],
    )
    windows = Windows(config.window_us, config.grace_us)
    source = config.prefix + topics.RECEIPTS
    # `key_type`/`value_type` stay unset: the chunk schema hands everything through.
    table = app.tables.add(
        StateTable(app, name="state", schema=ChunkSchema(), partitions=config.partitions, recovery_buffer_size=8)
    )
    roles: dict[Role, str] = {
        "state": topics.changelog_topic(config.prefix, config.epoch),
        "windows": config.prefix + topics.WINDOWS,
        "late": config.prefix + topics.LATE,
        "rejected": config.prefix + topics.REJECTED,
        "feed": config.prefix + topics.FEED,
        "alerts": config.prefix + topics.ALERTS,
        "positions": config.prefix + topics.POSITIONS,
        "snapshots": config.prefix + topics.SNAPSHOTS,
    }
    if table.changelog_topic_name != roles["state"]:
        raise AssertionError(f"Faust names the changelog {table.changelog_topic_name}")
    app.folding = Folding(app.crash)
    stock = config.prefix + topics.STOCK
    followed = {**{role: roles[role] for role in ("feed", "alerts", "snapshots")}, "stock": stock}
    app.restocking = Restocking(client_options(config), followed, app.crash)
    app.read_ahead = lambda topic, records: ReadAhead(records, config.max_skew_us) if topic == source else records
    performed = failpoints.armed(os.environ)
    parts = Parts(app, roles, source, stock, config.max_skew_us, config.log, performed)

    async def restored(states: list[PartitionState], revokes: int) -> None:
        folded = {state.partition: state.applied for state in states if state.applied >= 0}
        views = await look(client_options(config), source, folded) if folded else {}
        for state in states:
            if state.partition in views:
                check_log(source, state.partition, state.applied, state.fingerprint, views[state.partition])
        tasks = [parts.task(state) for state in states]
        if app.folding.start(tasks, revokes):
            app.restocking.start([part for task in tasks for part in parts.restock(task)])
            app.consumer.starts.update({TP(source, state.partition): state.applied + 1 for state in states})
            log.info("folding partitions %s", ", ".join(str(state.partition) for state in states) or "none yet")
            on_ready()

    rest = partial(read_on, client_options(config), roles["state"])
    table.setup(config.epoch, windows, lambda: app.folding.revokes, rest, restored)

    @app.agent(app.topic(source, schema=ChunkSchema(), allow_empty=True), name="fold")
    async def _fold(stream: Any) -> None:
        async for event in stream.noack().events():
            chunk, consumer = event.value, app.consumer

            def ack(offset: int, event: Any = event, tp: TP = chunk.tp, consumer: Any = consumer) -> None:
                event.ack()
                consumer.done(tp, offset)

            await app.folding.take(chunk, ack)

    return app


def client_options(config: WorkerConfig) -> dict[str, Any]:
    """Keyword arguments of an aiokafka client of our own, beside Faust's."""
    options: dict[str, Any] = {"bootstrap_servers": config.kafka_url.replace("kafka://", "").split(",")}
    protocol = "PLAINTEXT"
    if config.ssl_context is not None:
        options["ssl_context"], protocol = config.ssl_context, "SSL"
    if config.sasl is not None:
        protocol = f"SASL_{protocol}"
        options["sasl_mechanism"], options["sasl_plain_username"], options["sasl_plain_password"] = config.sasl
    return {**options, "security_protocol": protocol}


def _credentials(config: WorkerConfig) -> Any:
    if config.sasl is not None:
        mechanism, username, password = config.sasl
        credentials = faust.SASLCredentials(
            mechanism=mechanism, username=username, password=password, ssl_context=config.ssl_context
        )
        if config.ssl_context is None:
            log.warning("SASL without TLS: the password crosses the network in the clear")
        return credentials
    return faust.SSLCredentials(config.ssl_context) if config.ssl_context is not None else None


async def run_worker(config: WorkerConfig, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
    """Run a worker until `stop` is set; raises Stop or Again when it cannot go on."""
    await run_app(make_app(config, on_ready), stop)


async def run_app(app: WorkerApp, stop: asyncio.Event) -> None:
    """Run a worker's app until `stop` is set; raises Stop or Again when it cannot go on."""
    app.finalize()
    # What is imported by now lives for ever; the state holds few objects that can be part of a cycle.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    stopping = asyncio.create_task(stop.wait())
    started = asyncio.create_task(app.start())
    try:
        await asyncio.wait({stopping, started}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            started.result()
        crashed = asyncio.create_task(app.wait_until_stopped())
        await asyncio.wait({stopping, crashed}, return_when=asyncio.FIRST_COMPLETED)
        crashed.cancel()
    finally:
        stopping.cancel()
        await app.restocking.drop()
        await app.folding.drop()
        # Also one that is still starting: its threads would go on in a process that works for another epoch by then.
        await app.stop()
        started.cancel()
        await asyncio.gather(started, return_exceptions=True)
    reason = app.crash_reason
    if reason is not None:
        raise reason if isinstance(reason, TillstreamError) else Again(f"The worker failed: {reason!r}")
