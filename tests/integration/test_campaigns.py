"""`tillstream campaign` through Kafka: what arrives in the feed, what a repeat adds, and what is listed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas import feed, topics
from schemas.feed import Campaign
from tests.integration.test_stock_and_policy import everything
from tests.unit.tillstream.test_campaigns import TAUGHT
from tillstream import feed_log
from tillstream.outputs import OUTPUTS

pytestmark = pytest.mark.integration
CAMPAIGNS = str(Path(__file__).parents[1] / "data/campaigns.toml")
NOW = datetime.now(UTC).replace(microsecond=0)


def told(settings):
    """Each partition's campaigns, in order."""
    found = [[] for _ in range(settings.partitions)]
    for partition, _, value in everything(settings, topics.FEED):
        found[partition].append(feed.decode(value))
    return found


def apply(settings, command, tmp_path, since, until, *, skus="a", stores=""):
    file = tmp_path / "campaigns.csv"
    rows = [f"c,{sku},{since.isoformat()},{until.isoformat()},{stores}" for sku in skus]
    file.write_text("\n".join(["campaign_id,sku,since,until,store", *rows]), "utf-8")
    return json.loads(command(settings, "campaign", "apply", str(file), "--json").out)


def listed(settings, command, *options):
    return json.loads(command(settings, "campaign", "list", "--json", *options).out)


def test_campaigns_reach_every_partition_and_a_repeat_adds_nothing(migrated, command):
    assert command(migrated, "campaign", "list").out == "no campaign runs, and none is to come\n"
    done = json.loads(command(migrated, "campaign", "apply", CAMPAIGNS, "--json").out)
    assert set(done) == set(OUTPUTS["campaign apply"])
    assert (done["campaigns"], done["different"], done["partitions"]) == (2, 2, 4)
    assert told(migrated) == [TAUGHT] * 4
    assert command(migrated, "campaign", "apply", CAMPAIGNS).out == "applied 2 campaigns; 0 of them new or changed\n"
    assert told(migrated) == [TAUGHT] * 4
    (coming,) = [one for one in listed(migrated, command) if one["campaign_id"] == "opening-12"]
    assert set(coming) == set(OUTPUTS["campaign list"])
    assert coming == {
        "campaign_id": "opening-12", "state": "to come", "since": "2105-01-01T00:00:00Z",
        "until": "2105-01-08T00:00:00Z", "skus": ["7038010055720"], "stores": ["12"],
    }  # fmt: skip
    table = command(migrated, "campaign", "list", "--all").out
    assert "2000000000017, 7038010055720" in table
    assert "2026-03-28 05:00Z" in table


def test_a_campaign_is_replaced_by_its_id_and_cancelled_by_its_moments(migrated, command, tmp_path):
    begin = NOW - timedelta(days=1)
    assert apply(migrated, command, tmp_path, begin, NOW + timedelta(days=1), skus="ab")["different"] == 1
    (running,) = listed(migrated, command)
    assert (running["state"], running["skus"], running["stores"]) == ("running", ["a", "b"], [])
    apply(migrated, command, tmp_path, begin, NOW + timedelta(days=2), stores="12")
    (running,) = listed(migrated, command)
    assert (running["skus"], running["stores"]) == (["a"], ["12"])
    assert apply(migrated, command, tmp_path, begin, begin)["different"] == 1
    assert listed(migrated, command) == []
    assert [one["state"] for one in listed(migrated, command, "--all")] == ["cancelled"]
    # Back to what it was once is a change again.
    assert apply(migrated, command, tmp_path, begin, NOW + timedelta(days=2), stores="12")["different"] == 1
    assert [len(one) for one in told(migrated)] == [4] * 4


def test_what_was_cut_off_is_finished_or_taken_back(migrated, command, tmp_path):
    begin, end = NOW - timedelta(days=1), NOW + timedelta(days=1)
    apply(migrated, command, tmp_path, begin, end)
    (before,) = told(migrated)[0]
    other = Campaign(campaign_id="c", skus=["b"], since=before.since, until=before.until)

    async def half():
        async with feed_log.Publisher(migrated, migrated.topic_prefix + topics.FEED) as publisher:
            for partition in range(2):
                await publisher.send(partition, [(None, feed.encode(other))])

    asyncio.run(half())
    assert apply(migrated, command, tmp_path, begin, end)["different"] == 1
    assert [one[-1] for one in told(migrated)] == [before] * 4


def test_a_check_and_a_faulty_file_send_nothing(migrated, command, tmp_path):
    away = migrated.model_copy(update={"kafka_url": "kafka://127.0.0.1:1"})
    assert command(away, "campaign", "apply", CAMPAIGNS, "--check").out == "2 campaigns: all valid\n"
    assert json.loads(command(away, "campaign", "apply", CAMPAIGNS, "--check", "--json").out)["partitions"] == 0
    (tmp_path / "wrong.csv").write_text("campaign_id,sku,since,until\nc,a,soon,2026-01-01T00:00Z\n", "utf-8")
    done = command(migrated, "campaign", "apply", str(tmp_path / "wrong.csv"), code=1)
    assert "campaign 1, since: must be an RFC 3339 time with its offset" in done.err
    assert everything(migrated, topics.FEED) == []
