"""`tillstream status`: who answers, how far everyone has read, what to look into."""

from __future__ import annotations

import dataclasses

import typer

from tillstream import aio, console, logs, settings

_EXAMPLES = """
Show what answers, how far each consumer group has read, the counts by result, how fresh the rows are, and what a
person should look into: stores in two partitions, receipts counted twice, dead letters, webhook endpoints that fail.

Ends with 1 if something does not answer or is not migrated.

Examples:

  tillstream status

  tillstream status --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="status", help=_EXAMPLES)(status)


def status(as_json: bool = typer.Option(False, "--json", help="Print the status as JSON.")) -> None:
    """Ask everyone once and print what they say."""
    from tillstream.status.gather import gather
    from tillstream.status.show import show

    logs.setup("status")
    found = aio.run(gather(settings.load()))
    if as_json:
        console.emit_json(dataclasses.asdict(found))
    else:
        show(found)
    raise typer.Exit(1 if found.away else 0)
