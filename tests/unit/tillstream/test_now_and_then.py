"""What is done beside the real work never holds it up."""

from __future__ import annotations

import asyncio

import pytest

from tillstream.now_and_then import now_and_then


@pytest.fixture
def stop():
    return asyncio.Event()


async def test_a_turn_that_fails_or_hangs_is_left_out(stop):
    turns = []

    async def work():
        turns.append(1)
        if len(turns) == 1:
            raise OSError("away")
        if len(turns) == 2:
            await asyncio.Event().wait()
        if len(turns) == 4:
            stop.set()

    await now_and_then(work, 0, stop, longest=0.01)
    assert len(turns) >= 4


async def test_a_stop_interrupts_a_turn_that_hangs(stop):
    ended = []

    async def work():
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with asyncio.timeout(20):
        await now_and_then(work, 0, stop)
    assert ended, "and the turn could tidy up"


async def test_whoever_is_cancelled_takes_the_turn_along(stop):
    begun, ended = asyncio.Event(), []

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.create_task(now_and_then(work, 0, stop))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
