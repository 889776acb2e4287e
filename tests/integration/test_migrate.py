"""What `tillstream migrate` makes, leaves alone, and refuses."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from aiokafka.admin import NewTopic

from schemas.errors import Stop, Unavailable
from schemas.topics import EPOCHS, REJECTED
from tillstream import ch, epochs, topic_admin
from tillstream.local.launch import free_port
from tillstream.migrate import check_migrated, files, migrate
from tillstream.topic_admin import wanted
from tillstream.waiting import admin

pytestmark = pytest.mark.integration


async def create(settings, name, partitions):
    async with admin(settings) as client:
        await client.create_topics([NewTopic(name, partitions, 1)])


async def topic_counts(settings):
    async with admin(settings) as client:
        names = [name for name in await client.list_topics() if name.startswith(settings.topic_prefix)]
        return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics(names)}


async def test_makes_every_topic_with_its_partition_count_and_every_table(settings):
    report = await migrate(settings)
    assert await topic_counts(settings) == {spec.name: spec.partitions for spec in wanted(settings)}
    assert report.database_created
    assert report.applied == [name for name, _ in files()]
    with ch.connect(settings) as client:
        assert client.query("SELECT count() FROM sales").result_rows == [(0,)]
        engine = client.query("SELECT engine FROM system.databases WHERE name = currentDatabase()").result_rows
    assert engine == [("Atomic",)]


async def test_whatever_it_makes_is_heard_of_by_every_broker_before_another_one_may_be_asked(settings, monkeypatch):
    waited, heard_by_all = {}, topic_admin.heard_by_all

    async def heard(client, partitions):
        waited.update(partitions)
        return await heard_by_all(client, partitions)

    monkeypatch.setattr(topic_admin, "heard_by_all", heard)
    report = await migrate(settings)
    assert waited == {spec.name: spec.partitions for spec in wanted(settings)}
    assert sorted(waited) == sorted(report.topics_created)


async def test_the_first_epoch_is_live_before_any_sink_runs(settings):
    await migrate(settings)
    with ch.connect(settings) as client:
        assert client.query("SELECT epoch FROM live_epochs").result_rows == [(1,)]
    assert epochs.live(await epochs.read_all(settings), settings).epoch == epochs.first(settings)


async def test_a_second_run_changes_nothing(settings):
    await migrate(settings)
    again = await migrate(settings)
    assert again.topics_created == []
    assert again.applied == []
    assert not again.database_created
    assert not again.epoch_created
    assert len(await epochs.read_all(settings)) == 1


async def test_says_whether_the_broker_keeps_producers_timestamps(settings, on_kafka):
    report = await migrate(settings)
    assert report.broker_stamps is on_kafka  # the embedded broker accepts LogAppendTime and ignores it
    assert any("does not honour LogAppendTime" in note for note in report.notes) is not on_kafka


@pytest.mark.parametrize(
    ("name", "count", "mend"),
    [
        (REJECTED, 7, "Set TILLSTREAM_PARTITIONS=7, and let the others grow: `tillstream migrate --add-partitions`"),
        (REJECTED, 2, "Let it grow: `tillstream migrate --add-partitions`, since every topic needs the same count"),
        (EPOCHS, 2, "Delete it and have it created again: `kafka-topics.sh --delete"),
    ],
)
async def test_a_wrong_partition_count_stops_with_the_mend(settings, name, count, mend):
    await create(settings, settings.topic_prefix + name, count)
    with pytest.raises(Stop, match=rf"{settings.topic_prefix}{name} has {count} partitions, not \d") as stopped:
        await migrate(settings)
    assert mend in stopped.value.hint


async def test_roles_stop_on_unmigrated_topics_and_name_the_command(settings):
    with pytest.raises(Stop, match="tillstream migrate"):
        await check_migrated(settings)


async def test_a_changed_window_is_refused_with_the_values_to_put_back(settings):
    await migrate(settings)
    changed = settings.model_copy(update={"window": settings.window * 3})
    with pytest.raises(Stop) as stopped:
        await migrate(changed)
    assert "TILLSTREAM_WINDOW is 900 s, but epoch 1 was computed with 300 s" in stopped.value.sentence
    assert "TILLSTREAM_WINDOW=300s" in stopped.value.hint
    with pytest.raises(Stop, match="TILLSTREAM_WINDOW=300s"):
        await check_migrated(changed)


async def test_a_table_file_changed_after_it_was_applied_is_refused(migrated):
    with ch.connect(migrated) as client:
        client.insert("migrations", [["0001_sales.sql", "0" * 64]], column_names=["name", "sha256"])
    with pytest.raises(Stop, match=r"0001_sales.sql was changed"):
        await migrate(migrated)


async def test_changed_views_are_made_anew(migrated):
    with ch.connect(migrated) as client:
        client.command("DROP VIEW sales")
        client.insert("migrations", [["0900_views.sql", "0" * 64]], column_names=["name", "sha256"])
    report = await migrate(migrated)
    assert report.applied == ["0900_views.sql"]
    with ch.connect(migrated) as client:
        assert client.query("SELECT count() FROM sales").result_rows == [(0,)]


async def test_keep_lines_sets_how_long_lines_live(settings):
    await migrate(settings)
    from datetime import timedelta

    await migrate(settings.model_copy(update={"keep_lines": timedelta(days=3)}))
    with ch.connect(settings) as client:
        engine = client.query(
            "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'receipt_lines'"
        ).result_rows[0][0]
    assert "toIntervalSecond(259200)" in engine


async def test_kafka_away_is_one_sentence_after_the_limit(settings, caplog):
    away = settings.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{free_port()}"})
    with caplog.at_level("INFO", "tillstream"), pytest.raises(Unavailable, match="connection refused"):
        await migrate(away, limit=0.5)
    assert any("waiting for Kafka at 127.0.0.1" in message for message in caplog.messages)


def test_the_command_prints_json_and_no_traceback(settings, environment):
    run = [sys.executable, "-m", "tillstream", "migrate"]
    done = subprocess.run([*run, "--json"], env=environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epoch"] == 1
    asyncio.run(create(settings, settings.topic_prefix + "other", 1))
    changed = settings.model_copy(update={"partitions": 5})
    refused = subprocess.run(run, env=environment(changed), capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "TILLSTREAM_PARTITIONS=4" in refused.stderr.replace("\n", " ")
    assert EPOCHS not in refused.stderr
