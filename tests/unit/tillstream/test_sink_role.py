"""The parts of a role run together, and end together."""

from __future__ import annotations

import asyncio

import pytest

from schemas.errors import Again, Stop
from tillstream.sink_role import _together


async def for_ever():
    await asyncio.Event().wait()


async def ends(fault):
    raise fault


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Stop("no such topic", "migrate"), Stop),
        (Again("once more"), Again),
        # What an await on a library's cancelled task raises: a group of tasks takes it for an end that was asked for.
        (asyncio.CancelledError(), Again),
    ],
)
async def test_whatever_ends_one_part_ends_all_and_is_told(fault, told):
    async with asyncio.timeout(5):
        with pytest.raises(told):
            await _together(for_ever(), ends(fault))


async def test_cancelling_a_role_cancels_its_parts_and_is_no_fault():
    role = asyncio.create_task(_together(for_ever(), for_ever()))
    await asyncio.sleep(0)
    role.cancel()
    with pytest.raises(asyncio.CancelledError):
        await role
