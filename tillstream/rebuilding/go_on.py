"""`continue`: goes on after `pos.receipts` was recreated, or after retention took receipts that nobody had counted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.epoch import Epoch
from schemas.errors import Stop
from streams.records import encode_record, partition_key
from tillstream import ch, epochs, kafka, topic_admin
from tillstream.groups import groups_of, members
from tillstream.rebuilding import evidence, plan
from tillstream.rebuilding.evidence import Evidence
from tillstream.rebuilding.first_receipts import still_the_counted_log
from tillstream.rebuilding.opened import opened
from tillstream.settings import Settings
from tillstream.waiting import admin


@dataclass(slots=True)
class Continued:
    """What `continue` did: the epoch that counts from now on, those beside it, and holes that it stepped over.

    `skipped` maps partitions to how many offsets went before they were counted.
    """

    epoch: Epoch
    beside: list[int] = field(default_factory=list)
    skipped: dict[int, int] = field(default_factory=dict)


async def go_on(settings: Settings) -> Continued:
    """Find out what happened to the log and go on from it; raises Stop where there is nothing to mend, or no way."""
    known = await opened(settings, partitions=True)
    current = plan.current(known)
    epochs.check(current, settings)
    found = await evidence.gather(settings, current.epoch)
    judged = {one.judgement for one in found.values()}
    if "other" in judged:
        await _refuse_a_part(settings, current, found)
        return await _begin_beside(settings, known)
    if "hole" in judged:
        if await members(settings, groups_of(settings, "worker", current.epoch)[0]):
            raise Stop("Workers are counting.", "Stop them first: they would write what is about to be mended.")
        return Continued(current, skipped=await _step_over(settings, current, found))
    raise Stop(
        f"{settings.topic_prefix}{topics.RECEIPTS} is the log that epoch {current.epoch} has counted: there is"
        " nothing to continue.",
        "Start the workers: they go on where they stood.",
    )


async def _refuse_a_part(settings: Settings, current: Epoch, found: Mapping[int, Evidence]) -> None:
    """Stop where a part of the log is the one that was counted: beside its figures it would be counted twice."""
    same = sorted(partition for partition, one in found.items() if one.judgement in ("same", "hole"))
    if not same:
        same = await still_the_counted_log(settings, current.epoch, found)
    if same:
        source = settings.topic_prefix + topics.RECEIPTS
        numbers = ", ".join(map(str, same))
        raise Stop(
            f"{source} was not recreated as a whole: partitions {numbers} still begin with receipts that were counted,"
            " and would be counted twice.",
            "`tillstream rebuild` computes every figure anew from what the log holds now.",
        )


async def _begin_beside(settings: Settings, known: plan.Known) -> Continued:
    epoch = plan.beside(known)
    async with admin(settings) as client:
        await topic_admin.create_missing(client, [topic_admin.changelog(settings, epoch.epoch)])
    entry = await epochs.write(settings, epoch)
    with await asyncio.to_thread(ch.connect, settings) as client:
        await asyncio.to_thread(epochs.copy, client, [entry])
    return Continued(epoch, [one.epoch.epoch for one in epochs.counting(known)])


async def _step_over(settings: Settings, current: Epoch, found: Mapping[int, Evidence]) -> dict[int, int]:
    """Vouch for what is gone: each PartitionRecord moves on to where the log begins, and counts nothing for it."""
    skipped = {}
    changelog = topics.changelog_topic(settings.topic_prefix, current.epoch)
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        for partition, (record, view, judgement) in found.items():
            if judgement != "hole" or record is None:
                continue
            skipped[partition] = view.first - 1 - record.applied
            moved = msgspec.structs.replace(record, applied=view.first - 1)
            # An owner of its own: nobody's record is overwritten, and the largest `applied` holds.
            key = partition_key(partition, f"continue-{secrets.token_hex(6)}")
            await producer.send_and_wait(changelog, encode_record(moved), key, partition=partition)
    return skipped
