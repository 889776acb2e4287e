"""The sender, from an alert in Kafka to receivers over HTTP that fail in every way they can."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web
from msgspec.structs import replace

from schemas import delivery as messages
from schemas import topics
from schemas.delivery import EndpointState
from sinks.webhooks.attempts import Attempts
from sinks.webhooks.endpoint import HOUR, SECOND, Tuning
from tests.integration.webhooks import (
    MS,
    QUICK,
    Receiver,
    endpoint,
    forget,
    fresh,
    log_of,
    note,
    publish,
    sender,
    states,
    store_of,
    until_forgotten,
    until_stand,
)
from tests.unit.sinks.webhooks.samples import OTHER, SECRET, delivery

pytestmark = pytest.mark.integration


def status(code, **headers):
    return lambda got, times: web.Response(status=code, headers=headers)


async def test_an_alert_is_delivered_once_signed_with_both_secrets_within_tens_of_milliseconds(migrated):
    async with Receiver(secrets=(SECRET, OTHER)) as receiver, sender(migrated, endpoint(receiver)):
        await publish(migrated, fresh(0))
        await receiver.has(1)
        took = []
        for number in range(1, 6):
            one = fresh(number)
            begun = time.monotonic()
            await publish(migrated, one)
            await receiver.has(number + 1)
            took.append(receiver.accepted[-1].at - begun)
        stand = await until_stand(migrated, lambda found: [one.state for one in found.values()] == ["delivered"] * 6)
    assert receiver.unsigned == 0
    assert len(receiver.got) == len({got.id for got in receiver.got}) == 6
    assert set(stand) == {got.id for got in receiver.got}
    assert receiver.got[0].body["type"] == "restock.raised"
    assert receiver.got[0].body["data"]["alert_id"] == "a0"
    print(f"from publishing, a connection to Kafka included: {sorted(took)}")  # noqa: T201
    assert min(took) < 0.5


async def test_what_was_committed_stands_in_the_log_in_the_partition_of_its_alert(migrated):
    async with Receiver() as receiver, sender(migrated, endpoint(receiver), endpoint(receiver, name="shop")):
        await publish(migrated, *(fresh(number) for number in range(20)))
        await receiver.has(40)
    for partition, found in (await log_of(migrated)).items():
        assert {one.partition for one in found} <= {partition}
        assert {one.webhook_id: one.state for one in found} == dict.fromkeys(
            {one.webhook_id for one in found}, "delivered"
        )
        assert len(found) == 2 * len({one.webhook_id for one in found}), "pending, then delivered"


async def test_of_one_alert_a_larger_sequence_waits_until_the_smaller_is_delivered(migrated):
    def fails_twice(got, times):
        return web.Response(status=500 if times < 3 and got.body["data"]["sequence"] != 3 else 200)

    async with Receiver(fails_twice) as receiver, sender(migrated, endpoint(receiver)):
        episodes = [
            fresh(number, sequence=sequence, state=state)
            for sequence, state in ((1, "raised"), (2, "resolved"), (3, "raised"))
            for number in range(5)
        ]
        await publish(migrated, *episodes)
        await receiver.has(15)
    for number in range(5):
        order = [got.body["data"]["sequence"] for got in receiver.got if got.body["data"]["alert_id"] == f"a{number}"]
        assert order == [1, 1, 1, 2, 2, 2, 3]
    assert len({got.id for got in receiver.got}) == 15, "raised again has an id of its own"


async def test_the_same_alert_twice_in_the_log_is_one_webhook(migrated):
    one = fresh(1)
    async with Receiver() as receiver, sender(migrated, endpoint(receiver)):
        await publish(migrated, one, one)
        await receiver.has(1)
        await publish(migrated, one, fresh(2, store_id=one.store_id))
        await receiver.has(2)
    assert [got.body["data"]["alert_id"] for got in receiver.got] == ["a1", "a2"]


@pytest.mark.parametrize("code", [500, 429, 302, 404, 0])
async def test_a_failure_is_tried_again_until_it_succeeds_under_the_same_id(migrated, code):
    def fails_at_first(got, times):
        if times == 3:
            return web.Response()
        return None if code == 0 else web.Response(status=code, headers={"Location": "/elsewhere"})

    async with Receiver(fails_at_first) as receiver, sender(migrated, endpoint(receiver)):
        await publish(migrated, fresh(1))
        await receiver.has(1)
        stand = await until_stand(migrated, lambda found: [one.state for one in found.values()] == ["delivered"])
    assert len(receiver.got) == 3
    assert len({got.id for got in receiver.got}) == 1
    assert [one.attempt for one in stand.values()] == [3]


async def test_a_receiver_that_hangs_is_left_after_the_timeout(migrated):
    tuning = Tuning(delays=(MS,) * 9, timeout=100 * MS, session=3 * SECOND)
    async with Receiver() as receiver:
        receiver.answers = lambda got, times: receiver.hangs() if times < 3 else web.Response()
        async with sender(migrated, endpoint(receiver), tuning=tuning):
            await publish(migrated, fresh(1))
            await receiver.has(1)
        found = [one.reason for part in (await log_of(migrated)).values() for one in part]
    assert found == ["", "no answer within 0.1 s", "no answer within 0.1 s", ""]


async def test_retry_after_is_honoured(migrated):
    tuning = Tuning(delays=(MS,) * 9, longest_pause=MS, session=3 * SECOND)

    def later(got, times):
        return web.Response(status=503, headers={"Retry-After": "1"}) if times == 1 else web.Response()

    async with Receiver(later) as receiver, sender(migrated, endpoint(receiver), tuning=tuning):
        await publish(migrated, fresh(1))
        await receiver.has(1)
    assert receiver.got[1].at - receiver.got[0].at >= 0.99


async def test_it_is_given_up_after_the_last_attempt_and_the_next_sequence_goes_out(migrated):
    def refuses_the_first(got, times):
        return web.Response(status=500 if got.body["data"]["sequence"] == 1 else 200)

    tuning = Tuning(delays=(MS, MS), session=3 * SECOND)
    async with Receiver(refuses_the_first) as receiver, sender(migrated, endpoint(receiver), tuning=tuning):
        await publish(migrated, fresh(1), fresh(1, sequence=2, state="resolved"))
        await receiver.has(1)
        stand = await until_stand(
            migrated, lambda found: {one.state for one in found.values()} == {"failed", "delivered"}
        )
    assert [got.body["data"]["sequence"] for got in receiver.got] == [1, 1, 1, 2]
    assert sorted((one.state, one.attempt) for one in stand.values()) == [("delivered", 1), ("failed", 3)]


async def test_410_disables_the_endpoint_and_a_message_that_it_is_well_enables_it(migrated):
    async with Receiver(status(410)) as receiver, Receiver() as other:
        async with sender(migrated, endpoint(receiver), endpoint(other, name="shop")):
            await publish(migrated, fresh(1))
            await until_stand(migrated, lambda found: any(one.state == "disabled" for one in found.values()))
            await publish(migrated, fresh(2))
            await other.has(2)
            stand = await until_stand(migrated, lambda found: len(found) == 4)
            assert sorted(one.state for one in stand.values() if one.endpoint == "erp") == ["disabled"] * 2
            assert len(receiver.got) == 1
        receiver.answers = lambda got, times: web.Response()
        async with sender(migrated, endpoint(receiver)):
            await publish(migrated, fresh(3))
            await until_stand(migrated, lambda found: len(found) == 5)
            assert len(receiver.got) == 1, "it is remembered"
            await note(migrated, 0, EndpointState(endpoint="erp", state="ok", since=1, at=1))
            await until_delivered_again(migrated, receiver)


async def until_delivered_again(settings, receiver):
    """Alerts until one gets through: when the sender has read that the endpoint is well, it alone knows."""
    async with asyncio.timeout(30):
        for number in range(10, 1000):
            await publish(settings, fresh(number))
            if receiver.accepted:
                return
            await asyncio.sleep(0.05)


async def test_an_endpoint_that_fails_for_long_enough_is_disabled_and_reported(migrated, caplog):
    tuning = Tuning(delays=(30 * MS,) * 99, noted_after=50 * MS, dead_after=300 * MS, session=3 * SECOND)
    async with Receiver(status(500)) as receiver, sender(migrated, endpoint(receiver), tuning=tuning):
        await publish(migrated, fresh(1))
        stand = await until_stand(migrated, lambda found: any(one.state == "disabled" for one in found.values()))
    noted = [one.state for one in (await log_of(migrated))[0] if isinstance(one, EndpointState)]
    assert noted == ["failing", "disabled"]
    assert "endpoint erp is disabled" in caplog.text
    assert [one.reason for one in stand.values()] == ["the endpoint is disabled"]


async def test_a_dead_endpoint_holds_up_no_other(migrated):
    async with Receiver() as dead, Receiver() as well:
        dead.answers = lambda got, times: dead.hangs()
        async with sender(migrated, endpoint(dead, name="dead"), endpoint(well)):
            await publish(migrated, *(fresh(number) for number in range(200)))
            await well.has(200, seconds=20)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_a_name_that_leads_to_a_private_address_is_not_dialled(migrated, host):
    tuning = Tuning(delays=(MS, MS), session=3 * SECOND)
    async with Receiver() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        there = endpoint(receiver, url=f"http://{host}:{port}/token")
        async with sender(migrated, there, tuning=tuning, allow_private=False):
            await publish(migrated, fresh(1))
            stand = await until_stand(migrated, lambda found: any(one.state == "failed" for one in found.values()))
        (one,) = stand.values()
        assert "no public address" in one.reason
        assert "TILLSTREAM_WEBHOOK_ALLOW_PRIVATE" in one.reason
        assert "token" not in one.reason
        assert receiver.got == []


async def test_an_alert_that_is_too_old_is_recorded_and_not_sent(migrated):
    old = "2026-01-01T00:00:00Z"
    async with Receiver() as receiver, sender(migrated, endpoint(receiver)):
        await publish(migrated, fresh(1, changed_at=old, raised_at=old), fresh(2, raised_at=old))
        await receiver.has(1)
        stand = await until_stand(migrated, lambda found: len(found) == 2)
    assert {one.alert_id: one.state for one in stand.values()}["a1"] == "expired"
    assert [got.body["data"]["alert_id"] for got in receiver.got] == ["a2"]


async def test_a_restart_goes_on_with_what_was_pending_and_sends_nothing_twice(migrated):
    answers = {"code": 500}
    slow = Tuning(delays=(500 * MS,) * 9, slow=MS, session=3 * SECOND)
    async with Receiver(lambda got, times: web.Response(status=answers["code"])) as receiver:
        async with sender(migrated, endpoint(receiver), tuning=slow):
            await publish(migrated, *(fresh(number) for number in range(10)))
            await until_stand(migrated, lambda found: [one.attempt > 0 for one in found.values()] == [True] * 10)
        answers["code"] = 200
        async with sender(migrated, endpoint(receiver), tuning=QUICK):
            await receiver.has(10)
            await publish(migrated, fresh(10))
            await receiver.has(11)
        before = len(receiver.got)
        async with sender(migrated, endpoint(receiver)):
            await publish(migrated, fresh(11))
            await receiver.has(12)
    assert len(receiver.got) == before + 1
    assert len({got.id for got in receiver.got}) == 12


async def test_killed_between_the_post_and_its_record_it_sends_the_same_id_again(migrated, monkeypatch):
    """The sender dies with a POST answered and nothing written down: as a SIGKILL there would leave it."""

    class Killed(BaseException):
        pass

    died = asyncio.Event()

    async def dies(*_):
        died.set()
        raise Killed

    async with Receiver() as receiver:
        with monkeypatch.context() as patched:
            patched.setattr(Attempts, "_note", dies)
            with pytest.raises(BaseExceptionGroup):  # noqa: PT012  # it dies while the alert is under way
                async with sender(migrated, endpoint(receiver)):
                    await publish(migrated, fresh(1))
                    await died.wait()
        assert [one.state for one in (await states(migrated)).values()] == ["pending"]
        async with sender(migrated, endpoint(receiver)):
            await receiver.has(2)
            await until_stand(migrated, lambda found: [one.state for one in found.values()] == ["delivered"])
    assert len({got.id for got in receiver.got}) == 1


async def test_two_senders_share_the_partitions_and_hand_them_over(migrated):
    async with Receiver() as receiver, sender(migrated, endpoint(receiver)):
        await publish(migrated, *(fresh(number) for number in range(50)))
        async with sender(migrated, endpoint(receiver)):
            await publish(migrated, *(fresh(number) for number in range(50, 300)))
            await receiver.has(300)
        await publish(migrated, *(fresh(number) for number in range(300, 350)))
        await receiver.has(350)
        await until_stand(migrated, lambda found: [one.state for one in found.values()].count("delivered") == 350)
    assert len({got.id for got in receiver.got}) == 350
    assert receiver.unsigned == 0


async def test_where_the_broker_forgot_the_group_the_log_says_where_to_go_on(migrated, monkeypatch):
    """As after a restart of `up`: the journal has the topics, and no group's offsets."""
    old = "2026-01-01T00:00:00Z"
    async with Receiver() as receiver:
        async with sender(migrated, endpoint(receiver)):
            await publish(migrated, *(fresh(n, raised_at=old, changed_at=old, store_id="1") for n in range(5)))
            await publish(migrated, fresh(5, store_id="1"))
            await receiver.has(1)
        before = await log_of(migrated)
        monkeypatch.setattr(topics, "webhooks_group", lambda prefix: f"{prefix}another")
        async with sender(migrated, endpoint(receiver)):
            await publish(migrated, fresh(6, store_id="1"))
            await receiver.has(2)
        after = await log_of(migrated)
    assert sum(map(len, after.values())) == sum(map(len, before.values())) + 2
    assert len(receiver.got) == 2


async def test_a_request_sends_a_delivery_again_under_its_id_however_old_it_is(migrated):
    async with Receiver() as receiver:
        async with sender(migrated, endpoint(receiver), max_age=HOUR):
            await publish(migrated, fresh(1))
            await receiver.has(1)
            (done,) = (await until_stand(migrated, lambda found: all(o.state == "delivered" for o in found.values()))
                       ).values()  # fmt: skip
            asked = messages.Delivery(**{name: getattr(done, name) for name in done.__struct_fields__} |
                                      {"state": "requested", "attempt": 0})  # fmt: skip
            await note(migrated, done.partition, asked)
            await receiver.has(2)
            await until_stand(migrated, lambda found: [one.state for one in found.values()] == ["delivered"])
        await note(migrated, done.partition, asked)
        async with sender(migrated, endpoint(receiver), max_age=HOUR):
            await receiver.has(3)
    assert len({got.id for got in receiver.got}) == 1


async def test_a_start_sends_nothing_that_the_log_tells_further_on_was_delivered(migrated):
    """A delivery whose first record lies many fetches before its last: it failed at first, long ago."""
    at = time.time_ns() // 1000
    one = delivery(at=at, next_at=at, occurred_at=at, partition=0, offset=0)
    between = [replace(one, webhook_id=f"msg_b{n}", state="delivered", next_at=0) for n in range(6_000)]
    await publish(migrated, fresh(1, store_id=store_of(migrated, 0)))
    await note(migrated, 0, one, *between, replace(one, state="delivered", next_at=0, attempt=2))
    async with Receiver() as receiver, sender(migrated, endpoint(receiver)):
        await publish(migrated, fresh(2))
        await receiver.until(lambda: any(got.body["data"]["alert_id"] == "a2" for got in receiver.accepted))
    assert "msg_1" not in {got.id for got in receiver.got}


async def test_what_nothing_needs_any_more_gets_a_tombstone_and_its_alert_read_again_makes_no_second_delivery(
    migrated, monkeypatch
):
    age, tuning = 4 * SECOND, Tuning(session=3 * SECOND, margin=100 * MS, tidy_every=50 * MS)
    store = store_of(migrated, 2)
    one, two = fresh(1, store_id=store), fresh(2, store_id=store)
    async with Receiver() as receiver:
        async with sender(migrated, endpoint(receiver), endpoint(receiver, name="shop"), tuning=tuning, max_age=age):
            await publish(migrated, one)
            await publish(migrated, two)
            await receiver.has(4)
            gone = await until_forgotten(migrated, 2)
            stand = await states(migrated)
            assert {stand[number].alert_id for number in gone} == {"a1"}, "of the newest alert they stay"
            await publish(migrated, fresh(3, store_id=store))
            await receiver.has(6)
            gone = await until_forgotten(migrated, 4)
            assert len(gone) == len(set(gone)), "each has one"
        # A sender whose group the broker forgot, and that remembers no id that it need not.
        monkeypatch.setattr(topics, "webhooks_group", lambda prefix: f"{prefix}another")
        monkeypatch.setattr("sinks.webhooks.known._FEW", 0)
        async with sender(migrated, endpoint(receiver), endpoint(receiver, name="shop"), tuning=tuning, max_age=age):
            await publish(migrated, one)
            await publish(migrated, fresh(4, store_id=store))
            await receiver.has(8)
            stand = await until_stand(migrated, lambda found: len(found) == 8)
    assert sorted(got.body["data"]["alert_id"] for got in receiver.got) == sorted(["a1", "a2", "a3", "a4"] * 2)
    assert {one.state for one in stand.values() if one.alert_id == "a1"} == {"expired"}


async def test_a_tombstone_ends_no_delivery_that_somebody_has_asked_for(migrated):
    """The request and a tombstone have crossed: the next start sends it all the same."""
    at = time.time_ns() // 1000
    store = store_of(migrated, 0)
    asked = delivery(at=at, next_at=0, occurred_at=at, partition=0, offset=0, state="requested", store_id=store)
    await publish(migrated, fresh(1, store_id=store))
    await note(migrated, 0, replace(asked, state="delivered"), asked)
    await forget(migrated, 0, asked.webhook_id)
    async with Receiver() as receiver, sender(migrated, endpoint(receiver)):
        await receiver.until(lambda: asked.webhook_id in {got.id for got in receiver.accepted})
        await until_stand(migrated, lambda found: found[asked.webhook_id].state == "delivered")


async def pending_for_an_endpoint(settings, receiver):
    """A delivery to "erp" that has failed once and is due again at once; its sender has ended."""
    receiver.answers = status(500)
    async with sender(settings, endpoint(receiver), tuning=Tuning(delays=(MS, *(HOUR,) * 9), session=3 * SECOND)):
        await publish(settings, fresh(1))
        await until_stand(settings, lambda found: [one.attempt for one in found.values()] == [2])
    receiver.answers = lambda got, times: web.Response()


async def test_what_an_endpoint_no_longer_named_waits_for_fails_after_the_span_of_retries_and_can_be_asked_for(
    migrated, caplog
):
    tuning = Tuning(delays=(200 * MS,) * 5, session=3 * SECOND, tidy_every=50 * MS)
    async with Receiver() as receiver:
        await pending_for_an_endpoint(migrated, receiver)
        async with sender(migrated, endpoint(receiver, name="shop"), tuning=tuning):
            stand = await until_stand(migrated, lambda found: [one.state for one in found.values()] == ["failed"])
        (one,) = stand.values()
        assert (one.endpoint, one.reason, one.attempt) == ("erp", "[[webhooks]] no longer names its endpoint", 2)
        assert one.at - one.occurred_at >= SECOND
        assert "1 webhooks for the endpoint erp have failed" in caplog.text
        await note(migrated, one.partition, replace(one, state="requested", at=one.at + 1))
        async with sender(migrated, endpoint(receiver)):
            await until_stand(migrated, lambda found: [one.state for one in found.values()] == ["delivered"])
    assert len(receiver.accepted) == 1


async def test_an_endpoint_that_is_named_again_in_time_gets_what_has_waited(migrated, caplog):
    patient = Tuning(session=3 * SECOND, tidy_every=10 * MS)
    async with Receiver() as receiver, Receiver() as other:
        await pending_for_an_endpoint(migrated, receiver)
        async with sender(migrated, endpoint(other, name="shop"), tuning=patient):
            await publish(migrated, fresh(2))
            await other.has(1)
        assert "webhooks wait for the endpoint erp" in caplog.text
        (one,) = [one for one in (await states(migrated)).values() if one.endpoint == "erp"]
        assert one.state == "pending"
        await note(migrated, one.partition, replace(one, next_at=one.at))  # an hour has passed
        async with sender(migrated, endpoint(receiver)):
            await receiver.has(1)
    assert [got.body["data"]["alert_id"] for got in receiver.accepted] == ["a1"]
