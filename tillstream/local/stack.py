"""What `up` and `demo` run: the embedded servers and the roles, started in order, ready together, stopped in order."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import Stop
from tillstream import ch, metrics_server, migrate
from tillstream.groups import groups_of, wait_until_assigned
from tillstream.local.broker import broker_argv
from tillstream.local.launch import (
    clickhouse_argv,
    free_port,
    require_free,
    require_loopback,
    settings_environment,
)
from tillstream.local.lock import FolderLock, own_part
from tillstream.local.supervisor import Child, Supervisor
from tillstream.migrate import MigrationReport
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

log = logging.getLogger(__name__)
T = TypeVar("T")

SERVERS = ("broker", "clickhouse")
NAMES = {"broker": "broker", "clickhouse": "ClickHouse"}
ROLES = ("worker", "sink")
ALL = (*SERVERS, *ROLES)
# The journal has the last word: it takes from the broker what the others have published until then.
STOP_ORDER = ["worker", "sink", "journal", "clickhouse", "broker"]
# Seconds between SIGTERM and SIGKILL; their sum stays below the ten within which `up` has stopped, but for the journal:
# it takes a moment, and where the disk is slow it is worth the wait, since what it does not get is lost.
# The broker's log is in memory: it has nothing to put in order, and a full one takes seconds to stop by itself.
PATIENCE = {"worker": 4.0, "sink": 2.5, "journal": 60.0, "clickhouse": 2.0, "broker": 0.0}
EMBEDDED_START_SECONDS = 60.0


class BrokerLost(Stop):
    """The embedded broker ended by itself, and its log with it; with a journal, a new Stack brings it back."""


class Stack:
    """The chosen parts of tillstream on this machine.

    `log_folder` None sends the roles' logs to standard error; the servers' go to files of the run in any case.
    `say` is told in a sentence what is being started. Without a `journal` the broker's log ends with the run, and
    the data folder must be a new one.
    """

    def __init__(
        self,
        settings: Settings,
        parts: tuple[str, ...] = ALL,
        log_folder: Path | None = None,
        say: Callable[[str], None] = log.info,
        *,
        journal: bool = True,
    ) -> None:
        self.settings = settings
        self.parts = parts
        self.log_folder = log_folder
        self.keeps_journal = journal and "broker" in parts
        self.was_ready = False
        self._broker_port = 0
        self._say = say
        self.run_folder = settings.data_dir
        self._locks: list[FolderLock] = []
        self._supervisor = Supervisor(lambda pid: metrics_server.forget(self._metrics_folder, pid))
        self._stop_metrics: Callable[[], None] = lambda: None

    @property
    def failed(self) -> asyncio.Future[Stop]:
        """Done, with what to raise, when a part ended that cannot be started again."""
        return self._supervisor.failed

    def pids(self) -> dict[str, int]:
        """Process ids by part."""
        return self._supervisor.pids()

    async def start(self) -> MigrationReport:
        """Start all parts and return once they serve; raises Stop where one cannot."""
        report = await self.start_servers()
        await self.start_roles(report.epoch)
        self.was_ready = True
        return report

    async def start_servers(self) -> MigrationReport:
        """Start the servers and migrate; afterwards receipts can be published, though nobody counts them yet."""
        self._take_folders()
        self._check_addresses()
        if any(part in self.parts for part in ROLES):
            # Before anything else runs, so that a busy address is said at once.
            self._stop_metrics = metrics_server.serve_shared(self.settings, self._metrics_folder)
        for part, where in self._where():
            if part in self.parts:
                self._say(f"starting the embedded {NAMES[part]} at {where}")
                await self._supervisor.start(self._child(part))
        if self.keeps_journal:
            await self._supervisor.start(self._child("journal"))
            await self.while_alive(self._gate_opens())
        return await self.while_alive(self._serve_and_migrate())

    async def start_roles(self, epoch: int) -> None:
        """Start worker and sink, as far as they were chosen, and return once they have their partitions."""
        roles = [part for part in ROLES if part in self.parts]
        if not roles:
            return
        self._say(f"starting {' and '.join(roles)}, which join their groups")
        for role in roles:
            await self._supervisor.start(self._child(role))
        groups = [group for role in roles for group in groups_of(self.settings, role, epoch)]
        await self.while_alive(wait_until_assigned(self.settings, groups))

    async def stop(self) -> None:
        """Stop all parts within ten seconds; safe to call at any time after the constructor.

        Where the broker has gone, worker and sink have nothing to finish: what they hold may be of messages that the
        journal never had.
        """
        lost = self.failed.done() and isinstance(self.failed.result(), BrokerLost)
        await self._supervisor.stop(STOP_ORDER, at_once=ROLES if lost else ())
        self._stop_metrics()
        for lock in self._locks:
            lock.release()

    def _where(self) -> list[tuple[str, str]]:
        """Address of each server, by part."""
        options = ch.client_options(self.settings)
        return [("broker", self.settings.kafka_servers[0]), ("clickhouse", f"{options['host']}:{options['port']}")]

    def _check_addresses(self) -> None:
        for part, setting, host, port, example in self._addresses():
            if part in self.parts:
                require_loopback(NAMES[part], host, setting)
                require_free(f"the embedded {NAMES[part]}", host, port, setting, example)

    def _addresses(self) -> list[tuple[str, str, str, int, str]]:
        servers = self.settings.kafka_servers
        if "broker" in self.parts and (len(servers) > 1 or self.settings.kafka_security != "PLAINTEXT"):
            raise Stop(
                "The embedded broker is one, without TLS and users.",
                "Unset TILLSTREAM_KAFKA_SECURITY and name one address in TILLSTREAM_KAFKA_URL, or use "
                "`tillstream up --only clickhouse,worker,sink` with your Kafka.",
            )
        host, _, port = servers[0].rpartition(":")
        options = ch.client_options(self.settings)
        database = self.settings.clickhouse_database
        return [
            ("broker", "TILLSTREAM_KAFKA_URL", host, int(port), "kafka://127.0.0.1:19092"),
            (
                "clickhouse",
                "TILLSTREAM_CLICKHOUSE_URL",
                options["host"],
                options["port"],
                f"http://127.0.0.1:18123/{database}",
            ),
        ]

    def _take_folders(self) -> None:
        """Lock what the parts need of the data folder, so that two of them never share a server's files."""
        data = self.settings.data_dir
        servers = [part for part in SERVERS if part in self.parts]
        for part in servers:
            lock = FolderLock(data / part)
            self._locks.append(lock)
            lock.acquire()
        if not servers:
            self._locks.append(own_part(data, "up"))
        self.run_folder = self._locks[0].folder
        shutil.rmtree(self._metrics_folder, ignore_errors=True)
        self._metrics_folder.mkdir(parents=True)

    def _child(self, part: str) -> Child:
        environment = {**os.environ, **settings_environment(self.settings), "PYTHONUNBUFFERED": "1"}
        obituary = None
        if part == "broker":
            host, _, port = self.settings.kafka_servers[0].rpartition(":")
            self._broker_port = free_port() if self.keeps_journal else int(port)
            argv = broker_argv(host, self._broker_port, self.settings.kafka_servers[0])
            obituary = BrokerLost(
                f"The embedded broker ended by itself, and its log, which was in memory, with it "
                f"(what it said last is in {self._log('broker')}).",
                "Start it again.",
            )
        elif part == "journal":
            host = self.settings.kafka_servers[0].rpartition(":")[0]
            folder = self.settings.data_dir / "broker" / "journal"
            argv = [sys.executable, "-m", "tillstream.local.journal"]
            argv += ["--broker", f"{host}:{self._broker_port}", "--folder", str(folder)]
            argv += ["--clickhouse"] if "clickhouse" in self.parts else []
        elif part == "clickhouse":
            options = ch.client_options(self.settings)
            argv = clickhouse_argv(options["host"], options["port"], self.settings.data_dir / "clickhouse" / "rows")
        else:
            argv = [sys.executable, "-m", "tillstream", part]
            environment[metrics_server.SHARED_FOLDER] = str(self._metrics_folder)
            environment["TILLSTREAM_DATA_DIR"] = str(self.run_folder)
        return Child(part, argv, environment, PATIENCE[part], self._log(part), obituary)

    @property
    def _metrics_folder(self) -> Path:
        return self.run_folder / "metrics"

    def _log(self, part: str) -> Path | None:
        if part in SERVERS:
            return (self.log_folder or self.run_folder) / f"{part}.log"
        return self.log_folder / f"{part}.log" if self.log_folder else None

    async def _gate_opens(self) -> None:
        """Return once the broker's public address answers: the journal opens it when the log is whole again."""
        host, _, port = self.settings.kafka_servers[0].rpartition(":")
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    async def _serve_and_migrate(self) -> MigrationReport:
        if self.parts in (("broker",), ("clickhouse",)):
            return await self._serve_one()
        # An embedded server that does not answer within a minute never will; another's may come up later.
        await wait_for_kafka(self.settings, EMBEDDED_START_SECONDS if "broker" in self.parts else None)
        await wait_for_clickhouse(self.settings, EMBEDDED_START_SECONDS if "clickhouse" in self.parts else None)
        return await migrate.migrate(self.settings, None)

    async def _serve_one(self) -> MigrationReport:
        wait = wait_for_kafka if self.parts == ("broker",) else wait_for_clickhouse
        await wait(self.settings, EMBEDDED_START_SECONDS)
        return MigrationReport(notes=["Run `tillstream migrate` once Kafka and ClickHouse both serve."])

    async def while_alive(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, or Stop as soon as a part ends that cannot be started again."""
        task = asyncio.create_task(work)
        ends: set[asyncio.Future[Any]] = {task, self.failed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise self.failed.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
