"""Every topic: its name, who may write how large a message, how long it is kept. Declared once, here."""

from __future__ import annotations

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB
DAY_MS = 24 * 60 * 60 * 1000

RECEIPTS = "pos.receipts"
STOCK = "stock.movements"
WINDOWS = "sales.windows"
FEED = "restock.feed"
ALERTS = "restock.alerts"
POSITIONS = "stock.positions"
SNAPSHOTS = "restock.state"
DELIVERIES = "webhook.deliveries"
EPOCHS = "tillstream.epochs"
LATE = "pos.late"
REJECTED = "pos.rejected"

FIRST_EPOCH = 1

# The broker's clock stamps every message. Receipts are judged by it; and Kafka refuses what a machine stamps whose own
# clock is more than an hour ahead (message.timestamp.after.max.ms), which would stop a worker for as long as it is.
STAMPED = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as `migrate` creates it. `config` holds Kafka's own names and values."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def group_id(prefix: str, epoch: int, role: str = "worker") -> str:
    """Consumer group of a role in an epoch; the worker's is also the Faust app id."""
    return f"{prefix}tillstream-{role}-e{epoch}"


def rows_group(prefix: str) -> str:
    """Consumer group of the sink of rows: it carries those of every epoch, which the rows name themselves."""
    return f"{prefix}tillstream-clickhouse"


def webhooks_group(prefix: str) -> str:
    """Consumer group of the sender of webhooks: it carries alerts of every epoch, whose ids no epoch changes."""
    return f"{prefix}tillstream-webhooks"


def changelog_topic(prefix: str, epoch: int) -> str:
    """Changelog of the worker's state table, by the name that Faust gives it."""
    return f"{group_id(prefix, epoch)}-state-changelog"


def changelog_spec(prefix: str, partitions: int, epoch: int) -> TopicSpec:
    """The changelog of an epoch, as `migrate` and `rebuild` create it."""
    config = {"cleanup.policy": "compact", "max.message.bytes": str(16 * MIB), **STAMPED}
    return TopicSpec(changelog_topic(prefix, epoch), partitions, config)


def all_topics(prefix: str, partitions: int, retention_ms: int, epoch: int | None = FIRST_EPOCH) -> list[TopicSpec]:
    """Every topic of one installation, with the changelog of `epoch` or of none.

    `retention_ms` -1 keeps the inputs for ever.
    """
    size = {"max.message.bytes": str(4 * MIB), **STAMPED}

    def kept(ms: int) -> dict[str, str]:
        return {"retention.ms": str(ms), **size}

    return [
        TopicSpec(prefix + RECEIPTS, partitions, kept(retention_ms)),
        TopicSpec(prefix + STOCK, partitions, kept(retention_ms)),
        TopicSpec(prefix + WINDOWS, partitions, kept(30 * DAY_MS)),
        TopicSpec(prefix + FEED, partitions, kept(-1)),
        TopicSpec(prefix + ALERTS, partitions, kept(-1)),
        TopicSpec(prefix + POSITIONS, partitions, kept(30 * DAY_MS)),
        # In small segments: Kafka compacts none that is written to, and a start reads all that is not compacted.
        TopicSpec(
            prefix + SNAPSHOTS, partitions, {"cleanup.policy": "compact", "segment.bytes": str(64 * MIB), **size}
        ),
        TopicSpec(prefix + DELIVERIES, partitions, {"cleanup.policy": "compact", **size}),
        TopicSpec(prefix + EPOCHS, 1, {"cleanup.policy": "compact", **size}),
        TopicSpec(prefix + LATE, partitions, kept(30 * DAY_MS)),
        TopicSpec(prefix + REJECTED, partitions, kept(30 * DAY_MS)),
    ] + ([] if epoch is None else [changelog_spec(prefix, partitions, epoch)])
