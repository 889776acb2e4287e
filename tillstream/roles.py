"""The composition root of the worker: from the settings to what `streams` takes. The sink's is in `sink_role`."""

from __future__ import annotations

import asyncio

from schemas.epoch import Epoch
from streams.app import WorkerConfig
from streams.app import run_worker as fold
from tillstream import kafka
from tillstream.epochs import log_of, read_all
from tillstream.follow import follow
from tillstream.local.lock import own_part
from tillstream.settings import Settings


async def run_worker(settings: Settings, epoch: Epoch, stop: asyncio.Event, *, only: bool = False) -> None:
    """Fold receipts until `stop` is set, for the epoch and those that take its place; raises Stop.

    With `only`, for this epoch alone, whatever becomes of it.
    """
    folder = own_part(settings.data_dir, "worker")
    try:
        await (_fold(settings, epoch, stop) if only else follow(settings, epoch, _fold, stop))
    finally:
        folder.release()


async def _fold(settings: Settings, epoch: Epoch, stop: asyncio.Event) -> None:
    await fold(worker_config(settings, epoch.epoch, await _log(settings, epoch)), stop)


async def _log(settings: Settings, epoch: Epoch) -> int | None:
    """Which life of the receipts' topic restock is told of; None for an epoch that is not live."""
    if epoch.state != "live":
        return None
    return log_of(epoch, await read_all(settings)) if epoch.replaces else epoch.epoch


def worker_config(settings: Settings, epoch: int, log: int | None = None) -> WorkerConfig:
    """The worker's part of the settings; `log` numbers the life of the receipts' topic, None tells restock nothing."""
    sasl = None
    if settings.kafka_security.startswith("SASL_"):
        password = settings.kafka_sasl_password.get_secret_value()
        sasl = (settings.kafka_sasl_mechanism, settings.kafka_sasl_username, password)
    return WorkerConfig(
        kafka_url=",".join(f"kafka://{server}" for server in settings.kafka_servers),
        prefix=settings.topic_prefix,
        epoch=epoch,
        partitions=settings.partitions,
        window_us=settings.window_us,
        grace_us=settings.grace_us,
        max_skew_us=settings.max_skew_us,
        log=log,
        ssl_context=kafka.ssl_context(settings),
        sasl=sasl,
    )
