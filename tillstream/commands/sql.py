"""`tillstream sql`: ask ClickHouse."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

import typer
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from schemas.errors import Stop, Unavailable
from tillstream import answers, ch, console, settings
from tillstream.answers import Answer

SHOWN = 100
# Longer cells are cut in the table, so that one of them does not fill the screen.
WIDEST = 80
VIEWS = (
    "sales, sales_hourly, sales_daily, sales_by_business_date, receipt_counts, receipts_once, receipt_lines_once, "
    "alerts, stock_cover, stockouts, stock_orders"
)
# ClickHouse's code of an error, and what helps then.
_HINTS = {
    46: "docs/sql.md lists what there is; ClickHouse's own functions are in its manual.",
    47: '`tillstream sql "DESCRIBE sales"` shows a view\'s columns.',
    60: f"The views are {VIEWS}. None there at all? Run `tillstream migrate`.",
    62: "Put the whole query in quotes, one query at a time; for other formats there are --json and --csv.",
    81: "Run `tillstream migrate`.",
    164: "`tillstream sql` only reads. To write, use a client of ClickHouse's.",
}

_EXAMPLES = """
Run a query in ClickHouse and print its rows. It only reads (readonly = 2); times are UTC.

The table shows the first 100 rows and cuts long values; --json and --csv give all of everything, of any length.

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
    text = (sys.stdin.read() if query == "-" else query).strip().rstrip(";").rstrip()
    if not text:
        raise Stop("There is no query.", 'For example: `tillstream sql "SELECT * FROM sales LIMIT 10"`.')
    if as_json and as_csv:
        raise Stop("--json and --csv are two forms of one answer.", "Choose one.")
    begun = time.monotonic()
    answer = _ask(settings.load(), text, "JSONEachRow" if as_json else "CSVWithNames" if as_csv else None, limit)
    if answer is not None:
        _show(answer)
    many = f"{len(answer.rows):,} row{'s' * (len(answer.rows) != 1)} in " if answer is not None else ""
    more = f", and there are more (--rows {limit * 10}, --json, --csv)" if answer is not None and answer.more else ""
    console.note(f"{many}{time.monotonic() - begun:.2f} s{more}")


def _ask(found: settings.Settings, text: str, form: str | None, limit: int) -> Answer | None:
    """The first rows for the table, or None where all of them went to standard output in a form of ClickHouse's."""
    try:
        with ch.connect(found, readonly=2) as client:
            if form is None:
                return answers.first_rows(client, text, limit)
            answers.copy(client, text, form, sys.stdout.buffer)
            return None
    except OperationalError as fault:
        raise Unavailable("ClickHouse", ch.first_line(fault)) from None
    except DatabaseError as fault:
        sentence, code = told(str(fault))
        raise Stop(sentence, _HINTS.get(code, "")) from None


def told(fault: str) -> tuple[str, int]:
    """ClickHouse's own sentence without its wrapping, and its code (0 where there is none)."""
    code = re.search(r"[Cc]ode:? (\d+)", fault)
    text = re.search(r"DB::Exception: (.*?)(?:\. \([A-Z_]+\)|$)", (fault.splitlines() or [""])[0])
    sentence = text[1] if text else fault.splitlines()[0][:300]
    return f"ClickHouse refuses the query: {sentence.rstrip('.')}.", int(code[1]) if code else 0


def _show(answer: Answer) -> None:
    if not answer.rows:
        console.out.print("no rows")
        return
    rows = [[shown(cell, kind) for cell, kind in zip(row, answer.types, strict=True)] for row in answer.rows]
    figures = [name for name, kind in zip(answer.names, answer.types, strict=True) if is_figure(kind)]
    console.table("", answer.names, rows, right=figures)


def shown(cell: Any, kind: str) -> str:
    """A cell for people; `kind` is ClickHouse's name of its type."""
    if cell is None:
        return "—"
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    if re.match(r"(Nullable\()?DateTime", kind):
        text = text.replace("T", " ", 1)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def is_figure(kind: str) -> bool:
    """Whether a type's values are figures, set flush right."""
    return re.match(r"(LowCardinality\()?(Nullable\()?(U?Int|Float|Decimal)", kind) is not None
