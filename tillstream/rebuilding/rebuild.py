"""Computes a new epoch from the log's beginning beside the live one, and puts it in that one's place.

A worker and a sink of its own run as children; whoever runs `tillstream worker --epoch N` elsewhere makes it faster.
The epoch takes its place only once it has caught up and reconciles. Interrupted, it is gone on with at the next call.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from rich.progress import Progress

from schemas import topics
from schemas.epoch import Epoch
from schemas.errors import Stop
from tillstream import ch, epochs, topic_admin
from tillstream.groups import groups_of, members, wait_until_assigned
from tillstream.local.launch import settings_environment
from tillstream.local.supervisor import Child, Supervisor
from tillstream.rebuilding import catch_up, evidence, plan
from tillstream.rebuilding.opened import opened
from tillstream.reconcile.run import Report, reconcile
from tillstream.settings import Settings
from tillstream.waiting import admin

ROLES = ("worker", "sink")
_PATIENCE = 8.0
_RECONCILE_SECONDS = 600.0
_TAKE_OVER_SECONDS = 60.0


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did. `replaced` are the epochs whose place was taken: none where it does not reconcile.

    `goes_on` names the roles that others run for the new epoch now: what it lacks must be started.
    """

    epoch: Epoch
    report: Report
    replaced: list[int] = field(default_factory=list)
    goes_on: list[str] = field(default_factory=list)
    seconds: float = 0.0


async def rebuild(
    settings: Settings, say: Callable[[str], None], bar: Progress | None = None, *, accept_loss: bool = False
) -> Rebuilt:
    """Build an epoch with window, grace and skew of the settings and make it live; raises Stop or Unavailable."""
    begun = time.monotonic()
    known = await opened(settings, partitions=True)
    before = plan.current(known)
    if not accept_loss:
        await _check_whole(settings, before)
    built = plan.building(known, settings)
    if built.epoch not in known:
        await epochs.write(settings, built)
    async with admin(settings) as client:
        await topic_admin.create_missing(client, [topic_admin.changelog(settings, built.epoch)])
    say(f"computing epoch {built.epoch} beside epoch {before.epoch}")
    supervisor = Supervisor()
    try:
        for role in ROLES:
            await supervisor.start(_child(settings, role, built.epoch))
        done = await _unless_failed(_build(settings, before, built, say, bar), supervisor.failed)
    finally:
        await supervisor.stop(list(ROLES))
    done.seconds = time.monotonic() - begun
    return done


async def _build(
    settings: Settings, before: Epoch, built: Epoch, say: Callable[[str], None], bar: Progress | None
) -> Rebuilt:
    await wait_until_assigned(settings, [one for role in ROLES for one in groups_of(settings, role, built.epoch)])
    await catch_up.wait(settings, built.epoch, bar)
    report = await reconcile(settings, _RECONCILE_SECONDS, bar, built.epoch)
    if report.different:
        return Rebuilt(built, report)
    running = [role for role in ROLES if await members(settings, _own_group(settings, role, before))]
    client = await asyncio.to_thread(ch.connect, settings)
    try:
        await catch_up.wait_for_rows(client, before.epoch, built.epoch)
        known = await epochs.read_all(settings)
        entry = await epochs.write(settings, plan.succeeding(known, built))
        await asyncio.to_thread(epochs.copy, client, [entry])  # at once, not when a sink comes to it
    finally:
        client.close()
    replaced = [known[number].epoch for number in entry.epoch.replaces]
    for old in replaced:
        await epochs.write(settings, msgspec.structs.replace(old, state="retired"))
    say(f"epoch {built.epoch} is live in place of epoch {before.epoch}")
    if running:
        say(f"waiting until what runs ({', '.join(running)}) has gone over to it")
    return Rebuilt(entry.epoch, report, [old.epoch for old in replaced], await _going_on(settings, running, built))


async def _check_whole(settings: Settings, before: Epoch) -> None:
    """Stop where the log does not hold all that is counted: those figures would be gone."""
    source = settings.topic_prefix + topics.RECEIPTS
    for partition, (_, view, judgement) in (await evidence.gather(settings, before.epoch)).items():
        if view.first > 0 or judgement == "other":
            what = f"begins at offset {view.first}" if view.first > 0 else "is not the log that was counted"
            raise Stop(
                f"{source}, partition {partition}, {what}: what was counted of receipts that it no longer holds cannot"
                " be computed anew and would be gone.",
                "`--accept-loss` does it all the same; `tillstream continue` goes on beside what was counted.",
            )


async def _going_on(settings: Settings, running: list[str], built: Epoch) -> list[str]:
    """The roles of those that ran for the old epoch and have come over to the new one, so that ours may end."""
    come: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(_TAKE_OVER_SECONDS):
            while come != running:
                await asyncio.sleep(catch_up.POLL_SECONDS)  # the broker has no way to tell us of its own accord
                come = [role for role in running if await members(settings, _own_group(settings, role, built)) > 1]
    return come


def _own_group(settings: Settings, role: str, epoch: Epoch) -> str:
    """The group of a role that is the epoch's alone."""
    return groups_of(settings, role, epoch.epoch)[-1]


def _child(settings: Settings, role: str, epoch: int) -> Child:
    environment = {**os.environ, **settings_environment(settings), "TILLSTREAM_METRICS_BIND": "127.0.0.1:0"}
    argv = [sys.executable, "-m", "tillstream", role, "--epoch", str(epoch)]
    return Child(role, argv, environment, _PATIENCE, settings.data_dir / "rebuild" / f"{role}.log")


async def _unless_failed(work: Coroutine[Any, Any, Rebuilt], failed: asyncio.Future[Stop]) -> Rebuilt:
    task = asyncio.create_task(work)
    ends: set[asyncio.Future[Any]] = {task, failed}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise failed.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
