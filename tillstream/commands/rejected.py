"""`tillstream rejected list|show|export|replay`: look into messages that could not be counted, and send them again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import typer
from clickhouse_connect.driver.client import Client

from schemas.errors import Stop
from schemas.topics import RECEIPTS
from tillstream import aio, ch, console, settings
from tillstream.outgoing import Outgoing
from tillstream.rejected import letters, shown
from tillstream.rejected.letters import Wanted
from tillstream.rejected.sendable import Sendable, admitted
from tillstream.replay import Published, publish
from tillstream.sources import FileSource

_HELP = """
Look into messages that could not be counted, and send them again.

Examples:

  tillstream rejected list

  tillstream rejected export letters.ndjson

  tillstream rejected replay --with letters.ndjson
"""
_LIST = """
Show how many messages were refused for which reason, and the newest of them. A place is partition:offset.

Examples:

  tillstream rejected list

  tillstream rejected list --path amount --limit 50

  tillstream rejected list --json
"""
_SHOW = """
Show one refused message: what is wrong with it, and its bytes as far as they were kept.

Examples:

  tillstream rejected show 3:1742

  tillstream rejected show 3:1742 --raw > receipt.json
"""
_EXPORT = """
Write refused messages to a file, one a line, to be mended there; then `tillstream rejected replay --with FILE`.

Examples:

  tillstream rejected export letters.ndjson

  tillstream rejected export letters.ndjson --reason "no offset"
"""
_REPLAY = """
Send refused messages again, each checked first: as they are, where the cause lay outside of them (a wrong key, a wrong
clock of the broker), or mended ones from a file. Sending one twice is safe: a receipt counts once.

Ends with 1 if one of them would be refused again; the others are sent.

Examples:

  tillstream rejected replay 3:1742

  tillstream rejected replay --reason "key is not the store_id"

  tillstream rejected replay --with letters.ndjson --dry-run
"""
_SHOWN = 20
_REASON = typer.Option(None, "--reason", help="Only those whose reason holds this text.")
_PATH = typer.Option(None, "--path", help="Only those whose path holds this text.")
_JSON = typer.Option(False, "--json", help="Print as JSON.")
_FILE = typer.Argument(..., help="The file to write; - is standard output.")
_MENDED = typer.Option(None, "--with", help="Send the receipts of this file (NDJSON, CSV, Parquet).")
_PLACES = typer.Argument(None, metavar="[PLACE]...", help="partition:offset, as `list` shows them; all by default.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="rejected", help=_HELP, no_args_is_help=True)
    group.command(name="list", help=_LIST)(list_letters)
    group.command(name="show", help=_SHOW)(show)
    group.command(name="export", help=_EXPORT)(export)
    group.command(name="replay", help=_REPLAY)(replay)
    app.add_typer(group)


def list_letters(
    reason: str | None = _REASON,
    path: str | None = _PATH,
    limit: int = typer.Option(_SHOWN, "--limit", min=0, help="How many of the newest to show."),
    as_json: bool = _JSON,
) -> None:
    """Print the summary and the newest letters."""
    found = settings.load()
    with _clickhouse(found) as client:
        wanted = Wanted(None, reason, path)
        groups = letters.summary(client, wanted)
        newest = list(letters.read(client, wanted, limit))
    if as_json:
        console.emit_json({"groups": groups, "newest": [shown.plain(letter) for letter in newest]})
        return
    if not groups:
        console.out.print("nothing was refused" + (" for such a reason" if reason or path else ""))
        return
    rows = [(group["topic"], group["path"], group["reason"], f"{group['messages']:,}", shown.moment(group["last"]))
            for group in groups]  # fmt: skip
    console.table("refused messages by reason", ("topic", "path", "reason", "messages", "latest"), rows,
                  right=("messages",))  # fmt: skip
    if newest:
        lines = [(letter.topic, letter.place, letter.path, letter.reason, letter.key.decode("utf-8", "replace"),
                 shown.moment(letter.rejected_at)) for letter in newest]  # fmt: skip
        console.table("the newest", ("topic", "place", "path", "reason", "key", "refused at"), lines)
        console.note("see one with `tillstream rejected show PLACE`")


def show(
    place: str = typer.Argument(..., help="partition:offset, as `list` shows it."),
    topic: str | None = typer.Option(None, "--topic", help="The topic of the original; pos.receipts by default."),
    raw: bool = typer.Option(False, "--raw", help="Only the original's bytes, as they are."),
    as_json: bool = _JSON,
) -> None:
    """Print one letter."""
    found = settings.load()
    wanted = Wanted(topic or found.topic_prefix + RECEIPTS, places=(letters.place_of(place),))
    with _clickhouse(found) as client:
        letter = next(letters.read(client, wanted), None)
    if letter is None:
        raise Stop(f"No message at {place} of {wanted.topic} was refused.", "`tillstream rejected list` shows places.")
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
    elif as_json:
        console.emit_json(shown.plain(letter))
    else:
        shown.show(letter)


def export(
    file: Path = _FILE,
    reason: str | None = _REASON,
    path: str | None = _PATH,
    as_json: bool = _JSON,
) -> None:
    """Write letters to a file, one a line."""
    if as_json and str(file) == "-":
        raise Stop("--json and - both want standard output.", "Name a file, or leave out --json.")
    found = settings.load()
    written, skipped = 0, []
    with _clickhouse(found) as client, _output(file) as out, console.progress() as bar:
        wanted = _wanted(found, reason, path)
        task = bar.add_task("writing", total=letters.count(client, wanted), rate="")
        for letter in letters.read(client, wanted):
            bar.advance(task)
            why = letters.why_not_sendable(letter)
            if why is not None or letter.value is None:
                skipped.append({"place": letter.place, "reason": why})
                continue
            out.write(letters.one_line(letter.value) + b"\n")
            written += 1
    if as_json:
        console.emit_json({"written": written, "skipped": skipped})
        return
    console.note(f"wrote {written:,} messages to {file}" + (f"; left out {len(skipped):,}" if skipped else ""))
    for one in skipped[:_SHOWN]:
        console.note(f"  {one['place']}: {one['reason']}")


def replay(
    places: list[str] | None = _PLACES,
    reason: str | None = _REASON,
    path: str | None = _PATH,
    mended: Path | None = _MENDED,
    dry_run: bool = typer.Option(False, "--dry-run", help="Check only, and send nothing."),
    as_json: bool = _JSON,
) -> None:
    """Check letters, send those that would be counted, and say which would not."""
    found = settings.load()
    source: Sendable | FileSource
    if mended is not None:
        if places or reason or path:
            raise Stop("--with names the receipts itself.", "Leave out places, --reason and --path.")
        source = FileSource(mended, check=partial(admitted, max_skew_us=found.max_skew_us))
        sent = _send(found, source, None, dry_run=dry_run)
        faults = [{"place": f"line {one.line}", "path": one.path, "reason": one.reason} for one in source.refusals]
    else:
        wanted = _wanted(found, reason, path, tuple(map(letters.place_of, places or ())))
        with _clickhouse(found) as client:
            source = Sendable(client, wanted, found.max_skew_us)
            sent = _send(found, source, letters.count(client, wanted), dry_run=dry_run)
        faults = source.faults
    _tell(sent, faults, source.refused, dry_run=dry_run, as_json=as_json)
    raise typer.Exit(1 if source.refused else 0)


def _send(found: settings.Settings, source: Sendable | FileSource, total: int | None, *, dry_run: bool) -> Published:
    with console.progress() as bar:
        task = bar.add_task("checking" if dry_run else "sending", total=total, rate="")

        def passing() -> Iterator[Outgoing]:
            for receipt in source:
                bar.advance(task)
                yield receipt

        if dry_run:
            receipts = lines = 0
            for receipt in passing():
                receipts += 1
                lines += receipt.lines
            return Published(receipts, lines, 0.0)
        return aio.run(publish(found, passing(), on_wait=console.note))


def _tell(sent: Published, faults: list[dict[str, Any]], refused: int, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        console.emit_json({"sent": 0 if dry_run else sent.receipts, "valid": sent.receipts, "refused": refused,
                           "faults": faults})  # fmt: skip
        return
    if faults:
        rows = [(fault["place"], fault["path"], fault["reason"]) for fault in faults[:_SHOWN]]
        console.table("would be refused again", ("place", "path", "reason"), rows)
        if refused > _SHOWN:
            console.note(f"and {refused - _SHOWN:,} more")
        console.note("hint: `tillstream rejected export FILE` writes them to a file to be mended")
    what = "would be sent" if dry_run else "sent"
    console.out.print(f"{what}: {sent.receipts:,} receipts" + (f"; not sent: {refused:,}" if refused else ""))


def _wanted(
    found: settings.Settings, reason: str | None, path: str | None, places: tuple[tuple[int, int], ...] = ()
) -> Wanted:
    return Wanted(found.topic_prefix + RECEIPTS, reason, path, places)


@contextmanager
def _clickhouse(found: settings.Settings) -> Iterator[Client]:
    with ch.answering(), ch.connect(found) as client:
        yield client


@contextmanager
def _output(file: Path) -> Iterator[Any]:
    if str(file) == "-":
        yield sys.stdout.buffer
        return
    try:
        with file.open("xb") as out:
            yield out
    except FileExistsError:
        raise Stop(f"{file} is there already.", "Name another: what was mended in it would be lost.") from None
    except OSError as fault:
        raise Stop(f"{file} cannot be written: {fault.strerror}.") from None
