"""Dashboard and command-line queries over 100 million rows of `sales_windows`: python bench/queries.py

    python bench/queries.py [--rows 100000000] [--days 90] [--runs 30] [--only PART] [--folder DIR] [--json] [--drop]

Makes a synthetic chain (bench/lib/chain.py) in a folder that is kept for the next time, rolls it up as the sink does,
and asks each query over HTTP, as the dashboard does: p50 and p95 of its runs, after one that warms it up, and what
ClickHouse says serves it: the primary key of a table, with how much of it is read, or a projection of a roll-up.
`--rows 100000` is a quick look. 100 million rows take about 5 GB of disk; `--drop` removes them at the end.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from clickhouse_connect.driver.client import Client
from lib import chain, machine
from lib.chain import Chain
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

TARGET_MS = 100.0
HOME = Path(__file__).resolve().parent.parent / ".tillstream" / "bench"
note = Console(stderr=True)


@dataclass(slots=True)
class Timed:
    """A query, its times in milliseconds, how many rows it gave, what served it; `cpu` is the server's, a run."""

    name: str
    query: str
    rows: int
    served_by: list[str]
    cpu: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    def percentile(self, of: float) -> float:
        found = sorted(self.milliseconds)
        return found[min(len(found) - 1, round(of * (len(found) - 1)))]


def queries(days: int) -> dict[str, str]:
    """What people and the dashboard ask, on the last day of the chain."""
    today = chain.last_day(days)
    week, yesterday = today - timedelta(days=6), today - timedelta(days=1)
    sku = str(chain.FIRST_SKU + 41)
    return {
        "a store's best sellers today": f"SELECT sku, sum(units) AS units, sum(revenue) AS revenue FROM sales_daily"
        f" WHERE store_id = '12' AND window_start = '{today}' GROUP BY sku ORDER BY revenue DESC LIMIT 20",
        "a store's best sellers today, to the minute": "SELECT sku, sum(units) AS units, sum(revenue) AS revenue"
        f" FROM sales WHERE store_id = '12' AND window_start >= '{today}' GROUP BY sku ORDER BY revenue DESC LIMIT 20",
        "a store's figures today, to the minute": "SELECT sum(revenue), sum(units) FROM sales"
        f" WHERE store_id = '12' AND window_start >= '{today}'",
        "a store's revenue by hour today": "SELECT window_start, sum(revenue) FROM sales_hourly WHERE store_id = '12'"
        f" AND window_start >= '{today}' GROUP BY window_start ORDER BY window_start",
        "a store's revenue by day": "SELECT window_start, sum(revenue) FROM sales_daily WHERE store_id = '12'"
        " GROUP BY window_start ORDER BY window_start",
        "a SKU in a store by day": "SELECT window_start, sum(units), sum(revenue) FROM sales_daily"
        f" WHERE store_id = '12' AND sku = '{sku}' GROUP BY window_start ORDER BY window_start",
        "a SKU in a store by hour": "SELECT window_start, units, revenue FROM sales_hourly"
        f" WHERE store_id = '12' AND sku = '{sku}' ORDER BY window_start",
        "a SKU in a store by window": "SELECT window_start, units, revenue FROM sales"
        f" WHERE store_id = '12' AND sku = '{sku}' ORDER BY window_start",
        "the chain's figures today": f"SELECT sum(revenue), sum(units) FROM sales_daily WHERE window_start = '{today}'",
        "the chain's revenue by hour today": "SELECT window_start, sum(revenue) FROM sales_hourly"
        f" WHERE window_start >= '{today}' GROUP BY window_start ORDER BY window_start",
        "the chain's revenue by day": "SELECT window_start, sum(revenue) FROM sales_daily GROUP BY window_start"
        " ORDER BY window_start",
        "a SKU in the chain by day": "SELECT window_start, sum(units), sum(revenue) FROM sales_daily"
        f" WHERE sku = '{sku}' GROUP BY window_start ORDER BY window_start",
        "the chain's best sellers this week": "SELECT sku, sum(units) AS units, sum(revenue) AS revenue"
        f" FROM sales_daily WHERE window_start >= '{week}' GROUP BY sku ORDER BY revenue DESC LIMIT 20",
        "the chain's best sellers of all time": "SELECT sku, sum(revenue) AS revenue FROM sales_daily"
        " GROUP BY sku ORDER BY revenue DESC LIMIT 10",
        "yesterday's best sellers, by name": "SELECT p.name AS product, s.* FROM (SELECT sku, sum(units) AS units,"
        f" sum(revenue) AS revenue FROM sales_daily WHERE window_start = '{yesterday}' GROUP BY sku"
        " ORDER BY revenue DESC LIMIT 20) AS s LEFT JOIN products AS p ON p.sku = s.sku ORDER BY revenue DESC",
        "stores by revenue this week": "SELECT store_id, sum(revenue) AS revenue FROM sales_daily"
        f" WHERE window_start >= '{week}' GROUP BY store_id ORDER BY revenue DESC LIMIT 20",
        "a store's receipts by hour today": "SELECT toStartOfHour(window_start) AS hour, sum(receipts)"
        f" FROM receipt_counts WHERE store_id = '12' AND window_start >= '{today}' GROUP BY hour ORDER BY hour",
        "the chain's receipts by hour today": "SELECT toStartOfHour(window_start) AS hour, sum(receipts)"
        f" FROM receipt_counts WHERE window_start >= '{today}' GROUP BY hour ORDER BY hour",
        "a page of rows": "SELECT * FROM sales_daily WHERE store_id = '12' LIMIT 100",
        "status: freshness": "SELECT count(), max(window_start) FROM store_windows"
        " WHERE epoch IN (SELECT epoch FROM live_epochs)",
        "status: counts": "SELECT result, sum(messages) FROM partition_counts GROUP BY result",
    }


def served_by(client: Client, query: str) -> list[str]:
    """Each table that a query reads: the projection that stands for it, or how much of it is read by its key."""
    plan = "\n".join(line for (line,) in client.query(f"EXPLAIN indexes = 1 {query}").result_rows)
    found = []
    for part in re.split(r"(?=ReadFrom)", plan)[1:]:
        name = re.match(r"ReadFrom\w+ \((?:\w+\.)?(\w+)\)", part)
        if name is None or name[1] in ("epochs", "rollup_passes", "products"):
            continue
        granules = re.findall(r"Granules: (\d+)(?:/(\d+))?", part)
        projection = re.search(r"Projections:.*?Name: (\w+)", part, re.DOTALL)
        if name[1] in ("by_store", "by_sku", "state"):
            found.append(f"projection {name[1]}, {granules[0][0] if granules else 'few'} granules")
        elif granules:
            whole = max(int(of) for of in (total or one for one, total in granules))
            least = min(int(one) for one, _ in granules)
            used = f", projection {projection[1]}" if projection else ""
            found.append(f"key of {name[1]}{used}, {least:,} of {whole:,} granules")
    return found


def timed(running: Chain, name: str, query: str, runs: int) -> Timed:
    client = running.client
    one = Timed(name, query, len(client.query(query).result_rows), served_by(client, query))
    before = running.cpu_seconds()
    for _ in range(runs):
        begun = time.perf_counter()
        client.query(query)
        one.milliseconds.append((time.perf_counter() - begun) * 1000)
    one.cpu = (running.cpu_seconds() - before) / runs * 1000
    return one


def sizes(client: Client) -> dict[str, dict[str, int]]:
    rows = client.query(
        "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
        " AND table IN ('sales_windows', 'rollup_hours', 'rollup_days', 'store_windows') GROUP BY table ORDER BY table"
    ).result_rows
    return {table: {"rows": many, "bytes": size} for table, many, size in rows}


def filled(folder: Path, rows: int, days: int, bar: Progress) -> None:
    """Make the chain where it is not there yet, whole."""
    done = folder / "made.json"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.monotonic()
    with chain.served(folder) as running:
        client = running.client
        task = bar.add_task("making rows, day by day", total=days)
        chain.make(client, rows, days, lambda _: bar.advance(task))
        made = time.monotonic() - begun
        task = bar.add_task("rolling up", total=1)
        rolled = chain.rolled_up(client)
        bar.advance(task)
    done.write_text(json.dumps({"seconds": made, "days_rolled_up": days, "roll_up_seconds": rolled}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", default="", help="queries whose name has this in it")
    parser.add_argument("--folder", type=Path, help="where the rows are kept; default: .tillstream/bench")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--drop", action="store_true", help="remove the rows at the end")
    given = parser.parse_args()
    folder = given.folder or HOME / f"chain-{given.rows}-{given.days}"
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=note, transient=True) as bar:
        filled(folder, given.rows, given.days, bar)
        with chain.served(folder) as running:
            client = running.client
            wanted = {name: text for name, text in queries(given.days).items() if given.only in name}
            task = bar.add_task("asking", total=len(wanted))
            found = []
            for name, text in wanted.items():
                found.append(timed(running, name, text, given.runs))
                bar.advance(task)
            again = chain.last_day_again(client, given.days) if not given.only else None
            size = sizes(client)
    made = json.loads((folder / "made.json").read_text())
    if given.drop:
        shutil.rmtree(folder)
    if given.json:
        told = [{**asdict(one), "p50": one.percentile(0.5), "p95": one.percentile(0.95)} for one in found]
        figures = {"machine": machine.machine(), "made": made, "tables": size, "last_day_again_seconds": again}
        sys.stdout.write(json.dumps({**figures, "target_ms": TARGET_MS, "queries": told}, indent=2) + "\n")
        return
    show(found, size, made, again)


def show(found: list[Timed], size: dict[str, dict[str, int]], made: dict[str, float], again: float | None) -> None:
    out = Console() if sys.stdout.isatty() else Console(width=160)
    table = Table(title=f"milliseconds, {len(found[0].milliseconds)} runs each", title_justify="left")
    for column in ("query", "p50", "p95", "CPU", "rows", "served by"):
        table.add_column(column, justify="left" if column in ("query", "served by") else "right")
    for one in found:
        p50, p95 = statistics.median(one.milliseconds), one.percentile(0.95)
        table.add_row(one.name, f"{p50:.0f}", f"{p95:.0f}", f"{one.cpu:.0f}", f"{one.rows:,}", "; ".join(one.served_by))
    out.print(table)
    slow = [one.name for one in found if one.percentile(0.95) >= TARGET_MS]
    out.print(f"p95 of {len(found) - len(slow)} of {len(found)} below {TARGET_MS:.0f} ms", soft_wrap=True)
    for name, one in size.items():
        out.print(f"{name}: {one['rows']:,} rows, {one['bytes'] / one['rows']:.1f} bytes each", soft_wrap=True)
    out.print(
        f"made in {made['seconds']:.0f} s, rolled up in {made['roll_up_seconds']:.0f} s"
        + (f"; the last day rolled up again, as the sink does while it sells: {again:.1f} s" if again else ""),
        soft_wrap=True,
    )
    out.print(f"measured on {machine.machine()}", soft_wrap=True)


if __name__ == "__main__":
    main()
