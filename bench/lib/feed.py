"""The tills as a process of their own: publish a synthetic chain's receipts, never far ahead of who folds them.

    python -m lib.feed LINES LINES_A_DAY SEED FOLDER     (settings in the environment, as lib.program starts it)

Says `full` once as much is published as may lie there unfolded, or all, and as its last line, in JSON, what an exact
count comes to. The rows of that count go into the folder, a file a day.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import sys
from collections import Counter
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from lib import race
from lib.arrivals import arrivals
from lib.row_days import RowDays
from lib.tills import Chain
from schemas import topics
from tillstream.publish import Publisher, Record, partition_of
from tillstream.settings import Settings
from tillstream.waiting import admin

FULL = "full"
# Receipts that may lie unfolded: what a worker takes in some five seconds, while the text of a day is made.
AHEAD = 100_000
_AT_ONCE = 8_000


@dataclasses.dataclass(frozen=True, slots=True)
class Fed:
    """What was published, and the messages by result of an exact count. `late_lines` are those of late receipts."""

    receipts: int
    lines: int
    bytes: int
    folded_lines: int
    late_lines: int
    results: dict[str, int]


class Feed:
    """Sends receipts to their partitions, and waits while too many of them lie there."""

    def __init__(self, settings: Settings, publisher: Publisher, client: AIOKafkaAdminClient) -> None:
        self._publisher = publisher
        self._client = client
        self._group = topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH)
        self._parts = [TopicPartition(publisher.topic, number) for number in range(publisher.partitions)]
        self._known: dict[int, tuple[bytes, int]] = {}
        self._said = False
        self.published = 0

    async def send(self, stores: list[int], texts: list[bytes]) -> None:
        """Publish receipts in their order; returns when Kafka has acknowledged all of them."""
        for begin in range(0, len(stores), _AT_ONCE):
            await self._until_room()
            lanes: list[list[Record]] = [[] for _ in self._parts]
            for store, text in zip(stores[begin : begin + _AT_ONCE], texts[begin : begin + _AT_ONCE], strict=True):
                known = self._known.get(store)
                if known is None:
                    key = str(store + 1).encode()
                    known = self._known[store] = key, partition_of(key, len(self._parts))
                lanes[known[1]].append((known[0], text))
            await asyncio.gather(*(self._publisher.send(at, lane) for at, lane in enumerate(lanes) if lane))
            self.published += sum(map(len, lanes))

    async def _until_room(self) -> None:
        while self.published >= AHEAD:
            committed = await race.committed_by(self._client, self._group, self._parts)
            if self.published - sum(max(0, offset) for offset in committed.values()) < AHEAD:
                return
            self.say_full()
            await asyncio.sleep(race.POLL)  # the broker has no way to tell us of its own accord

    def say_full(self) -> None:
        """Say, once, that the worker may begin."""
        if not self._said:
            self._said = True
            sys.stdout.write(f"{FULL}\n")
            sys.stdout.flush()


async def feed(settings: Settings, chain: Chain, lines: int, into: RowDays) -> Fed:
    """Publish so many lines, in the order of their arrival."""
    results: Counter[str] = Counter()
    receipts = sent = size = folded = late = 0
    topic = settings.topic_prefix + topics.RECEIPTS
    async with admin(settings) as client, Publisher(settings, topic) as publisher:
        tills = Feed(settings, publisher, client)
        for day in arrivals(chain, lines, int(settings.grace.total_seconds())):
            into.add(day.counted())
            heads, texts = day.batch.heads, day.batch.texts.tolist()
            await tills.send(heads["store"].tolist(), texts)
            results.update(day.results)
            receipts += len(texts)
            size += sum(map(len, texts))
            sent += int(heads["lines"].sum())
            late += int(heads["lines"][day.late].sum())
            folded += int(heads["lines"][~(day.late | heads["copy"])].sum())
        tills.say_full()
    return Fed(receipts, sent, size, folded, late, dict(results))


def main() -> None:
    lines, a_day, seed, folder = sys.argv[1:]
    # A topic made a moment ago has no leader yet; aiokafka tries again, and warns each time.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    fed = asyncio.run(feed(Settings(), Chain(float(a_day), int(seed)), int(lines), RowDays(Path(folder))))
    sys.stdout.write(json.dumps(dataclasses.asdict(fed)) + "\n")


if __name__ == "__main__":
    main()
