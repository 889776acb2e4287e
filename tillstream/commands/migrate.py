"""`tillstream migrate`: topics and ClickHouse objects."""

from __future__ import annotations

import dataclasses

import typer

from tillstream import aio, console, logs
from tillstream import settings as settings_module
from tillstream.migrate import MigrationReport
from tillstream.migrate import migrate as run


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("migrate")
    def migrate(
        as_json: bool = typer.Option(False, "--json", help="Print what was done as JSON."),
        add_partitions: bool = typer.Option(
            False, "--add-partitions", help="Let topics grow to TILLSTREAM_PARTITIONS, all of them together."
        ),
        wait: float = typer.Option(30.0, "--wait", min=0, help="Seconds to wait for Kafka and ClickHouse."),
    ) -> None:
        """Create or check topics, database, tables and views. Running it again changes nothing.

        [bold]Examples[/]

          tillstream migrate

          tillstream migrate --json

          TILLSTREAM_PARTITIONS=16 tillstream migrate --add-partitions

          TILLSTREAM_KAFKA_URL=kafka://10.0.0.5:9092 tillstream migrate
        """
        logs.setup("migrate")
        report = aio.run(run(settings_module.load(), wait, more_partitions=add_partitions))
        if as_json:
            console.emit_json(dataclasses.asdict(report))
            return
        for sentence in sentences(report):
            console.out.print(sentence, soft_wrap=True, markup=False)


def sentences(report: MigrationReport) -> list[str]:
    """What was done, for people."""
    said = []
    if report.topics_created:
        said.append(f"topics created: {', '.join(report.topics_created)}")
    if report.topics_found:
        said.append(f"topics found as they should be: {len(report.topics_found)}")
    if report.topics_grown:
        said.append(f"partitions added: {', '.join(report.topics_grown)}")
        said.append("what runs takes them up within seconds; set TILLSTREAM_PARTITIONS wherever a role is started")
    if report.database_created:
        said.append("database created")
    said += [f"{name}: applied" for name in report.applied]
    if report.unchanged:
        said.append(f"unchanged: {', '.join(report.unchanged)}")
    said.append(f"epoch {report.epoch}: {'begun' if report.epoch_created else 'live'}")
    return said + [f"note: {note}" for note in report.notes]
