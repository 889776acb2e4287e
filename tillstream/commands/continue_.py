"""`tillstream continue`: on, beside the figures that are there, after the log was recreated or lost receipts."""

from __future__ import annotations

from typing import Annotated

import typer

from tillstream import aio, console, logs
from tillstream import settings as settings_module


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("continue")
    def continue_(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
        """Go on after `pos.receipts` was recreated, or retention took receipts uncounted.

        What was counted stays; what the new topic holds is added to it, in an epoch of its own.
        Receipts that were published into both count twice.
        Where only retention was too short, counting goes on in the same epoch.
        Stop the workers first. Nothing is changed where the log is the one that was counted.

        [bold]Examples[/]

          tillstream continue

          tillstream continue --json
        """
        from tillstream.rebuilding.go_on import go_on

        logs.setup("continue")
        with console.busy("comparing the log with what was counted"):
            done = aio.run(go_on(settings_module.load()))
        if as_json:
            skipped = {str(partition): many for partition, many in done.skipped.items()}
            console.emit_json({"epoch": done.epoch.epoch, "beside": done.beside, "skipped": skipped})
            return
        for partition, many in done.skipped.items():
            console.out.print(f"partition {partition}: {many:,} offsets went before they were counted; stepped over")
        if done.beside:
            beside = ", ".join(map(str, done.beside))
            console.out.print(f"epoch {done.epoch.epoch} counts what the log holds now, beside epoch {beside}")
        console.out.print("start the workers: `tillstream worker`")
