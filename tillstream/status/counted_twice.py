"""Receipts of which a copy was counted too, looked for in the ledger."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tillstream.status.copies import Id, Message, Pair, counted_again
from tillstream.status.looks import LIVE, SHOWN

# Ids with copies in a later window are few: a till that sends again with a new time. Of more, the newest are judged.
MOST_IDS = 200
LONGEST_SECONDS = 20
_TIMEOUT_EXCEEDED = "159"
_US = 1_000_000
_AT = "toUnixTimestamp64Micro(occurred_at)"
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)

# A store in one partition and epoch.
Lane = tuple[str, int, int]


class CountedTwice(NamedTuple):
    """How many were found, the newest of them, and None or why there may be more."""

    found: int
    newest: list[dict[str, Any]]
    incomplete: str | None


def counted_twice(client: Client, window: int, grace: int) -> CountedTwice:
    """Look for them; window and grace of the live epoch in seconds. Reads the ledger's keys once."""
    try:
        ids = _suspects(client, window)
    except DatabaseError as fault:
        if f"code: {_TIMEOUT_EXCEEDED}" not in str(fault):
            raise
        return CountedTwice(0, [], f"looked for {LONGEST_SECONDS} s, and not through the ledger")
    pairs: list[tuple[Lane, Pair]] = []
    for lane, messages in _messages(client, ids).items():
        watermark = _Watermark(client, lane, messages)
        pairs += [(lane, pair) for pair in counted_again(messages, watermark.below, window * _US, grace * _US)]
    pairs.sort(key=lambda found: found[1].copy.at, reverse=True)
    incomplete = f"only the newest {MOST_IDS} ids with copies were judged" if len(ids) == MOST_IDS else None
    return CountedTwice(len(pairs), [_told(lane, pair) for lane, pair in pairs[:SHOWN]], incomplete)


def _suspects(client: Client, window: int) -> list[tuple[str, str]]:
    """Store and transaction id of the newest receipts with messages in several windows.

    Reads the ledger in the order of its key, where messages of an id are neighbours, so that no table of ids is built.
    A post_void may stand between two of them.
    """
    neighbours = " OR ".join(
        f"(transaction_id = lagInFrame(transaction_id, {back}) OVER rows AND store_id = lagInFrame(store_id, {back})"
        f" OVER rows AND reversal = lagInFrame(reversal, {back}) OVER rows"
        f" AND start != lagInFrame(start, {back}) OVER rows)"
        for back in (1, 2)
    )
    rows = client.query(
        f"""
        SELECT store_id, transaction_id FROM
        (
            SELECT store_id, transaction_id, at, {neighbours} AS moved FROM
            (
                SELECT store_id, transaction_id, reversal, occurred_at AS at,
                       intDiv(toUnixTimestamp(occurred_at), {window}) AS start
                FROM receipts WHERE {LIVE} ORDER BY store_id, transaction_id, epoch, partition, offset
            )
            WINDOW rows AS (ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
        )
        WHERE moved GROUP BY store_id, transaction_id ORDER BY max(at) DESC LIMIT {MOST_IDS}
        """,
        settings={"optimize_read_in_order": 1, "max_execution_time": LONGEST_SECONDS},
    ).result_rows
    return [(store, transaction) for store, transaction in rows]


def _messages(client: Client, ids: list[tuple[str, str]]) -> dict[Lane, dict[Id, list[Message]]]:
    """Every message of some ids."""
    lanes: dict[Lane, dict[Id, list[Message]]] = defaultdict(lambda: defaultdict(list))
    if ids:
        rows = client.query(
            f"SELECT store_id, epoch, partition, transaction_id, reversal, offset, {_AT} FROM receipts"
            # Bound by the client, into the body: a URL has no room for so many.
            f" WHERE {LIVE} AND (store_id, transaction_id) IN %(ids)s",
            parameters={"ids": ids},
        ).result_rows
        for store, epoch, partition, transaction, reversal, offset, at in rows:
            lanes[store, epoch, partition][transaction, bool(reversal)].append(Message(offset, at))
    return lanes


class _Watermark:
    """The largest time below an offset, of a store's messages but the copies in question."""

    def __init__(self, client: Client, lane: Lane, messages: dict[Id, list[Message]]) -> None:
        store, epoch, partition = lane
        self._bounds = sorted({copy.offset for found in messages.values() for copy in sorted(set(found))[1:]})
        newest: dict[int, int] = {}
        if self._bounds:
            rows = client.query(
                f"SELECT arrayCount(bound -> bound < offset, %(bounds)s) AS above, max({_AT}) FROM receipts WHERE"
                " store_id = %(store)s AND epoch = %(epoch)s AND partition = %(partition)s AND offset NOT IN %(bounds)s"
                " GROUP BY above",
                parameters={"store": store, "epoch": epoch, "partition": partition, "bounds": self._bounds},
            ).result_rows
            newest = {row[0]: row[1] for row in rows}
        between = [newest.get(index, 0) for index in range(len(self._bounds) + 1)]
        self._newest = list(accumulate(between, max))

    def below(self, offset: int) -> int:
        """The watermark that a copy at `offset` met; 0 where it is the store's first message."""
        return self._newest[bisect_left(self._bounds, offset)]


def _told(lane: Lane, pair: Pair) -> dict[str, Any]:
    return {
        "store_id": lane[0],
        "transaction_id": pair.id[0],
        "reversal": pair.id[1],
        "partition": lane[2],
        "first_offset": pair.first.offset,
        "first_occurred_at": _UNIX + timedelta(microseconds=pair.first.at),
        "copy_offset": pair.copy.offset,
        "copy_occurred_at": _UNIX + timedelta(microseconds=pair.copy.at),
    }
