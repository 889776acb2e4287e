"""`tillstream epochs`: which readings of the log there are, and the removal of those that count no more."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from tillstream import aio, console, logs
from tillstream import settings as settings_module

_HELP = """
See which readings of the log there are, and remove those that count no more.

[bold]Examples[/]

  tillstream epochs list

  tillstream epochs remove 1
"""
app = typer.Typer(no_args_is_help=True, help=_HELP)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="epochs")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print the epochs as JSON.")] = False) -> None:
    """List the epochs: state, window, grace, and how much ClickHouse holds of each.

    What `counts` is added up by the views; `retired` ones stay until they are removed.

    [bold]Examples[/]

      tillstream epochs list

      tillstream epochs list --json
    """
    from tillstream.rebuilding.listed import listed

    logs.setup("epochs")
    rows = aio.run(listed(settings_module.load()))
    if as_json:
        console.emit_json([dataclasses.asdict(row) for row in rows])
        return
    names = ["epoch", "state", "window", "grace", "max skew", "in place of", "sales rows", "receipts"]
    console.table(
        "epochs",
        names,
        [
            (
                row.epoch,
                row.state,
                f"{row.window_seconds} s",
                f"{row.grace_seconds} s",
                "" if row.max_skew_seconds is None else f"{row.max_skew_seconds} s",
                ", ".join(map(str, row.replaces)),
                f"{row.sales_rows:,}",
                f"{row.receipts:,}",
            )
            for row in rows
        ],
        right=["epoch", "window", "grace", "max skew", "sales rows", "receipts"],
    )


@app.command("remove")
def remove(
    number: Annotated[int, typer.Argument(metavar="EPOCH", min=1, help="Number of the epoch.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what went as JSON.")] = False,
) -> None:
    """Remove rows and changelog of an epoch that counts no more, or was never finished.

    [bold]Examples[/]

      tillstream epochs remove 1

      tillstream epochs remove 1 --json
    """
    from tillstream.rebuilding.remove import remove as run

    logs.setup("epochs")
    with console.busy(f"removing epoch {number}"):
        done = aio.run(run(settings_module.load(), number))
    if as_json:
        console.emit_json(dataclasses.asdict(done))
        return
    console.table(
        "rows removed", ["table", "rows"], [(name, f"{many:,}") for name, many in done.rows.items()], right=["rows"]
    )
    console.out.print(f"changelog removed: {done.changelog}")
