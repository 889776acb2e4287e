"""What `--json` of each command gives: its keys and their meaning, declared once. docs/commands.md shows it.

Decimals are strings, times RFC 3339. Keys may be added; a change of one that stands here is a breaking change.
"""

from __future__ import annotations

_PLACE = "`partition:offset` of the original message"
_LETTER = {
    "topic": "where the original stands",
    "partition": "likewise",
    "offset": "likewise",
    "place": _PLACE,
    "path": "JSON path of the field at fault",
    "reason": "what is wrong with it",
    "key": "the original's key",
    "value": "the original as text, as far as it was kept; null where it holds a card number",
    "rejected_at": "when it was refused",
}

# Keys by the command's name without `tillstream`; None where they are the caller's own.
OUTPUTS: dict[str, dict[str, str] | None] = {
    "demo": {
        "receipts": "receipts published",
        "lines": "their lines",
        "seconds": "by phase: `publish`, `readable` (until every row could be queried), and the others",
        "receipts_per_second": "receipts by the seconds until readable",
        "lines_per_second": "lines likewise",
        "rows": "rows of the view `sales`",
        "windows": "windows with sales",
        "revenue": "their sum",
        "top_movers": "products with the highest revenue",
        "busiest_stores": "stores with the most receipts: `store_id`, `receipts`",
        "receipts_by_hour_utc": "24 figures",
        "alerts": "null: there are none in this version",
        "memory": "resident bytes by process",
        "environment": "the variables with which other commands reach this demo",
        "reconciliation": "as `reconcile --json`, and `line`, its last line",
    },
    "migrate": {
        "topics_created": "names",
        "topics_found": "names",
        "topics_grown": "names of those that were given more partitions",
        "database_created": "whether it was",
        "applied": "SQL files applied now",
        "unchanged": "SQL files applied before",
        "epoch": "number of the live epoch",
        "epoch_created": "whether it was begun now",
        "broker_stamps": "whether the broker stamps messages itself (LogAppendTime)",
        "notes": "sentences about what differs",
    },
    "replay": {
        "source": "as given",
        "receipts": "receipts that Kafka has acknowledged",
        "lines": "their lines",
        "seconds": "how long it took",
        "refused": "receipts of the file that were not sent",
        "refusals": "up to 1,000 of them: `line`, `path`, `reason`, `hint`",
    },
    "rebuild": {
        "epoch": "number of the new epoch",
        "window_seconds": "what it was computed with",
        "grace_seconds": "likewise",
        "max_skew_seconds": "likewise",
        "replaced": "epochs whose place it took; empty where it does not reconcile",
        "goes_on": "the roles that run for it now: `worker`, `sink`",
        "rows": "rows compared with the log",
        "different": "rows that differ",
        "seconds": "how long it took",
    },
    "continue": {
        "epoch": "number of the epoch that counts from now on",
        "beside": "the live epochs beside it",
        "skipped": "offsets that went before they were counted, by partition",
    },
    "epochs list": {
        "epoch": "its number",
        "state": "`counts`, `replaced`, `retired`, `building` or `removed`",
        "window_seconds": "what it was computed with",
        "grace_seconds": "likewise",
        "max_skew_seconds": "likewise; null where it was not noted",
        "replaces": "epochs whose place it took",
        "sales_rows": "rows in `sales_windows`",
        "receipts": "rows in `receipts`",
    },
    "epochs remove": {
        "epoch": "its number",
        "rows": "rows removed, by table",
        "changelog": "topic removed",
    },
    "products": {"products": "rows loaded", "seconds": "how long it took"},
    "reconcile": {
        "rows": "rows compared",
        "different": "how many differ",
        "differences": "up to 50 of them: `what`, `kind`, `key`, `expected`, `found`",
        "in_flight": "rows that changed meanwhile and were not compared",
        "counts_in_flight": "partitions whose counts have moved on meanwhile",
        "cut": "partitions that have lost their beginning to retention",
        "compared_from": "microseconds since the Unix epoch: windows before it were not compared",
        "inputs": "messages of pos.receipts",
        "counts": "messages by result, computed from the log",
        "seconds": "how long it took",
        "waited": "of these, for worker and sinks",
    },
    "check": {
        "file": "as given",
        "receipts": "receipts read",
        "valid": "of these",
        "faulty": "of these",
        "lines": "lines of the valid ones",
        "faults": "up to 1,000 of them: `line`, `path`, `reason`, `hint`",
    },
    "status": {
        "away": "what does not answer or is not as it must be, with a sentence each; empty: all is well",
        "kafka": "`servers`, `brokers`",
        "clickhouse": "`at`, `version`",
        "epoch": "the live one: `epoch`, `window_seconds`, `grace_seconds`; null where Kafka names none",
        "topics": "`topic`, `partitions`, `end` (records written, all partitions together)",
        "lag": "by group and topic: `role`, `group`, `topic`, `records`, `partitions_behind`",
        "counts": "messages by result",
        "freshness": "`newest_window`, `newest_receipt_occurred_at`, `newest_receipt_published_at`, `rollups_as_of`",
        "rejected": "`messages`, of these `set_aside` by a sink, `latest`",
        "stores_in_two_partitions": "`store_id`, `partitions`; at most 100",
        "counted_twice": "receipts of which a copy counted too: `found`, `newest` (at most 20), `incomplete` (null, or"
        " why there may be more)",
    },
    "sql": None,
    "rejected list": {
        "groups": "by `topic`, `path` (numbers as n) and `reason`: `messages`, `first`, `last`",
        "newest": "letters as in `rejected show`",
    },
    "rejected show": _LETTER,
    "rejected export": {
        "written": "messages written",
        "skipped": "those of which nothing, or not all, was kept: `place`, `reason`",
    },
    "rejected replay": {
        "sent": "messages sent",
        "valid": "messages that would be counted: those sent but for a dry run",
        "refused": "messages not sent",
        "faults": "up to 1,000 of them: `place`, `path`, `reason`",
    },
}
