"""What the outlet does when Kafka fails: it sends again what is not acknowledged, and stops where that cannot help."""

import asyncio
import threading

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)

from schemas.errors import Stop
from streams import outlet
from streams.framed import Framed
from streams.outlet import WORTH_A_THREAD, KafkaOutlet

from .producers import MemoryProducer

TOPICS = {"state": "changelog", "windows": "sales.windows", "late": "pos.late", "rejected": "pos.rejected"}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(outlet, "LONGEST_WAIT", 0.1)


def messages(many, size=10):
    return [(b"k%d" % at, b"v" * size, [("at", b"%d" % at)]) for at in range(many)]


def framed(*sizes):
    """Batches written whole, each of one message of a size and a tombstone's key."""
    batches = []
    for size in sizes:
        batches += Framed([]).and_then(b"k" * size, b"v" * size).and_then(None, b"last").batches
    return Framed(batches)


async def nothing():
    pass


def outlet_of(producer):
    return KafkaOutlet(lambda: producer, TOPICS, nothing)


async def test_what_is_handed_over_lands_in_order_and_is_then_acknowledged():
    producer = MemoryProducer()
    out = outlet_of(producer)
    await out.send("state", 2, messages(3))
    await out.send("windows", 2, messages(2))
    await out.acknowledged()
    assert producer.log == {("changelog", 2): messages(3), ("sales.windows", 2): messages(2)}
    assert producer.batches == 2


async def test_nothing_to_send_is_no_batch():
    producer = MemoryProducer()
    out = outlet_of(producer)
    await out.send("state", 0, [])
    await out.acknowledged()
    assert producer.batches == 0


async def test_what_does_not_fit_in_one_batch_goes_in_several_in_order():
    producer = MemoryProducer(batch_size=1_000)
    out = outlet_of(producer)
    await out.send("state", 0, messages(50))
    await out.acknowledged()
    assert producer.log["changelog", 0] == messages(50)
    assert producer.batches > 5


async def test_large_batches_are_compressed_in_another_thread_and_small_ones_are_left_to_the_sender():
    producer = MemoryProducer()
    out = outlet_of(producer)
    await out.send("state", 0, messages(1, outlet.WORTH_A_THREAD))
    await out.send("state", 0, messages(1))
    await out.acknowledged()
    large, small = producer.built_in
    assert large not in (0, threading.get_ident())
    assert small == 0


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("sending", KafkaTimeoutError()),
        ("lost", KafkaConnectionError()),
        ("lost", NotEnoughReplicasError()),
        ("unheard", RequestTimedOutError()),
    ],
)
async def test_what_fails_is_sent_again_until_it_is_acknowledged(where, error):
    producer = MemoryProducer(faults=[(where, error)] * 2)
    out = outlet_of(producer)
    await out.send("state", 0, messages(3))
    await out.acknowledged()
    assert producer.log["changelog", 0] == messages(3) * (3 if where == "unheard" else 1)


async def test_only_the_batch_that_failed_is_sent_again():
    producer = MemoryProducer(faults=[None, ("lost", KafkaConnectionError()), None])
    out = outlet_of(producer)
    for role in ("state", "windows", "late"):
        await out.send(role, 0, messages(1))
    await out.acknowledged()
    assert {topic: len(found) for (topic, _), found in producer.log.items()} == {
        "changelog": 1, "sales.windows": 1, "pos.late": 1,
    }  # fmt: skip
    assert producer.batches == 4


async def test_batches_that_were_written_whole_go_as_they_are_and_large_ones_are_compressed_before():
    producer = MemoryProducer()
    out = outlet_of(producer)
    sent = framed(WORTH_A_THREAD, 10, 0)
    await out.send("state", 0, sent)
    await out.send("state", 0, messages(1))
    await out.acknowledged()
    assert producer.log["changelog", 0] == [*sent, *messages(1)]
    assert producer.built_in[:3] == [1, 0, 0]


async def test_of_batches_that_were_written_whole_only_the_one_that_failed_is_sent_again():
    producer = MemoryProducer(faults=[None, ("lost", KafkaTimeoutError()), None])
    out = outlet_of(producer)
    first, second, third = (framed(size) for size in (1, 2, 3))
    await out.send("state", 0, Framed([*first.batches, *second.batches, *third.batches]))
    await out.acknowledged()
    assert producer.log["changelog", 0] == [*first, *third, *second]


async def test_where_the_client_sends_no_more_another_one_does():
    ended = MemoryProducer(faults=[None, *[("sending", KafkaError("Unexpected error during batch delivery"))] * 9])
    now = [ended]

    async def renew():
        now.append(MemoryProducer())

    out = KafkaOutlet(lambda: now[-1], TOPICS, renew)
    await out.send("state", 0, messages(1))
    await out.send("windows", 0, messages(2))
    await out.send("late", 0, messages(3))
    await out.acknowledged()
    assert ended.log == {("changelog", 0): messages(1)}
    assert now[-1].log == {("sales.windows", 0): messages(2), ("pos.late", 0): messages(3)}
    assert len(now) == 2


async def test_what_a_client_took_that_sends_no_more_is_not_waited_for(monkeypatch):
    """aiokafka puts a batch that failed back into its queue, which nobody empties any more."""
    monkeypatch.setattr(outlet, "LOOK_SECONDS", 0.01)
    silent = MemoryProducer()
    now = [silent]

    async def never(batch, topic, *, partition):
        return asyncio.get_running_loop().create_future()

    async def renew():
        now.append(MemoryProducer())

    silent.send_batch = never
    out = KafkaOutlet(lambda: now[-1], TOPICS, renew, lambda producer: producer is silent)
    await out.send("state", 0, messages(2))
    await out.acknowledged()
    assert now[-1].log == {("changelog", 0): messages(2)}


async def test_the_next_flush_waits_for_nothing_of_the_last_one():
    producer = MemoryProducer(faults=[("lost", KafkaConnectionError())])
    out = outlet_of(producer)
    await out.send("state", 0, messages(1))
    await out.acknowledged()
    await out.acknowledged()
    assert producer.batches == 2


@pytest.mark.parametrize("error", [MessageSizeTooLargeError(), RecordListTooLargeError()])
async def test_a_message_that_kafka_finds_too_large_stops_the_worker_with_what_to_do(error):
    out = outlet_of(MemoryProducer(faults=[("lost", error)]))
    await out.send("state", 0, messages(1))
    with pytest.raises(Stop, match=r"refuses a message to changelog as too large. Run `tillstream migrate`"):
        await out.acknowledged()


async def test_a_batch_that_is_too_large_is_not_hidden_by_one_that_may_be_sent_again():
    out = outlet_of(MemoryProducer(faults=[("lost", KafkaConnectionError()), ("lost", MessageSizeTooLargeError())]))
    await out.send("state", 0, messages(1))
    await out.send("windows", 0, messages(1))
    with pytest.raises(Stop, match=r"sales.windows"):
        await out.acknowledged()


async def test_missing_rights_stop_the_worker():
    out = outlet_of(MemoryProducer(faults=[("lost", TopicAuthorizationFailedError())]))
    await out.send("late", 0, messages(1))
    with pytest.raises(Stop, match=r"does not let this user write to pos.late"):
        await out.acknowledged()


async def test_a_missing_partition_stops_the_worker():
    with pytest.raises(Stop, match=r"Topic pos.rejected has no partition 4. Run `tillstream migrate`"):
        await outlet_of(MemoryProducer(partitions=4)).send("rejected", 4, messages(1))


async def test_a_partition_that_was_added_a_moment_ago_is_asked_for_before_it_is_missed():
    producer = MemoryProducer(partitions=4, added=2)
    out = outlet_of(producer)
    await out.send("rejected", 5, messages(1))
    await out.acknowledged()
    assert len(producer.log["pos.rejected", 5]) == 1


async def test_a_cancelled_wait_ends_at_once_and_acknowledges_nothing():
    class Silent(MemoryProducer):
        async def send_batch(self, batch, topic, *, partition):
            return asyncio.get_running_loop().create_future()

    out = outlet_of(Silent())
    await out.send("state", 0, messages(1))
    waiting = asyncio.create_task(out.acknowledged())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
