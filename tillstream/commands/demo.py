"""`tillstream demo`: a year of real receipts and simulated stock through everything, on this machine, and the proof."""

from __future__ import annotations

import typer

from tillstream import console


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("demo")
    def demo(
        limit: int | None = typer.Option(None, "--limit", min=1, help="Send only so many receipts."),
        no_wait: bool = typer.Option(False, "--no-wait", help="End after the summary instead of serving on."),
        as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
    ) -> None:
        """Send 155,848 real receipts through Kafka, Faust and ClickHouse on this machine, and prove every cent.

        Beside the receipts of the busiest stores it simulates stock: counts, orders, deliveries, a late one, a shelf
        that is sold out, one that is empty though the books have stock, and a rush, with the alerts that come of it.
        Whatever is simulated is called so.

        Starts everything in a temporary folder, takes free ports where the usual ones are busy, and ends with a
        summary whose last line says how many rows differ from a computation over the log (0). Serves on until
        Ctrl-C; with --no-wait it ends, with 0 if all is equal and 1 if not. Nothing stays behind.

        [bold]Examples[/]

          tillstream demo

          tillstream demo --no-wait

          tillstream demo --limit 10000 --no-wait --json
        """
        # Said before anything slow is imported.
        console.note("tillstream demo: starting a broker, ClickHouse, a worker and a sink in a temporary folder")
        import logging

        from tillstream import aio, logs
        from tillstream import settings as settings_module
        from tillstream.demo.session import Session

        logs.setup("demo", level=logging.WARNING)
        session = Session(settings_module.load(), limit, as_json=as_json, serve=not no_wait)
        raise typer.Exit(aio.run(session.run()))
