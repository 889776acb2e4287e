"""The status for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tillstream import console
from tillstream.status.gather import Status
from tillstream.status.looks import SHOWN


def show(status: Status) -> None:
    """Print what answers, what was read, and what to look into."""
    for sentence in _who_answers(status):
        console.out.print(sentence, soft_wrap=True, markup=False)
    if status.lag:
        rows = [(lag["role"], lag["topic"], f"{lag['records']:,}", lag["partitions_behind"]) for lag in status.lag]
        console.table("lag", ("group", "topic", "records", "partitions behind"), rows,
                      right=("records", "partitions behind"))  # fmt: skip
    if status.topics:
        topics = [(topic["topic"], topic["partitions"], f"{topic['end']:,}") for topic in status.topics]
        console.table("topics", ("topic", "partitions", "records written"), topics,
                      right=("partitions", "records written"))  # fmt: skip
    for sentence in _counts(status):
        console.out.print(sentence, soft_wrap=True, markup=False)
    if status.stores_in_two_partitions:
        stores = [(store["store_id"], ", ".join(map(str, store["partitions"])))
                  for store in status.stores_in_two_partitions]  # fmt: skip
        console.table("stores that arrive in more than one partition: totals are right, duplicates are "
                      "judged within one; let every till use one partitioner",
                      ("store", "partitions"), stores[:SHOWN])  # fmt: skip
    twice = status.counted_twice
    if twice.get("found"):
        pairs = [(pair["store_id"], pair["transaction_id"], _moment(pair["first_occurred_at"]),
                  _moment(pair["copy_occurred_at"])) for pair in twice["newest"]]  # fmt: skip
        console.table(f"{twice['found']:,} receipt{'s' * (twice['found'] != 1)} counted twice: a copy came with a new "
                      "time after the first one's window had closed; send a post_void",
                      ("store", "transaction", "first", "copy"), pairs)  # fmt: skip
    if twice.get("incomplete"):
        console.out.print(f"receipts counted twice: {twice['incomplete']}", soft_wrap=True, markup=False)
    if status.webhooks:
        told = [(one["endpoint"], _standing(one), _moment(one["since"] or ""), f"{one['waiting']:,}", one["reason"])
                for one in status.webhooks]  # fmt: skip
        console.table("webhooks; one that is disabled gets nothing before `tillstream webhook test` has reached it",
                      ("endpoint", "state", "since", "waiting", "reason"), told, right=("waiting",))  # fmt: skip


def _who_answers(status: Status) -> Iterator[str]:
    if status.kafka:
        servers = ", ".join(status.kafka["servers"])
        yield f"Kafka answers at {servers} ({status.kafka['brokers']} broker{'s' * (status.kafka['brokers'] != 1)})"
    if status.clickhouse:
        yield f"ClickHouse {status.clickhouse['version']} answers at {status.clickhouse['at']}"
    for name, why in status.away.items():
        yield f"{name}: {why}"
    if status.epoch is not None:
        epoch = status.epoch
        yield (
            f"epoch {epoch['epoch']} is live: windows of {epoch['window_seconds']} s,"
            f" grace of {epoch['grace_seconds'] / 3600:g} h"
        )


def _counts(status: Status) -> Iterator[str]:
    if status.counts:
        parts = " + ".join(f"{many:,} {result}" for result, many in status.counts.items())
        yield f"receipts: {sum(status.counts.values()):,} = {parts}"
    if status.freshness.get("newest_window"):
        yield (
            f"newest window with sales: {_moment(status.freshness['newest_window'])}; newest receipt published:"
            f" {_moment(status.freshness['newest_receipt_published_at'])}"
            + (f"; hours and days as of {_moment(as_of)}" if (as_of := status.freshness["rollups_as_of"]) else "")
        )
    if status.rejected.get("messages"):
        aside = status.rejected["set_aside"]
        yield (
            f"rejected: {status.rejected['messages']:,}, the latest at {_moment(status.rejected['latest'])}"
            + (f"; {aside:,} of them were set aside by a sink" if aside else "")
            + "; see `tillstream rejected list`"
        )


def _standing(endpoint: Mapping[str, Any]) -> str:
    return str(endpoint["state"]) if endpoint["configured"] else "not in [[webhooks]]"


def _moment(found: object) -> str:
    return str(found).replace("+00:00", "Z")
