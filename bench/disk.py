"""Bytes a line takes on the disk, and what other codecs would take: python bench/disk.py

    python bench/disk.py [--receipts 155848] [--codecs] [--rounds 3] [--json]

The demo's receipts are published, counted and written by the embedded stack, with its journal. Then: the bytes of each
table's parts once they are merged, of the changelog's records (as the worker sends them, before Kafka compresses), and
of the journal, by the lines of the receipts.

With `--codecs` every column of `sales_windows`, and of the ledger's lines, is written alone, in the table's order, by
each codec that could serve it, where it takes more than a tenth of a byte: bytes a row, and nanoseconds of ClickHouse's
CPU a row to write and to read it, the least of so many rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys

import psutil
from clickhouse_connect.driver.client import Client
from lib import log, machine
from lib.embedded import settings_of_its_own
from lib.progress import steps
from rich.console import Console
from rich.table import Table

from schemas import topics
from tillstream import ch
from tillstream.local import demo_data
from tillstream.local.stack import Stack
from tillstream.replay import publish
from tillstream.rollups.passes import roll_up
from tillstream.settings import Settings

TABLES = ("sales_windows", "store_windows", "receipts", "receipt_lines", "rollup_hours", "rollup_days")
ORDER = {
    "sales_windows": "store_id, sku, currency, window_start, business_date, partition, epoch",
    "receipt_lines": "store_id, transaction_id, epoch, partition, offset, position",
}
# Bytes a row below which a column is left as it is, and how often each is read for one figure.
WORTH_TRYING, READS = 0.1, 4
TEXTS = ("ZSTD(1)", "ZSTD(3)", "LZ4")
NUMBERS = (
    "ZSTD(1)", "ZSTD(3)", "T64, ZSTD(1)", "Delta, ZSTD(1)", "DoubleDelta, ZSTD(1)", "Delta, ZSTD(3)", "LZ4",
)  # fmt: skip
DECIMALS = ("ZSTD(1)", "ZSTD(3)", "T64, ZSTD(1)", "Delta, ZSTD(1)", "LZ4")


@dataclasses.dataclass(frozen=True)
class Codec:
    """A column written by one codec: bytes and nanoseconds a row; `used` where the schema has it so."""

    table: str
    column: str
    type: str
    codec: str
    used: bool
    bytes: float
    write: float
    read: float


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure(settings: Settings, many: int, *, codecs: bool, rounds: int) -> dict[str, object]:
    stack = Stack(settings, say=lambda _: None)
    try:
        with steps("the demo's receipts through the stack", 4) as advance:
            await stack.start()
            done = await publish(settings, iter(list(demo_data.receipts(many))))
            advance()
            with ch.connect(settings) as client:
                while client.query("SELECT sum(messages) FROM partition_counts").result_rows[0][0] < many:  # noqa: ASYNC110  # ClickHouse does not tell
                    await asyncio.sleep(0.2)
            advance()
            changelog = 0
            name = topics.changelog_topic(settings.topic_prefix, topics.FIRST_EPOCH)
            async for record in log.all_records(settings, name):
                changelog += len(record.key) + len(record.value or b"")
            advance()
            tables, found = await asyncio.to_thread(
                _ask, settings, psutil.Process(stack.pids()["clickhouse"]), codecs, rounds
            )
            advance()
    finally:
        await stack.stop()
    journal = sum(file.stat().st_size for file in (settings.data_dir / "broker" / "journal").iterdir())
    return {
        "receipts": done.receipts, "lines": done.lines, "changelog_bytes": changelog, "journal_bytes": journal,
        "tables": tables, "codecs": [dataclasses.asdict(one) for one in found],
    }  # fmt: skip


def _ask(
    settings: Settings, server: psutil.Process, codecs: bool, rounds: int
) -> tuple[dict[str, dict[str, int]], list[Codec]]:
    with ch.connect(settings) as client:
        roll_up(client)
        for table in TABLES:
            if not table.startswith("rollup"):  # a day that the sink replaces meanwhile would end the merge
                client.command(f"OPTIMIZE TABLE {table} FINAL")
        rows = client.query(
            "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND"
            " database = currentDatabase() AND table IN %(tables)s GROUP BY table",
            parameters={"tables": TABLES},
        ).result_rows
        tables = {table: {"rows": many, "bytes": size} for table, many, size in rows}
        return tables, [one for table in ORDER for one in of_table(client, server, table, rounds)] if codecs else []


def of_table(client: Client, server: psutil.Process, table: str, rounds: int) -> list[Codec]:
    """Every column of a table by every codec that could serve it."""
    columns = client.query(
        "SELECT name, type, compression_codec FROM system.columns WHERE database = currentDatabase() AND"
        " table = {table:String} ORDER BY position",
        parameters={"table": table},
    ).result_rows
    client.command(
        f"CREATE TABLE codec_source ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM {table} FINAL"
        f" ORDER BY {ORDER[table]}"
    )
    found = []
    with steps(f"codecs of {table}", len(columns)) as advance:
        for name, kind, used in columns:
            now = _alone(client, server, (table, name, kind), plain(used), used=True, rounds=rounds)
            found.append(now)
            if now.bytes >= WORTH_TRYING:
                others = [codec for codec in _candidates(kind) if codec != now.codec]
                found += [
                    _alone(client, server, (table, name, kind), codec, used=False, rounds=rounds) for codec in others
                ]
            advance()
    client.command("DROP TABLE codec_source SYNC")
    return found


def plain(codec: str) -> str:
    """A codec as the schema writes it: `CODEC(Delta(4), ZSTD(1))` is `Delta, ZSTD(1)`; none is ClickHouse's LZ4."""
    text = codec.removeprefix("CODEC(").removesuffix(")") if codec else "LZ4"
    for width in (1, 2, 4, 8):
        text = text.replace(f"Delta({width})", "Delta")
    return text


def _candidates(kind: str) -> tuple[str, ...]:
    if "String" in kind or kind == "Bool" or kind.startswith("Enum"):
        return TEXTS
    return DECIMALS if kind.startswith("Decimal") else NUMBERS


def _alone(
    client: Client, server: psutil.Process, column: tuple[str, str, str], codec: str, *, used: bool, rounds: int
) -> Codec:
    table, name, kind = column
    write, read, size, rows = [], [], 0, 1
    for _ in range(rounds):
        client.command("DROP TABLE IF EXISTS codec_trial SYNC")
        client.command(
            f"CREATE TABLE codec_trial (c {kind} CODEC({codec})) ENGINE = MergeTree ORDER BY tuple()"
            " SETTINGS min_bytes_for_wide_part = 0"  # a compact part does not tell its columns' sizes
        )
        begun = cpu_seconds(server)
        client.command(f"INSERT INTO codec_trial SELECT {name} FROM codec_source", settings={"max_threads": 1})
        write.append(cpu_seconds(server) - begun)
        client.command("OPTIMIZE TABLE codec_trial FINAL")
        begun = cpu_seconds(server)
        for _ in range(READS):
            client.query("SELECT count() FROM codec_trial WHERE NOT ignore(c)", settings={"max_threads": 1})
        read.append((cpu_seconds(server) - begun) / READS)
        rows, size = client.query(
            "SELECT sum(rows), sum(column_data_compressed_bytes) FROM system.parts_columns WHERE active AND"
            " database = currentDatabase() AND table = 'codec_trial'"
        ).result_rows[0]
    client.command("DROP TABLE codec_trial SYNC")
    return Codec(table, name, kind, codec, used, size / rows, min(write) / rows * 1e9, min(read) / rows * 1e9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=demo_data.RECEIPTS)
    parser.add_argument("--codecs", action="store_true", help="try other codecs too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with settings_of_its_own() as settings:
        found = asyncio.run(measure(settings, given.receipts, codecs=given.codecs, rounds=given.rounds))
    found = {"machine": machine.machine(), **found}
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show(found)


def show(found: dict) -> None:
    out = Console() if sys.stdout.isatty() else Console(width=120)
    lines = found["lines"]
    table = Table(title=f"{found['receipts']:,} receipts, {lines:,} lines", title_justify="left")
    for column in ("what", "rows", "bytes a row", "bytes a line"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name in TABLES:
        one = found["tables"].get(name, {"rows": 0, "bytes": 0})
        table.add_row(
            name, f"{one['rows']:,}", f"{one['bytes'] / max(1, one['rows']):.1f}", f"{one['bytes'] / lines:.1f}"
        )
    for name in ("changelog", "journal"):
        table.add_row(name, "", "", f"{found[f'{name}_bytes'] / lines:.1f}")
    out.print(table)
    if found["codecs"]:
        table = Table(title="each column alone; * is the schema's", title_justify="left")
        for column in ("table", "column", "codec", "bytes a row", "ns a row to write", "to read"):
            table.add_column(column, justify="left" if column in ("table", "column", "codec") else "right")
        for one in found["codecs"]:
            mark = " *" if one["used"] else ""
            table.add_row(
                one["table"], one["column"], one["codec"] + mark, f"{one['bytes']:.3f}", f"{one['write']:.0f}",
                f"{one['read']:.1f}",
            )  # fmt: skip
        out.print(table)
    out.print(f"measured on {found['machine']}", soft_wrap=True)


if __name__ == "__main__":
    main()
