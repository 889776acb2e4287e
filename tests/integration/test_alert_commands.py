"""`tillstream alerts` over rows in ClickHouse, and its actions through Kafka to whoever answers there."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import feed, topics
from schemas.times import instant
from tests.integration.test_restock_rows import write
from tests.unit.schemas.restock import alert
from tillstream import ch, kafka
from tillstream.alerts import act
from tillstream.outputs import OUTPUTS

pytestmark = pytest.mark.integration
MILK, BREAD, BEER = "3f9a" + "0" * 28, "b0" + "1" * 30, "bee5" + "0" * 28
LEADS_TO = {"acknowledge": "acknowledged", "snooze": "snoozed", "resolve": "resolved"}


@pytest.fixture
def some(migrated):
    """Milk is low, bread is out and dear, beer was out and is there again, cheese is ordered in another store."""
    write(
        migrated,
        alert(alert_id=MILK),
        alert(alert_id=BREAD, sku="bread", rule="stock_out", severity="critical", on_hand="0", reorder_point=None),
        alert(alert_id=BEER, sku="beer", rule="stock_out"),
        alert(alert_id=BEER, sku="beer", rule="stock_out", state="resolved", sequence=2, reason="recovered"),
        alert(alert_id="c" * 32, sku="cheese", store_id="13", lost_revenue_per_day="900", severity="warning"),
        alert(alert_id="c" * 32, sku="cheese", store_id="13", lost_revenue_per_day="900", state="ordered", sequence=2),
        partition=2,
    )  # fmt: skip
    return migrated


def told(command, settings, *argv, code=0):
    return json.loads(command(settings, "alerts", *argv, "--json", code=code).out)


def test_open_alerts_are_listed_by_severity_and_then_by_what_they_cost(some, command):
    assert [one["sku"] for one in told(command, some)] == ["bread", "cheese", "7038010055720"]
    shown = command(some, "alerts").out
    assert shown.index("bread") < shown.index("900.00 NOK") < shown.index("84.25 NOK", shown.index("900.00 NOK"))
    assert MILK[:10] in shown


@pytest.mark.parametrize(
    ("argv", "skus"),
    [
        (["--store", "13"], {"cheese"}), (["--sku", "bread"], {"bread"}), (["--rule", "stock_out"], {"bread"}),
        (["--rule", "stock_out", "--all"], {"bread", "beer"}), (["--state", "resolved"], {"beer"}),
        (["--severity", "critical"], {"bread"}), (["--store", "99"], set()), (["--limit", "1"], {"bread"}),
    ],
)  # fmt: skip
def test_they_can_be_narrowed_down(some, command, argv, skus):
    assert {one["sku"] for one in told(command, some, "list", *argv)} == skus
    assert {one["sku"] for one in told(command, some, *argv)} == skus, "without the word, likewise"


def test_nothing_to_list_and_more_than_is_listed_are_said(some, command):
    assert command(some, "alerts", "--store", "99").out == "no open alerts\n"
    assert command(some, "alerts", "--store", "99", "--all").out == "no alerts\n"
    assert "there are more (--limit 10)" in command(some, "alerts", "--limit", "1").err


def test_what_is_no_rule_or_state_is_refused_with_the_choices(some, command):
    assert "'stock_out'" in command(some, "alerts", "--rule", "stockout", code=2).err
    assert "'snoozed'" in command(some, "alerts", "list", "--state", "open", code=2).err
    assert "No such command 'lst'" in command(some, "alerts", "lst", code=2).err


def test_one_alert_is_shown_with_its_states_by_a_beginning_of_its_id(some, command):
    found = told(command, some, "show", "bee")
    assert set(found) == set(OUTPUTS["alerts show"])
    assert (found["state"], found["reason"]) == ("resolved", "recovered")
    assert [state["state"] for state in found["states"]] == ["raised", "resolved"]
    assert (found["on_hand"], found["raised_at"]) == ("5.00000", "2026-11-23T16:05:09Z")
    shown = command(some, "alerts", "show", "BEE5").out
    assert "Milk 1 l, Fjord, Milk, Dairy" in shown
    assert "recovered" in shown


@pytest.mark.parametrize("verb", ["show", "explain", "acknowledge", "resolve"])
def test_ids_that_nobody_or_several_have_are_refused(some, command, verb):
    assert "There is no alert 'd00d'" in command(some, "alerts", verb, "d00d", code=1).err
    several = command(some, "alerts", verb, "b", code=1).err
    assert BREAD in several
    assert "bee5" in several
    assert "Give more of the id" in several
    assert "There is no alert ''" in command(some, "alerts", verb, "", code=1).err


def test_an_explanation_is_of_the_state_in_which_it_fired(some, command):
    found = told(command, some, "explain", "cc")
    assert set(found) == set(OUTPUTS["alerts explain"])
    assert found["alert"]["sequence"] == 1
    assert found["steps"][0] == {
        "what": "lead demand", "formula": "2 days x 3.1 a day", "result": 6.2, "unit": "units", "note": "",
    }  # fmt: skip
    shown = command(some, "alerts", "explain", MILK).out
    assert "reorder point   = 2 days x 3.1 a day + 1.645 x sqrt(9) = 11.135 units" in shown


@contextmanager
def answering(settings):
    """Stands in for worker and sink: reads the feed and writes the state that an action asks for; gives the actions."""
    found, begun, stop = [], threading.Event(), threading.Event()

    async def run():
        parts = [TopicPartition(settings.topic_prefix + topics.FEED, n) for n in range(settings.partitions)]
        async with AIOKafkaConsumer(**kafka.client_options(settings), **kafka.TO_THE_END) as consumer:
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            begun.set()
            while not stop.is_set():
                for part, records in (await consumer.getmany(*parts, timeout_ms=50)).items():
                    for record in records:
                        asked = feed.decode(record.value)
                        found.append((part.partition, record.key, asked))
                        await asyncio.to_thread(answer, asked, part.partition)

    def answer(asked, partition):
        with ch.connect(settings) as client:
            (last,) = client.query(
                "SELECT max(sequence), any(sku) FROM alert_states WHERE alert_id = {a:String}", {"a": asked.alert_id}
            ).result_rows
        until = None
        if asked.until is not None:
            until = datetime.fromtimestamp(asked.until / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
        state = alert(alert_id=asked.alert_id, sku=last[1], state=LEADS_TO[asked.kind], sequence=last[0] + 1,
                      snoozed_until=until)  # fmt: skip
        write(settings, state, partition=partition, begin=100 + last[0])

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert begun.wait(30)
        yield found
    finally:
        stop.set()
        thread.join()


def test_actions_go_into_the_alerts_own_partition_and_are_told_once_they_count(some, command):
    with answering(some) as actions:
        done = command(some, "alerts", "acknowledge", "3f9a", "--actor", "Kari")
        assert done.out == f"alert {MILK} is acknowledged\n"
        assert "waiting until a worker has read it" in done.err
        assert command(some, "alerts", "acknowledge", "3f9a").out == f"alert {MILK} is acknowledged already\n"
        until = "2105-11-27T08:00+01:00"
        found = told(command, some, "snooze", "3f9a", "--until", until)
        assert set(found) == set(OUTPUTS["alerts snooze"])
        assert (found["state"], found["snoozed_until"], found["changed"]) == ("snoozed", "2105-11-27T07:00:00Z", True)
        assert told(command, some, "snooze", "3f9a", "--until", until)["changed"] is False
        assert "is snoozed until 2" in command(some, "alerts", "snooze", "b0", "--for", "4h").out
        assert command(some, "alerts", "resolve", "3f9a").out == f"alert {MILK} is resolved\n"
        assert "is resolved already" in command(some, "alerts", "resolve", "3f9a", code=1).err
    assert [(asked.kind, asked.alert_id) for _, _, asked in actions] == [
        ("acknowledge", MILK), ("snooze", MILK), ("snooze", BREAD), ("resolve", MILK),
    ]  # fmt: skip
    assert {(partition, key, asked.store_id) for partition, key, asked in actions} == {(2, b"12", "12")}
    assert actions[0][2].actor == "Kari"
    assert actions[1][2].until == instant("2105-11-27T07:00:00Z")
    assert len({asked.action_id for *_, asked in actions}) == 4


def test_an_action_that_nobody_answers_ends_with_what_to_do(some, command, monkeypatch):
    monkeypatch.setattr(act, "ANSWER_SECONDS", 0.3)
    done = command(some, "alerts", "resolve", "3f9a", code=1)
    assert f"Kafka has it, but alert {MILK} has not changed" in done.err
    assert "tillstream status" in done.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "A snooze has one end"), (["--for", "1h", "--until", "2105-01-01T00:00Z"], "A snooze has one end"),
        (["--until", "2020-01-01T00:00Z"], "would be over already"), (["--for", "-1h"], "would be over already"),
        (["--until", "noon"], "--until must be an RFC 3339 time"), (["--for", "long"], "no duration"),
    ],
)  # fmt: skip
def test_a_snooze_without_an_end_that_is_to_come_is_refused(some, command, argv, said):
    assert said in command(some, "alerts", "snooze", "3f9a", *argv, code=1).err


def test_an_alert_of_another_kafkas_partition_is_no_partition_of_this_one(migrated, command):
    write(migrated, alert(alert_id=MILK), partition=migrated.partitions)
    assert "the alert comes from number 4" in command(migrated, "alerts", "resolve", "3f", code=1).err
