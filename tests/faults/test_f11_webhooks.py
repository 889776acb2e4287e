"""F11: receivers that fail, hang and reset; the sender is killed again and again, at any moment of all this."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time

import pytest
from aiohttp import web

from sinks.webhooks.ids import webhook_id
from tests.integration.webhooks import Receiver, fresh, publish, until_stand
from tests.unit.sinks.webhooks.samples import OTHER, SECRET

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]
NAMES = ("erp", "shop")


def failing(receiver, drawn):
    """Answers of which 30 % are no success: 5xx, 429, hangs, and resets after the request was read."""

    def answer(got, times):
        del got, times
        chance = drawn.random()
        if chance < 0.30:
            return web.Response(status=drawn.choice([500, 502, 503, 504, 429]))
        if chance < 0.31:
            return receiver.hangs()
        if chance < 0.34:
            return None
        return web.Response()

    return answer


def start(environment, settings, file, log):
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.webhook_sender"],
            env={**environment(settings), "TILLSTREAM_CONFIG": str(file)},
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def test_f11_failing_receivers_and_kills_of_the_sender_lose_no_webhook_and_mint_no_id(
    migrated, environment, full, table, tmp_path
):
    many, kills = (5_000, 50) if full else (200, 3)
    drawn = random.Random(11)
    settings = migrated.model_copy(update={"webhook_allow_private": True})
    file, log = tmp_path / "tillstream.toml", tmp_path / "sender.log"
    wanted = {
        webhook_id(f"a{number}", event, sequence, name)
        for number in range(many)
        for sequence, event in ((1, "restock.raised"), (2, "restock.resolved"))
        for name in NAMES
    }
    alerts = [
        fresh(number, sequence=sequence, state=state, store_id=f"s{number % 97}")
        for number in range(many)
        for sequence, state in ((1, "raised"), (2, "resolved"))
    ]

    async def run():
        async with Receiver(secrets=(SECRET, OTHER)) as first, Receiver(secrets=(SECRET, OTHER)) as second:
            receivers = (first, second)
            for receiver in receivers:
                receiver.answers = failing(receiver, drawn)
            file.write_text(
                "".join(
                    f'[[webhooks]]\nname = "{name}"\nurl = "{one.url}"\nsecret = ["{SECRET}", "{OTHER}"]\n'
                    f"concurrency = 16\n"
                    for name, one in zip(NAMES, receivers, strict=True)
                ),
                "utf-8",
            )
            process = start(environment, settings, file, log)
            try:
                loading = asyncio.create_task(load(settings, alerts, kills * 5))
                for _ in range(kills):
                    many_more = drawn.randrange(1, max(2, len(wanted) // (2 * kills + 2)))
                    await accepts(first, len(first.accepted) + many_more)
                    await asyncio.sleep(drawn.uniform(0, 0.05))  # the fault's own moment, by seed
                    process.kill()
                    process.wait()
                    process = start(environment, settings, file, log)
                await loading
                begun = time.monotonic()
                await until_stand(
                    settings,
                    lambda found: len(found) == len(wanted) and {one.state for one in found.values()} == {"delivered"},
                    seconds=1800,
                )
                return receivers, time.monotonic() - begun
            finally:
                process.kill()
                process.wait()

    receivers, took = asyncio.run(run())
    got = {one.id for receiver in receivers for one in receiver.got}
    accepted = {one.id for receiver in receivers for one in receiver.accepted}
    unsigned = sum(receiver.unsigned for receiver in receivers)
    misplaced = sum(out_of_order(receiver) for receiver in receivers)
    differences = len(wanted ^ accepted) + len(got - wanted) + unsigned + misplaced
    requests = sum(len(receiver.got) for receiver in receivers)
    table("F11", kills + requests - len(accepted), len(wanted), differences, f"{took:.1f} s")
    assert (len(wanted - accepted), len(got - wanted), unsigned, misplaced) == (0, 0, 0, 0)


async def load(settings, alerts, batches):
    """Publish in pieces, so that there is something to take in at every moment."""
    size = -(-len(alerts) // batches)
    for begin in range(0, len(alerts), size):
        await publish(settings, *alerts[begin : begin + size])


async def accepts(receiver, many):
    """Return once it has accepted so many, or everything has long come."""
    with contextlib.suppress(TimeoutError):
        await receiver.has(many, seconds=20)


def out_of_order(receiver):
    """How many times an alert's larger sequence came before its smaller one was accepted."""
    when = {}
    for got in receiver.accepted:
        when.setdefault(got.id, got.at)
    first = {
        got.body["data"]["alert_id"]: when.get(got.id) for got in receiver.got if got.body["data"]["sequence"] == 1
    }
    return sum(
        got.body["data"]["sequence"] == 2 and (first.get(got.body["data"]["alert_id"]) or got.at + 1) > got.at
        for got in receiver.got
    )
