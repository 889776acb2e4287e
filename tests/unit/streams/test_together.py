"""Several things at once, of which the first fault ends all."""

from __future__ import annotations

import asyncio

import pytest

from schemas.errors import Stop
from streams.together import side_by_side


async def test_none_waits_for_another():
    told = asyncio.Event()

    async def waits():
        await told.wait()

    async def tells():
        told.set()

    async with asyncio.timeout(10):
        await side_by_side([waits(), tells()])


async def test_the_first_fault_cancels_the_others_and_is_raised_by_itself():
    ended = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fails():
        raise Stop("a topic is missing.")

    with pytest.raises(Stop, match="a topic is missing"):
        await side_by_side([waits(), fails()])
    assert ended == [True]
