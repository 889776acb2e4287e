"""`tillstream stock` and `tillstream policy` through Kafka: what arrives there, and what is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from schemas import feed, stock, topics
from schemas.feed import PoliciesSet
from schemas.times import instant
from tests.unit.tillstream.test_policies import TAUGHT
from tillstream import policy_log
from tillstream.outputs import OUTPUTS
from tillstream.publish import Publisher, partition_of
from tillstream.reconcile import log

pytestmark = pytest.mark.integration
DATA = Path(__file__).parents[1] / "data"
MOVEMENTS, POLICIES = str(DATA / "movements.ndjson"), str(DATA / "policies.toml")


def everything(settings, topic):
    """Partition, key and value of each record, by partition."""

    async def read():
        ends = await log.ends_of(settings, settings.topic_prefix + topic)
        async with log.reader(settings) as consumer:
            return [
                (part.partition, record.key, record.value)
                for part, end in sorted(ends.items())
                async for records in log.read(consumer, part, end, lambda _: None)
                for record in records
            ]

    return asyncio.run(read())


def test_movements_are_published_as_they_are_each_store_in_its_partition(migrated, command):
    done = json.loads(command(migrated, "stock", MOVEMENTS, "--json").out)
    assert set(done) == set(OUTPUTS["stock"])
    assert (done["sent"], done["valid"], done["refused"]) == (3, 3, 0)
    found = everything(migrated, topics.STOCK)
    assert all(partition == partition_of(key, migrated.partitions) for partition, key, _ in found)
    assert sorted(value for *_, value in found) == sorted(Path(MOVEMENTS).read_bytes().splitlines())
    assert [stock.decode(value).movement_id for _, key, value in found if key == b"12"] == ["m1", "m2"]


def test_what_is_refused_is_told_and_the_others_are_sent(migrated, command, tmp_path):
    file = tmp_path / "counts.csv"
    file.write_text(
        "movement_id,store_id,sku,kind,quantity,occurred_at\n"
        "m1,12,a,count,5,2026-11-23T08:00:00Z\nm2,12,b,count,-5,2026-11-23T08:00:00Z\n",
        "utf-8",
    )
    done = command(migrated, "stock", str(file), code=1)
    assert "published: 1 movements; refused: 1" in done.out
    assert "$.quantity" in done.out
    assert [json.loads(value)["sku"] for *_, value in everything(migrated, topics.STOCK)] == ["a"]


def test_a_check_sends_nothing_and_needs_nobody(migrated, command):
    away = migrated.model_copy(update={"kafka_url": "kafka://127.0.0.1:1"})
    assert command(away, "stock", MOVEMENTS, "--check").out == "valid: 3 movements\n"
    assert json.loads(command(away, "stock", MOVEMENTS, "--check", "--json").out)["sent"] == 0
    assert everything(migrated, topics.STOCK) == []


def test_policies_reach_every_partition_and_those_in_force_are_shown(migrated, command):
    assert command(migrated, "policy", "show").out == "no policies hold: the defaults do, everywhere\n"
    done = json.loads(command(migrated, "policy", "apply", POLICIES, "--from", "2026-01-01T00:00Z", "--json").out)
    assert set(done) == set(OUTPUTS["policy apply"])
    assert (done["rules"], done["partitions"], done["since"]) == (3, 4, "2026-01-01T00:00:00Z")
    found = everything(migrated, topics.FEED)
    wanted = PoliciesSet(version=done["version"], since=instant("2026-01-01T00:00:00Z"), rules=TAUGHT)
    assert [(partition, feed.decode(value)) for partition, _, value in found] == [(n, wanted) for n in range(4)]
    later = json.loads(command(migrated, "policy", "apply", POLICIES, "--from", "2105-01-01T00:00Z", "--json").out)
    shown = json.loads(command(migrated, "policy", "show", "--json").out)
    assert set(shown) == set(OUTPUTS["policy show"])
    assert shown["in_force"]["version"] == done["version"]
    assert [one["version"] for one in shown["to_come"]] == [later["version"]]
    assert shown["in_force"]["rules"][1:] == [
        {"store": "", "sku": "", "category": "Milk", "lead_time": 1.0, "pack": "6"},
        {"store": "12", "sku": "7038010055720", "category": "", "reorder_point": "11.5", "critical_per_day": "250"},
    ]
    assert (shown["defaults"]["lead_time"], shown["defaults"]["pack"]) == (2.0, "1")
    table = command(migrated, "policy", "show").out
    assert "reorder_point 11.5, critical_per_day 250" in table
    assert "to come: version" in table


def test_policies_are_found_among_other_messages_in_the_shortest_partition(migrated):
    async def filled():
        policies = policy_log.version(TAUGHT, 5)
        asked = feed.Action(action_id='"type":"policies"', store_id="12", alert_id="a", kind="resolve")
        async with Publisher(migrated, migrated.topic_prefix + topics.FEED) as publisher:
            for partition, many in enumerate((50, 20, 3, 50)):
                await publisher.send(partition, [(b"12", feed.encode(asked))] * many)
        await policy_log.publish(migrated, policies, lambda _: None)
        totals, read = [], []
        return await policy_log.applied(migrated, totals.append, read.append), totals, sum(read), policies

    found, totals, read, policies = asyncio.run(filled())
    assert found == [policies]
    assert totals == [4]
    assert read == 4


def test_policies_of_the_configuration_are_applied_and_checked(migrated, command, monkeypatch, tmp_path):
    assert "has no [[policy]]" in command(migrated, "policy", "apply", code=1).err
    monkeypatch.setenv("TILLSTREAM_CONFIG", POLICIES)
    assert command(migrated, "policy", "apply", "--check").out == "3 rules: all valid\n"
    assert everything(migrated, topics.FEED) == []
    assert "applied 3 rules as version" in command(migrated, "policy", "apply").out
    (tmp_path / "wrong.csv").write_text("store,lead_time\n12,2d\n13,soon\n", "utf-8")
    done = command(migrated, "policy", "apply", str(tmp_path / "wrong.csv"), code=1)
    assert "rule 2, lead_time: is no duration" in done.err
    assert len(everything(migrated, topics.FEED)) == 4
