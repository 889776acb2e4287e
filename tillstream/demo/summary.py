"""The demo's summary, for people and for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tillstream import console
from tillstream.commands.reconcile import last_line, show
from tillstream.demo import alert_summary
from tillstream.demo.addresses import METRICS, Address, environment
from tillstream.demo.run import Outcome
from tillstream.sparkline import sparkline

PANEL = (
    "The Complete Journey: what 2,469 households of a loyalty panel bought in 457 stores of one chain in 2017, not "
    "what the stores sold; its times bear no zone and are read as UTC."
)
_MIB = 1024 * 1024


def print_summary(outcome: Outcome, addresses: list[Address], max_alert_age: timedelta, *, serving: bool) -> None:
    """Print it; its last line says whether ClickHouse holds what the log says."""
    _movers(outcome)
    _busiest(outcome)
    alert_summary.print_alerts(outcome)
    _memory(outcome)
    told = alert_summary.sentences(outcome, max_alert_age, datetime.now(UTC))
    for line in [*_paces(outcome), PANEL, *told, *_next(outcome, addresses, serving=serving)]:
        console.out.print(line, soft_wrap=True, markup=False)
    show(outcome.report)


def as_json(outcome: Outcome, addresses: list[Address]) -> dict[str, Any]:
    """The same for programs; `seconds` by phase, `memory` in bytes."""
    published, figures = outcome.published, outcome.figures
    return {
        "receipts": published.receipts,
        "lines": published.lines,
        "seconds": {"publish": published.seconds, "readable": outcome.readable, **outcome.phases},
        "receipts_per_second": _per_second(published.receipts, outcome),
        "lines_per_second": _per_second(published.lines, outcome),
        "rows": figures.rows,
        "windows": figures.windows,
        "revenue": figures.revenue,
        "top_movers": [mover._asdict() for mover in figures.movers],
        "busiest_stores": [{"store_id": store, "receipts": receipts} for store, receipts in figures.busiest],
        "receipts_by_hour_utc": figures.hours,
        "alerts": alert_summary.as_json(outcome),
        "memory": outcome.memory,
        "environment": environment(addresses),
        "reconciliation": {**dataclasses.asdict(outcome.report), "line": last_line(outcome.report)},
    }


def _per_second(many: int, outcome: Outcome) -> int:
    return round(many / outcome.readable) if outcome.readable else 0


def _movers(outcome: Outcome) -> None:
    rows = [
        (mover.name or "unknown", mover.sku, f"{mover.revenue:,.2f}", f"{mover.units:,.0f}", f"{mover.stores:,}")
        for mover in outcome.figures.movers
    ]
    title = "top movers by what was paid (fuel is sold in thousandths of its unit)"
    figures = ["revenue, USD", "units", "stores"]
    console.table(title, ["product", "SKU", *figures], rows, right=figures)


def _busiest(outcome: Outcome) -> None:
    figures = outcome.figures
    rows = [(store, f"{receipts:,}") for store, receipts in figures.busiest]
    console.table("busiest stores", ["store", "receipts"], rows, right=["receipts"])
    console.out.print(f"receipts by hour, 0 to 23 UTC: {sparkline(figures.hours)}", soft_wrap=True)


def _memory(outcome: Outcome) -> None:
    rows = [(part, f"{held / _MIB:,.0f}") for part, held in outcome.memory.items()]
    rows.append(("together", f"{sum(outcome.memory.values()) / _MIB:,.0f}"))
    console.table("resident memory", ["part", "MiB"], rows, right=["MiB"])


def _paces(outcome: Outcome) -> Iterator[str]:
    published, figures, report = outcome.published, outcome.figures, outcome.report
    yield f"sent: {published.receipts:,} receipts, {published.lines:,} lines, {figures.revenue:,.2f} USD"
    yield (
        f"from the first one sent until the last one could be read: {outcome.readable:.1f} s, "
        f"{_per_second(published.receipts, outcome):,} receipts/s, {_per_second(published.lines, outcome):,} lines/s"
    )
    yield (
        f"counted into {figures.rows:,} rows of {figures.windows:,} windows, {figures.skus:,} products in "
        f"{figures.stores:,} stores; all computed again from the log and compared in {report.seconds:.1f} s"
    )


def _next(outcome: Outcome, addresses: list[Address], *, serving: bool) -> Iterator[str]:
    if not serving:
        yield "next: `tillstream demo` keeps serving after its summary; `tillstream up` counts receipts of your own"
        return
    yield "serving until Ctrl-C. Try, in another terminal:"
    for name, value in environment(addresses).items():
        yield f"  export {name}={value}"
    for command in alert_summary.commands(outcome):
        yield f"  {command}"
    yield '  tillstream sql "SELECT toDate(window_start) AS day, sum(revenue) FROM sales GROUP BY day ORDER BY day"'
    yield "  tillstream status"
    yield "  tillstream replay complete-journey --limit 1000   # the same receipts again: nothing counts twice"
    yield "  tillstream reconcile"
    metrics = next(address for address in addresses if address.setting == METRICS)
    yield f"  curl http://{metrics.value}/metrics"
