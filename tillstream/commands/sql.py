"""`tillstream sql`: ask ClickHouse."""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from schemas.errors import Stop, Unavailable
from tillstream import ch, console, settings

SHOWN = 100
VIEWS = "sales, sales_hourly, sales_daily, sales_by_business_date, receipt_counts, receipts_once, receipt_lines_once"
# ClickHouse's code of an error, and what helps then.
_HINTS = {
    46: "docs/sql.md lists what there is; ClickHouse's own functions are in its manual.",
    47: '`tillstream sql "DESCRIBE sales"` shows a view\'s columns.',
    60: f"The views are {VIEWS}. None there at all? Run `tillstream migrate`.",
    62: "Put the whole query in quotes.",
    81: "Run `tillstream migrate`.",
    164: "`tillstream sql` only reads. To write, use a client of ClickHouse's.",
}

_EXAMPLES = """
Run a query in ClickHouse and print its rows. It only reads (readonly = 2); times are UTC.

Examples:

  tillstream sql "SELECT sku, sum(revenue) AS revenue FROM sales GROUP BY sku ORDER BY revenue DESC LIMIT 10"

  tillstream sql "SELECT * FROM sales_daily WHERE store_id = '12'" --json

  tillstream sql - < query.sql
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="sql", help=_EXAMPLES)(sql)


def sql(
    query: str = typer.Argument(..., help="The query; - reads it from standard input."),
    as_json: bool = typer.Option(False, "--json", help="Print the rows as a JSON array of objects."),
    as_csv: bool = typer.Option(False, "--csv", help="Print the rows as CSV with a header."),
    limit: int = typer.Option(SHOWN, "--rows", min=1, help="How many rows to show in the table."),
) -> None:
    """Run the query and print what it gives."""
    text = sys.stdin.read() if query == "-" else query
    begun = time.monotonic()
    names, rows = _ask(settings.load(), text)
    if as_json:
        console.emit_json([dict(zip(names, map(plain, row), strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows([plain(cell) for cell in row] for row in rows)
    elif not rows:
        console.out.print("no rows")
    else:
        figures = [name for name, cell in zip(names, rows[0] if rows else (), strict=False) if _is_figure(cell)]
        console.table("", names, ([shown(cell) for cell in row] for row in rows[:limit]), right=figures)
        more = f", the first {limit:,} shown (--rows)" if len(rows) > limit else ""
        console.note(f"{len(rows):,} row{'s' * (len(rows) != 1)} in {time.monotonic() - begun:.2f} s{more}")


def _ask(found: settings.Settings, text: str) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    try:
        with ch.connect(found, readonly=2) as client:
            answer = client.query(text.strip().rstrip(";"))
            return answer.column_names, answer.result_rows
    except OperationalError as fault:
        raise Unavailable("ClickHouse", str(fault).splitlines()[0][:200]) from None
    except DatabaseError as fault:
        sentence, code = told(str(fault))
        raise Stop(sentence, _HINTS.get(code, "")) from None


def told(fault: str) -> tuple[str, int]:
    """ClickHouse's own sentence without its wrapping, and its code (0 where there is none)."""
    code = re.search(r"[Cc]ode:? (\d+)", fault)
    text = re.search(r"DB::Exception: (.*?)(?:\. \([A-Z_]+\)|$)", fault.splitlines()[0])
    sentence = text[1] if text else fault.splitlines()[0][:300]
    return f"ClickHouse refuses the query: {sentence.rstrip('.')}.", int(code[1]) if code else 0


def plain(cell: Any) -> Any:
    """A value for programs: times are UTC and say so."""
    return cell.replace(tzinfo=UTC) if isinstance(cell, datetime) and cell.tzinfo is None else cell


def shown(cell: Any) -> str:
    """A value for people."""
    if cell is None:
        return "—"
    if isinstance(cell, datetime):
        return str(plain(cell)).replace("+00:00", "Z")
    return str(cell)


def _is_figure(cell: Any) -> bool:
    return isinstance(cell, int | float) or type(cell).__name__ == "Decimal"
