"""The task of a partition, and the tasks together, with an outlet that keeps what it is given."""

import asyncio

from faust.types import TP

from streams.agents import WAITING_CHUNKS, Folding, PartitionTask
from streams.state import PartitionState
from streams.transport import AFTER_SEEK, Chunk
from streams.windows import Windows

from .world import MAX_SKEW, MINUTE, Record, log_of, message

TP0 = TP("pos.receipts", 0)
WINDOWS = Windows(5 * MINUTE, 60 * MINUTE)


class KeptOutlet:
    """Keeps what is sent; acknowledges at once, or once `gate` is open."""

    def __init__(self):
        self.sent = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, role, partition, messages):
        self.sent.extend((role, partition, message) for message in messages)

    async def acknowledged(self):
        await self.gate.wait()


def task_at(applied=-1, outlet=None):
    state = PartitionState(1, 0, "me", WINDOWS, applied=applied)
    return PartitionTask(state, "pos.receipts", MAX_SKEW, outlet or KeptOutlet(), lambda: 0, None)


def chunk_of(*offsets, follows=AFTER_SEEK, seeks=0):
    records = [Record(at, b"12", message(f"t{at}", at), log_of([b""])[0].timestamp) for at in offsets]
    return Chunk(TP0, records, follows, seeks)


async def crashed(fault):
    raise AssertionError(fault)


async def test_a_revoke_while_every_queue_is_full_does_not_leave_the_agent_waiting_for_ever():
    folding, outlet = Folding(crashed), KeptOutlet()
    outlet.gate.clear()
    folding.start([task_at(outlet=outlet)])

    async def agent():
        for at in range(WAITING_CHUNKS + 3):
            await folding.take(chunk_of(at, follows=at - 1), lambda _: None)

    delivering = asyncio.create_task(agent())
    for _ in range(20):  # turns of the loop, not time
        await asyncio.sleep(0)
    assert folding.tasks[0].queue.full()
    await folding.drop()
    async with asyncio.timeout(5):
        await delivering
