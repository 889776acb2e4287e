"""Malformed receipts through Kafka: each is a dead letter with path and reason, the good ones stay exact."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from schemas.errors import Unavailable
from schemas.receipt import MAX_BYTES, MAX_LINES
from schemas.topics import MIB, RECEIPTS, REJECTED
from tests.integration.harness import ready, roles, settled
from tests.proxy import Proxy
from tests.unit.schemas.receipts import ABSENT, RECEIPT, changed, encoded
from tillstream import ch, kafka
from tillstream.rejected import letters
from tillstream.rejected.letters import Wanted
from tillstream.rejected.sendable import Sendable
from tillstream.replay import publish

pytestmark = pytest.mark.integration

CARD = "4111 1111 1111 1111"
DIGITS = b"4111"
LINE = RECEIPT["lines"][0]
# What is wrong: path and part of the reason it must be refused with, then the message.
MALFORMED = [
    ("$", "is no JSON", encoded(RECEIPT)[:-3]),
    ("$", "not UTF-8", encoded(RECEIPT).replace(b"opaque", b"\xff")),
    ("$", "must be a JSON object", encoded([RECEIPT])),
    ("$.transaction_id", "is missing", encoded(changed("$.transaction_id", ABSENT))),
    ("$.occurred_at", "no offset", encoded(changed("$.occurred_at", "2026-11-23T17:05:09"))),
    ("$.occurred_at", "MAX_SKEW", encoded(changed("$.occurred_at", "2104-11-23T17:05:09Z"))),
    ("$.currency", "ISO 4217", encoded(changed("$.currency", "NO"))),
    ("$.type", "one of sale", encoded(changed("$.type", "refund"))),
    ("$.lines", "at least one", encoded(changed("$.lines", []))),
    ("$.lines", "more than 2,000", encoded(changed("$.lines", [LINE] * (MAX_LINES + 1)))),
    ("$.lines[1].sku", "control character", encoded(changed("$.lines[1].sku", "a\u0007b"))),
    ("$.lines[1].quantity", "more than 5", encoded(changed("$.lines[1].quantity", "1.000000"))),
    ("$.lines[0].amount", "no sign", encoded(changed("$.lines[0].amount", "-59.80"))),
    ("$.lines[0].void", "true or false", encoded(changed("$.lines[0].void", "yes"))),
    ("$.customer_id", "card number", encoded(changed("$.customer_id", CARD))),
    ("$.payments[0].pan", "card number", encoded({**RECEIPT, "payments": [{"pan": CARD}]})),
    ("$", "more than 1 MiB", encoded({**RECEIPT, "note": "n" * MAX_BYTES})),
    ("$.store_id", "key is not the store_id", encoded(changed("$.store_id", "13"))),
]
MENDED = encoded(changed("$.transaction_id", "mended"))


def good():
    """Valid receipts, the largest that may be among them."""
    short = encoded({**RECEIPT, "transaction_id": "full", "note": ""})
    full = encoded({**RECEIPT, "transaction_id": "full", "note": "n" * (MAX_BYTES - len(short))})
    assert len(full) == MAX_BYTES
    long = {**RECEIPT, "transaction_id": "long", "lines": [LINE] * MAX_LINES}
    return [full, encoded(long), *(encoded(changed("$.transaction_id", f"g{n}")) for n in range(len(MALFORMED)))]


async def send(settings, values):
    producer = AIOKafkaProducer(**kafka.client_options(settings), acks="all", max_request_size=4 * MIB)
    async with producer:
        for value in values:
            await producer.send_and_wait(settings.topic_prefix + RECEIPTS, value, key=b"12")


async def dead_letters(settings):
    """Every message of pos.rejected."""
    found = []
    consumer = AIOKafkaConsumer(**kafka.client_options(settings))
    async with consumer:
        parts = [TopicPartition(settings.topic_prefix + REJECTED, n) for n in range(settings.partitions)]
        for part, end in (await kafka.end_offsets(consumer, parts)).items():
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            while await consumer.position(part) < end:
                found += (await consumer.getmany(part, timeout_ms=500)).get(part, [])
    return found


def test_each_malformed_receipt_is_a_dead_letter_and_mended_ones_count_once(migrated, environment, command, tmp_path):
    sent = [value for pair in zip(good()[2:], [value for *_, value in MALFORMED], strict=True) for value in pair]
    sent += good()[:2]
    logs = (tmp_path / "roles.log").open("wb")

    async def first():
        await ready(migrated)
        await send(migrated, sent)
        report = await settled(migrated, len(sent))
        return report, await dead_letters(migrated)

    with roles(environment, migrated, stderr=logs) as (_, start):
        start("worker")
        start("sink")
        report, dead = asyncio.run(first())
        assert report.counts["rejected"] == len(MALFORMED)
        assert report.counts["folded"] == len(good())
        check_letters(dead)
        check_rows(migrated)
        check_commands(command, migrated)
        mend_and_replay(command, migrated, tmp_path, report)
    log = (tmp_path / "roles.log").read_bytes()
    assert not re.search(rb"(?<!:)4111", log)  # a port may begin like it
    assert b"Traceback" not in log


def check_letters(dead):
    """Header by header, and what of the original was kept."""
    dead = sorted(dead, key=lambda letter: int(dict(letter.headers)["offset"]))
    for letter, (path, reason, value) in zip(dead, MALFORMED, strict=True):
        headers = dict(letter.headers)
        assert headers["path"].decode() == path
        assert reason in headers["reason"].decode()
        assert letter.key == b"12"
        if "card number" in reason:
            assert letter.value is None
        else:
            assert letter.value == (value if len(value) <= MAX_BYTES else value[: 64 * 1024])
        assert DIGITS not in (letter.value or b"") + headers["reason"] + headers["path"]


def check_rows(settings):
    with ch.connect(settings) as client:
        found = client.query(
            "SELECT path, reason, isNull(value) FROM rejected FINAL ORDER BY partition, offset"
        ).result_rows
        held = client.query("SELECT countIf(position(ifNull(value, ''), '4111') > 0) FROM rejected").result_rows
        units = client.query("SELECT sum(units) FROM sales WHERE sku = '7038010055720'").result_rows[0][0]
    assert held == [(0,)]
    assert units == Decimal(2 * (len(MALFORMED) + 1 + MAX_LINES))
    for (path, reason, nothing), (wanted, part, _) in zip(found, MALFORMED, strict=True):
        assert (path, bool(nothing)) == (wanted, "card number" in part)
        assert part in reason


def check_commands(command, settings):
    def tillstream(*argv, code=0):
        return command(settings, *argv, code=code).out

    listed = json.loads(tillstream("rejected", "list", "--json"))
    assert sum(group["messages"] for group in listed["groups"]) == len(MALFORMED)
    narrowed = json.loads(tillstream("rejected", "list", "--path", "amount", "--json"))
    (letter,) = narrowed["newest"]
    assert letter["path"] == "$.lines[0].amount"
    shown = tillstream("rejected", "show", letter["place"])
    assert "no sign" in shown
    assert '"amount": "-59.80"' in shown
    raw = tillstream("rejected", "show", letter["place"], "--raw")
    assert raw.encode() == MALFORMED[12][2]
    bell = json.loads(tillstream("rejected", "list", "--path", "sku", "--json"))["newest"][0]
    assert "\u0007" not in tillstream("rejected", "show", bell["place"])
    tillstream("rejected", "show", "0:999999", code=1)
    tillstream("rejected", "show", "x", code=1)
    assert [group["path"] for group in narrowed["groups"]] == ["$.lines[n].amount"]
    assert "nothing was refused for such a reason" in tillstream("rejected", "list", "--reason", "nosuch")
    tillstream("rejected", "show", "0:99999999999999999999", code=1)


def mend_and_replay(command, settings, folder, report):
    """The one with a wrong key counts as it is; a mended one counts once, however often it is sent."""

    def tillstream(*argv, code=0):
        return command(settings, *argv, code=code).out

    file = folder / "letters.ndjson"
    told = json.loads(tillstream("rejected", "export", str(file), "--json"))
    assert told["written"] == len(file.read_bytes().splitlines()) == len(MALFORMED) - 3
    assert len(told["skipped"]) == 3, "two with cards, and the one that was cut"
    before = file.read_bytes()
    assert "is there already" in command(settings, "rejected", "export", str(file), code=1).err
    assert file.read_bytes() == before, "what somebody mended there stays"
    assert "standard output" in command(settings, "rejected", "export", "-", "--json", code=1).err
    assert len(tillstream("rejected", "export", "-").encode().splitlines()) >= told["written"]
    still = json.loads(tillstream("rejected", "replay", "--json", "--dry-run", code=1))
    assert (still["sent"], still["valid"], still["refused"]) == (0, 1, len(MALFORMED) - 1)
    assert any("MAX_SKEW" in fault["reason"] for fault in still["faults"]), "its time is still ahead of any clock"
    once = json.loads(tillstream("rejected", "replay", "--reason", "KEY is not", "--json"))
    assert (once["sent"], once["refused"]) == (1, 0)
    wrong = next(line for line in file.read_bytes().splitlines() if b"-59.80" in line)
    mended = wrong.replace(b"-59.80", b"59.80").replace(b"S12-T4-20261123-000871", b"mended")
    assert mended != wrong
    file.write_bytes(mended + b"\n" + wrong + b"\n")
    for _ in range(2):
        twice = json.loads(tillstream("rejected", "replay", "--with", str(file), "--json", code=1))
        assert (twice["sent"], twice["refused"]) == (1, 1)
        assert twice["faults"][0]["place"] == "line 2"
    after = asyncio.run(settled(settings, report.inputs + 3))
    assert after.counts["folded"] == report.counts["folded"] + 2
    assert after.counts["duplicate"] == 1


async def test_a_clickhouse_that_goes_away_while_letters_are_sent_is_a_sentence(migrated):
    """Letters are read page by page, in a thread of the publisher's: the fault must come through both."""
    url = urlsplit(migrated.clickhouse_url.get_secret_value())
    columns = ["topic", "partition", "offset", "reason", "path", "key", "value", "letter_partition", "letter_offset"]
    topic = migrated.topic_prefix + RECEIPTS
    rows = [[topic, 0, n, "any", "$", b"12", MENDED, 0, n] for n in range(letters.A_PAGE + 1)]
    with ch.connect(migrated) as client:
        client.insert("rejected", rows, column_names=columns)
    async with Proxy(url.port) as proxy:
        through = migrated.model_copy(
            update={"clickhouse_url": SecretStr(f"http://127.0.0.1:{proxy.port}{url.path}")},
        )
        client = await asyncio.to_thread(ch.connect, through)
        loop = asyncio.get_running_loop()

        def cut_after_the_first():
            for number, receipt in enumerate(Sendable(client, Wanted(topic), migrated.max_skew_us)):
                if number == 0:
                    asyncio.run_coroutine_threadsafe(proxy.cut(), loop).result()
                yield receipt

        with pytest.raises(Unavailable, match="ClickHouse does not answer"):
            await publish(migrated, cut_after_the_first())
