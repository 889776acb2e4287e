"""`tillstream check` tells which receipts of a file would be refused, and why."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from schemas.decode import decode
from schemas.errors import Refused
from tillstream import console
from tillstream.files import read_receipts
from tillstream.sources import Refusal

# So many faults are shown to people; programs get more of them, and everyone the count.
_SHOWN = 50
_KEPT = 10_000

_EXAMPLES = """
Check a file's receipts without sending them: line, path and reason of each that would be refused.

Reads NDJSON (.ndjson, .jsonl, .json), CSV and Parquet; .gz and .zst too; - is NDJSON from standard input. Ends with 1
if a receipt would be refused.

Examples:

  tillstream check receipts.ndjson

  tillstream check lines.csv --json

  gen-receipts | tillstream check -
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="check", help=_EXAMPLES)(check)


def check(
    file: str = typer.Argument(..., help="NDJSON, CSV or Parquet; - for NDJSON from standard input."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Check every receipt of a file and print what is wrong with which."""
    faults: list[Refusal] = []
    receipts = lines = faulty = 0
    with console.progress() as bar:
        task = bar.add_task("checking", total=None, rate="")
        for fault, many in checked(file):
            receipts += 1
            lines += many
            if fault is not None:
                faulty += 1
                if len(faults) < _KEPT:
                    faults.append(fault)
            bar.advance(task)
    if as_json:
        found = [fault._asdict() for fault in faults]
        console.emit_json(
            {"file": file, "receipts": receipts, "valid": receipts - faulty, "faulty": faulty, "lines": lines,
             "faults": found}
        )  # fmt: skip
    else:
        show(file, receipts, lines, faulty, faults)
    raise typer.Exit(1 if faulty else 0)


def checked(file: str) -> Iterator[tuple[Refusal | None, int]]:
    """For each receipt what is wrong with it, or None and how many lines it has; raises Stop as the reader does."""
    for line, found in read_receipts(file):
        try:
            if isinstance(found, Refused):
                raise found
            yield None, len(decode(found).lines.sku)
        except Refused as fault:
            yield Refusal(line, fault.path, fault.reason, fault.hint), 0


def show(file: str, receipts: int, lines: int, faulty: int, faults: list[Refusal]) -> None:
    """Print the result for people; the last line says how it went."""
    if faults:
        rows = [(fault.line, fault.path, fault.reason, fault.hint) for fault in faults[:_SHOWN]]
        console.table(f"would be refused in {file}", ("line", "path", "reason", "hint"), rows, right=("line",))
        if faulty > _SHOWN:
            console.note(f"and {faulty - _SHOWN:,} more: --json lists up to {_KEPT:,}")
    valid = receipts - faulty
    console.out.print(f"{receipts:,} receipts: {valid:,} valid with {lines:,} lines, {faulty:,} would be refused")
