"""`tillstream webhook test|log|replay|listen`: try endpoints, see what became of webhooks, have them sent again."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets as random_secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError

from schemas.errors import Stop, Unavailable
from tillstream import aio, ch, console, settings
from tillstream.settings import LOOPBACK, Settings
from tillstream.webhook_settings import SECRET_PREFIX, check_secret, read_secrets

_HELP = """
Try webhook endpoints, see what became of webhooks, and have them sent again.

Examples:

  tillstream webhook listen

  tillstream webhook test

  tillstream webhook log --state failed

  tillstream webhook replay
"""
_TEST = """
Send a restock.test to each endpoint, or to one, and print what came back. An endpoint that was disabled, and answers,
is enabled again.

Ends with 1 if one of them did not take it.

Examples:

  tillstream webhook test

  tillstream webhook test erp --json
"""
_LOG = """
Show the newest webhooks and what became of them, and endpoints that fail or are disabled.

Examples:

  tillstream webhook log

  tillstream webhook log --endpoint erp --state failed --limit 100

  tillstream webhook log --json
"""
_REPLAY = """
Have webhooks sent again under the ids that they have: those that failed or found their endpoint disabled, or those
that are named. A running `tillstream sink` sends them; a receiver that keeps ids sees that it knows them. What failed
can be sent again for 14 days, what was delivered for TILLSTREAM_MAX_ALERT_AGE.

Examples:

  tillstream webhook replay

  tillstream webhook replay --endpoint erp

  tillstream webhook replay msg_0e84f47a0049c3060591b7b9260aeaf1
"""
_LISTEN = """
Receive webhooks on this machine: verify each, print it, and answer.

The secrets are those of the endpoints in tillstream.toml, or of a file; without any, one is made up and told.
--status answers so, to see how a failure is tried again.

Examples:

  tillstream webhook listen

  tillstream webhook listen --port 9800 --status 503

  tillstream webhook listen --secret-file secret.txt --count 1 --json
"""
_JSON = typer.Option("--json", help="Print as JSON.")
_ENDPOINT = typer.Option("--endpoint", help="Only those of this endpoint.")
_STATES = ("pending", "requested", "delivered", "failed", "expired", "disabled")
_NEW_SECRET_BYTES = 32


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="webhook", help=_HELP, no_args_is_help=True)
    group.command(name="test", help=_TEST)(try_endpoints)
    group.command(name="log", help=_LOG)(log)
    group.command(name="replay", help=_REPLAY)(replay)
    group.command(name="listen", help=_LISTEN)(listen)
    app.add_typer(group)


def try_endpoints(
    name: Annotated[str | None, typer.Argument(metavar="[ENDPOINT]", help="Its name; all by default.")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Send tests, and print what came back."""
    from tillstream.webhooks.trial import named, try_out

    found = settings.load()
    tried = aio.run(try_out(found, named(found, name)))
    failed = [one for one in tried if not one.outcome.success]
    if as_json:
        console.emit_json(
            [
                {"endpoint": one.endpoint, "webhook_id": one.webhook_id, "delivered": one.outcome.success,
                 "status": one.outcome.status or None, "reason": one.outcome.reason,
                 "milliseconds": round(one.outcome.took * 1000, 1), "answer": one.outcome.answer}
                for one in tried
            ]
        )  # fmt: skip
    else:
        rows = [
            (one.endpoint, "delivered" if one.outcome.success else "failed", one.outcome.status or "",
             f"{one.outcome.took * 1000:.0f} ms", one.outcome.reason or one.outcome.answer)
            for one in tried
        ]  # fmt: skip
        console.table("tests", ("endpoint", "result", "status", "took", "what came back"), rows, right=("took",))
    if any(one.enabled is None for one in tried):
        console.note("Kafka does not answer: an endpoint that was disabled stays so until a test with Kafka")
    raise typer.Exit(1 if failed else 0)


def log(
    endpoint: Annotated[str | None, _ENDPOINT] = None,
    state: Annotated[str | None, typer.Option("--state", help=f"Only those that are {', '.join(_STATES)}.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many of the newest to show.")] = 20,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Print the newest deliveries."""
    from tillstream.webhooks import history

    if state is not None and state not in _STATES:
        raise Stop(f"No webhook is {state}.", f"It is one of {', '.join(_STATES)}.")
    with ch.answering(), ch.connect(settings.load()) as client:
        found = history.deliveries(client, endpoint, state, limit)
        endpoints = history.endpoints(client)
    if as_json:
        console.emit_json({"deliveries": found, "endpoints": endpoints})
        return
    if found:
        names = ("webhook_id", "endpoint", "type", "state", "attempt", "reason", "at", "next_at", "store_id", "sku")
        rows = [[_shown(one[name]) for name in names] for one in found]
        titles = ("id", "endpoint", "type", "state", "attempts", "reason", "at", "next at", "store", "sku")
        console.table("webhooks", titles, rows, right=("attempts",))
    else:
        console.out.print("no webhooks" + (" of that kind" if endpoint or state else ""))
    for one in endpoints:
        if one["state"] != "ok":
            console.note(f"endpoint {one['endpoint']} is {one['state']} since {_shown(one['since'])}: {one['reason']}")


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids; all that failed by default.")] = None,
    endpoint: Annotated[str | None, _ENDPOINT] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Ask the sender to send webhooks again."""
    from tillstream.webhooks.repeat import repeat

    try:
        asked, noted = aio.run(repeat(settings.load(), ids or (), endpoint))
    except KafkaError as fault:
        raise Unavailable("Kafka", type(fault).__name__) from None
    disabled = sorted(
        {one.endpoint for one in asked}
        & {state.endpoint for state in noted.endpoints.values() if state.state == "disabled"}
    )
    if as_json:
        console.emit_json({"requested": [one.webhook_id for one in asked], "disabled_endpoints": disabled})
    else:
        console.out.print(f"asked for {len(asked):,} webhooks to be sent again; `tillstream webhook log` shows them")
    for name in disabled:
        console.note(f"endpoint {name} is disabled: run `tillstream webhook test {name}` first, then this again")


def listen(
    host: Annotated[str, typer.Option("--host", help="Address to listen on; loopback only.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 9800,
    status: Annotated[int, typer.Option("--status", min=200, max=599, help="What to answer to a valid one.")] = 204,
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="Secrets, one a line, instead of those in tillstream.toml.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many; 0: never.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each as a line of JSON.")] = False,
) -> None:
    """Receive webhooks until Ctrl-C, or until so many have come."""
    if host not in LOOPBACK:
        raise Stop(f"--host {host} is not this machine alone.", "Use 127.0.0.1; a real receiver is your own program.")
    given = _secrets(settings.load(), secret_file)
    made_up = not given
    if made_up:
        given = [SECRET_PREFIX + base64.b64encode(random_secrets.token_bytes(_NEW_SECRET_BYTES)).decode()]
    asyncio.run(_listen(host, port, status, given, count, as_json=as_json, made_up=made_up))


async def _listen(
    host: str, port: int, status: int, given: Sequence[str], count: int, *, as_json: bool, made_up: bool
) -> None:
    from tillstream.webhooks.receiver import Receiver

    receiver = Receiver(given, status, _print_json if as_json else _print_line)
    async with receiver.listening(host, port) as taken:
        url = f"http://{f'[{host}]' if ':' in host else host}:{taken}/"
        console.note(f"listening at {url}, answering {status}; Ctrl-C ends it")
        if made_up:
            console.note(f'put this into tillstream.toml:\n\n[[webhooks]]\nurl = "{url}"\nsecret = "{given[0]}"\n')
        console.note("the sender reaches this machine's own addresses with TILLSTREAM_WEBHOOK_ALLOW_PRIVATE=true only")
        while not count or receiver.received < count:
            receiver.news.clear()
            await receiver.news.wait()


def _secrets(found: Settings, file: Path | None) -> list[str]:
    """The secrets of a file, or of all endpoints; raises Stop."""
    if file is None:
        return list(dict.fromkeys(secret for one in found.webhooks for secret in one.secrets))
    try:
        given = read_secrets(file)
        for secret in given:
            check_secret(secret)
    except ValueError as fault:
        raise Stop(f"--secret-file: {fault}.") from None
    return given


def _print_json(webhook: dict[str, Any]) -> None:
    moment = webhook["received_at"].isoformat().replace("+00:00", "Z")
    sys.stdout.write(json.dumps({**webhook, "received_at": moment}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _print_line(webhook: dict[str, Any]) -> None:
    data = webhook["data"] if isinstance(webhook["data"], dict) else {}
    told = [data.get(name) for name in ("alert_id", "rule", "severity", "store_id", "sku", "sequence")]
    parts = [
        f"{webhook['received_at']:%H:%M:%S}",
        "verified" if webhook["verified"] else f"NOT VERIFIED ({webhook['reason']})",
        f"{webhook['answered']}", webhook["webhook_id"], webhook["type"], *told,
    ]  # fmt: skip
    console.out.print(
        console.printable("  ".join(str(part) for part in parts if part is not None)), markup=False, soft_wrap=True
    )


def _shown(value: object) -> str:
    return "" if value is None else str(value).replace("+00:00", "Z")
