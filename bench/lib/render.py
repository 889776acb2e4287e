"""Results as a table: cells for the terminal and, from the same cells, Markdown for the documents."""

from __future__ import annotations

from collections.abc import Sequence

from lib.figures import Result, Spread


def cells(results: Sequence[Result], rivals: Sequence[str]) -> list[list[str]]:
    """A heading and a row a contestant; ratios first."""
    head = [
        "contestant",
        *(f"times {rival}" for rival in rivals),
        "lines/s, median",
        "min to max",
        "CPU µs a line, start included",
        "MiB at the end",
        "wrong totals",
    ]
    return [head, *(_row(result, rivals) for result in results)]


def markdown(table: Sequence[Sequence[str]]) -> str:
    """The cells as a Markdown table."""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(result: Result, rivals: Sequence[str]) -> list[str]:
    return [
        result.name,
        *(_times(result.times.get(rival), itself=rival == result.name) for rival in rivals),
        f"{result.rate.median:,.0f}",
        f"{result.rate.low:,.0f} to {result.rate.high:,.0f}",
        f"{result.cpu_microseconds_a_line:.1f}",
        f"{result.mebibytes:,.0f}",
        f"{result.differences:,}",
    ]


def _times(spread: Spread | None, *, itself: bool) -> str:
    if spread is None:
        return "—"
    if itself:
        return "1"
    places = 1 if spread.median >= 10 else 2
    return f"{spread.median:.{places}f} ({spread.low:.{places}f} to {spread.high:.{places}f})"
