"""What every command prints with: tables and pictures for people, JSON for programs.

People's output goes to standard output, progress and notes to standard error, so that a pipe gets data only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tillstream.plain_progress import PlainProgress

# Where no person reads along, tables are wide: what is cut off there is lost for good.
out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160)
err = Console(stderr=True, highlight=False)


def progress() -> Progress:
    """A progress bar on standard error: `with progress() as bar: task = bar.add_task("…", total=n, rate="")`.

    Where that is no terminal, plain lines now and then.
    """
    if not err.is_terminal:
        return PlainProgress(err)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),  # so that the figures after it fit into 80 columns
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=err,
    )


def steps(bar: Progress | None, text: str) -> tuple[Callable[[int], None], Callable[[int], None]]:
    """A task of a bar, or of none, whose size is known later: what is told the total, and what is told each advance."""
    if bar is None:
        return (lambda _: None), (lambda _: None)
    task = bar.add_task(text, total=None, rate="")
    return (lambda total: bar.update(task, total=total)), (lambda many: bar.advance(task, many))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[str] = ()) -> None:
    """Print a table; the columns named in `right` hold figures and are set flush right."""
    drawn = Table(title=title, title_justify="left")
    figures = set(right)
    for column in columns:
        drawn.add_column(column, justify="right" if column in figures else "left")
    for row in rows:
        # As Text, so that what a till sent is never taken for markup or terminal controls.
        drawn.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in row))
    out.print(drawn)


def printable(text: str) -> str:
    """The text with control characters shown as escapes: what a till sent must not drive anyone's terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def emit_json(value: Any) -> None:
    """Print one JSON document; decimals as strings, times in RFC 3339."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def note(text: str) -> None:
    """A sentence to the person who watches, on standard error."""
    err.print(text, markup=False, soft_wrap=not err.is_terminal)


def busy(text: str) -> AbstractContextManager[Any]:
    """A spinner and a sentence while something works whose end nobody knows; the sentence alone without a terminal."""
    if err.is_terminal:
        return err.status(text)
    note(text)
    return nullcontext()


def fail(sentence: str, hint: str = "") -> None:
    """An error and what mends it, on standard error."""
    # Unwrapped where no person reads along: a path or a command broken in two is of no use to anybody.
    unwrapped = not err.is_terminal
    err.print(f"[bold red]error:[/] {_escaped(sentence)}", soft_wrap=unwrapped)
    if hint:
        err.print(f"[bold]hint:[/] {_escaped(hint)}", soft_wrap=unwrapped)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
