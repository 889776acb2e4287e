"""Create the topics, read them back, and say in a sentence what is not as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.errors import Stop
from schemas.topics import FIRST_EPOCH, TopicSpec, all_topics, changelog_spec
from tillstream.heard import heard_by_all
from tillstream.settings import Settings

TOPIC_ALREADY_EXISTS = 36
REPLICATION_BY_BROKER = -1  # the broker's default.replication.factor; old brokers want a number
INVALID_REPLICATION = 38


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What was done to the topics: names created, names found, sentences on settings that differ."""

    created: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def wanted(settings: Settings, epoch: int | None = FIRST_EPOCH) -> list[TopicSpec]:
    """Every topic that the settings ask for, with the changelog of an epoch or of none."""
    return all_topics(settings.topic_prefix, settings.partitions, settings.retention_ms, epoch)


def changelog(settings: Settings, epoch: int) -> TopicSpec:
    """The changelog of an epoch."""
    return changelog_spec(settings.topic_prefix, settings.partitions, epoch)


async def create_missing(client: AIOKafkaAdminClient, specs: Iterable[TopicSpec]) -> TopicReport:
    """Create what is missing, then read all of it back; Stop on a partition count that is wrong."""
    specs = list(specs)
    there = set(await client.list_topics())
    missing = [spec for spec in specs if spec.name not in there]
    if missing:
        await _create(client, missing)
        # Who checks the partitions says what is missing still.
        await heard_by_all(client, {spec.name: spec.partitions for spec in missing})
    await check_partitions(client, specs)
    created = {spec.name for spec in missing}
    return TopicReport(
        created=[spec.name for spec in missing],
        found=[spec.name for spec in specs if spec.name not in created],
        notes=await _differences(client, specs),
    )


async def _create(client: AIOKafkaAdminClient, specs: list[TopicSpec]) -> None:
    for replication in (REPLICATION_BY_BROKER, 1):
        # aiokafka takes the broker's default only with an (empty) assignment beside it.
        assignment: dict[str, Any] = {"replica_assignments": {}} if replication == REPLICATION_BY_BROKER else {}
        new = [
            NewTopic(spec.name, spec.partitions, replication, topic_configs=dict(spec.config), **assignment)
            for spec in specs
        ]
        answer = await client.create_topics(new)
        errors = [(entry[0], entry[1], entry[2]) for entry in answer.topic_errors]
        faults = [(name, code, text) for name, code, text in errors if code not in (0, TOPIC_ALREADY_EXISTS)]
        if not faults:
            return
        if replication == REPLICATION_BY_BROKER and all(code == INVALID_REPLICATION for _, code, _ in faults):
            continue
        name, code, text = faults[0]
        raise Stop(
            f"Kafka did not create the topic {name}: {text or 'no reason given'} (error {code}).",
            "Let an administrator create it, or give this user the right to; then run `tillstream migrate` again.",
        )


async def check_partitions(client: AIOKafkaAdminClient, specs: Iterable[TopicSpec]) -> None:
    """Stop unless every topic exists with its partition count.

    Asks for the list first: asking an auto-creating broker about one missing topic would create it.
    """
    specs = list(specs)
    there = set(await client.list_topics())
    missing = [spec.name for spec in specs if spec.name not in there]
    if missing:
        raise Stop(f"The topic {missing[0]} does not exist.", "Run `tillstream migrate`.")
    counts = await partition_counts(client, [spec.name for spec in specs])
    for spec in specs:
        if (count := counts[spec.name]) != spec.partitions:
            raise Stop(f"The topic {spec.name} has {count} partitions, not {spec.partitions}.", _mend(spec, count))


async def partition_counts(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """How many partitions each of these topics has. They must exist: some brokers create what they are asked about."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics(names)}


def _mend(spec: TopicSpec, count: int) -> str:
    if spec.partitions == 1:
        recreate = f"`kafka-topics.sh --delete --topic {spec.name}` and `tillstream migrate`"
        return f"Delete it and have it created again: {recreate}."
    grow = "`tillstream migrate --add-partitions`, since every topic needs the same count"
    if count < spec.partitions:
        return f"Let it grow: {grow}; or set TILLSTREAM_PARTITIONS={count} if that is the count of all."
    return f"Set TILLSTREAM_PARTITIONS={count}, and let the others grow: {grow}."


async def _differences(client: AIOKafkaAdminClient, specs: list[TopicSpec]) -> list[str]:
    """A sentence for every configuration that the broker reports otherwise than it was asked for."""
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs])
    told: dict[str, dict[str, str]] = {}
    for answer in answers:
        for resource in answer.resources:
            told[resource[3]] = {entry[0]: entry[1] for entry in resource[4]}
    notes = []
    for spec in specs:
        for name, value in spec.config.items():
            has = told.get(spec.name, {}).get(name)
            if has is not None and has != value:
                notes.append(
                    f"{spec.name} has {name}={has}, not {value}; to change it: kafka-configs.sh --alter "
                    f"--entity-type topics --entity-name {spec.name} --add-config {name}={value}"
                )
    return notes
