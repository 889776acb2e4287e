"""Workers and a sink at once on one machine: how fast, and what of the processors each role took."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import psutil
from pydantic import SecretStr

from lib import totals
from lib.broker import Kind, fresh_broker
from lib.entries import ours_found
from lib.log import preload
from lib.machine import cores
from lib.program import Program
from lib.race import LONGEST_RUN, POLL, ends_to_commit, until_committed
from schemas import topics
from tillstream import consumer_lag, migrate
from tillstream.local.launch import EmbeddedClickHouse, free_port, settings_environment
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse

ROLES = ("workers", "sink", "ClickHouse", "broker")
# What Apache Kafka waits by default for more members before the first rebalance: both workers are in it.
_USUAL_DELAY = "group.initial.rebalance.delay.ms=3000\n"


@contextmanager
def with_clickhouse(settings: Settings):
    """The settings with an embedded ClickHouse, which ends with the block."""
    assert settings.data_dir is not None
    folder = settings.data_dir.parent
    server = EmbeddedClickHouse("127.0.0.1", free_port(), folder / "clickhouse", folder / "clickhouse.log")
    server.start()
    try:
        url = SecretStr(f"http://127.0.0.1:{server.port}/tillstream")
        yield settings.model_copy(update={"clickhouse_url": url}), server
    finally:
        server.stop(15)


def tillstream(
    role: str, settings: Settings, number: int = 0, environment: Mapping[str, str] = MappingProxyType({})
) -> Program:
    """A role as a process of its own; it is ready once it has partitions. `environment` comes on top."""
    assert settings.data_dir is not None
    own = settings.model_copy(
        update={"metrics_bind": f"127.0.0.1:{free_port()}", "data_dir": settings.data_dir / f"{role}{number}"}
    )
    return Program(
        [sys.executable, "-m", "tillstream", role], {**settings_environment(own), **environment},
        lambda line: "folding partitions" in line and "none yet" not in line,
    )  # fmt: skip


async def run(
    kind: Kind, partitions: int, receipts: int | None, workers: int, wanted: dict[str, int]
) -> dict[str, Any]:
    """One run; raises SystemExit where a total is wrong."""
    with ExitStack() as stack:
        more = _USUAL_DELAY if kind == "kafka" else ""
        on_broker = stack.enter_context(fresh_broker(timedelta(hours=1), kind, partitions, more))
        settings, clickhouse = stack.enter_context(with_clickhouse(on_broker))
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it is asked before it listens
        await wait_for_clickhouse(settings, quietly=True)
        _, lines = await preload(settings, receipts)
        await migrate.migrate(settings)
        ends = await ends_to_commit(settings)
        others = {"broker": _listening(settings), "ClickHouse": psutil.Process(clickhouse.process.pid)}
        before, launched = {role: _cpu(process) for role, process in others.items()}, time.monotonic()
        sink = stack.enter_context(tillstream("sink", settings))
        running = [stack.enter_context(tillstream("worker", settings, number)) for number in range(workers)]
        seconds = await until_committed(settings, topics.group_id("", topics.FIRST_EPOCH), running, ends)
        shares = [_partitions(program) for program in running]
        begun = min(program.begun for program in running if program.begun is not None)
        await _until_readable(settings, [*running, sink])
        ended = time.monotonic()
        cpu = {role: _cpu(process) - before[role] for role, process in others.items()}
        cpu |= {"workers": sum(program.cpu_seconds() for program in running), "sink": sink.cpu_seconds()}
        wrong = totals.differences(wanted, await ours_found(settings))
    if wrong:
        raise SystemExit(f"{wrong:,} totals are wrong with {workers} worker(s).")
    return {
        "lines": lines,
        "seconds": seconds,
        "readable_seconds": ended - begun,
        "cpu_seconds": cpu,
        "busy": sum(cpu.values()) / (ended - launched) / cores(),
        "shares": shares,
    }


async def _until_readable(settings: Settings, programs: list[Program]) -> None:
    deadline = time.monotonic() + LONGEST_RUN
    while time.monotonic() < deadline:
        for program in programs:
            program.check()
        if not any(lag.records for lag in await consumer_lag.measure(settings, topics.FIRST_EPOCH)):
            return
        await asyncio.sleep(POLL)  # the broker has no way to tell us of its own accord
    raise SystemExit("The sink did not finish.")


def _partitions(program: Program) -> str:
    """The partitions that a worker named last."""
    return next((line.split("folding partitions")[1].strip() for line in reversed(program.said)
                 if "folding partitions" in line), "none")  # fmt: skip


def _listening(settings: Settings) -> psutil.Process:
    """The broker's process: our child that listens on the port."""
    port = int(settings.kafka_servers[0].rsplit(":", 1)[1])
    for child in psutil.Process().children(recursive=True):
        if any(one.laddr and one.laddr.port == port and one.status == "LISTEN" for one in child.net_connections()):
            return child
    raise SystemExit(f"No child of ours listens on {port}.")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
