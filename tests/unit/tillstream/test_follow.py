"""A role goes over to the epoch that takes the place of its own, whatever Kafka's client says in between."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.epoch import Epoch
from tillstream import epochs, follow
from tillstream.epochs import KnownEpoch
from tillstream.settings import Settings

FIRST = Epoch(1, "live", 300, 345_600, 600)
SECOND = Epoch(2, "live", 900, 345_600, 600, (1,))


def known(*found):
    return {one.epoch: KnownEpoch(one, at, True) for at, one in enumerate(found)}


@pytest.fixture
def answers(monkeypatch):
    """What the epochs' topic answers, one look after the other; the last one for ever."""
    given = []

    async def read_all(_):
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(epochs, "read_all", read_all)
    monkeypatch.setattr(follow, "EVERY_SECONDS", 0)
    return given


async def test_the_successor_is_found_through_every_way_in_which_a_client_fails(answers):
    answers += [known(FIRST), KafkaConnectionError("away"), OSError("reset"), asyncio.CancelledError(), TimeoutError()]
    answers += [known(FIRST, SECOND)]
    async with asyncio.timeout(5):
        assert await follow.successor(Settings(), 1) == SECOND


async def test_a_part_runs_for_each_epoch_with_its_rules_until_the_role_is_stopped(answers):
    answers += [known(FIRST), known(FIRST, SECOND)]
    ran, stop = [], asyncio.Event()

    async def part(settings, epoch, ended):
        ran.append((epoch.epoch, settings.window.total_seconds()))
        if epoch == SECOND:
            stop.set()
        await ended.wait()
        ran.append(f"ended {epoch.epoch}")

    async with asyncio.timeout(5):
        await follow.follow(Settings(), FIRST, part, stop)
    assert ran == [(1, 300.0), "ended 1", (2, 900.0), "ended 2"]


async def test_what_a_part_raises_ends_the_role(answers):
    answers.append(known(FIRST))

    async def part(*_):
        raise ValueError("broken")

    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="broken"):
            await follow.follow(Settings(), FIRST, part, asyncio.Event())
