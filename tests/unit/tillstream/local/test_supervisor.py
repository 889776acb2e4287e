"""Children of the supervisor: started again, stopped in order, never left behind. All of them are real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest

from schemas.errors import Stop
from tillstream.local import supervisor as module
from tillstream.local.supervisor import UNMENDABLE, Child, Supervisor, pause_after

LIMIT = 20


def child(name, code, tmp_path, *, patience=5.0, obituary=None):
    argv = [sys.executable, "-S", "-c", textwrap.dedent(code)]
    return Child(name, argv, dict(os.environ), patience, tmp_path / f"{name}.log", obituary)


async def says(tmp_path, name, text):
    """Return once the child has written the text."""
    log = tmp_path / f"{name}.log"
    await until(lambda: log.exists() and text in log.read_text())


async def until(holds):
    """Return once `holds()`: neither a file nor a log record has an event to wait for."""
    async with asyncio.timeout(LIMIT):
        while not holds():  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.01)


SERVES = """
    import signal, sys
    signal.signal(signal.SIGTERM, lambda *_: (print("ended", flush=True), sys.exit(0)))
    print("serves", flush=True)
    while True: signal.pause()
"""
DEAF = """
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("serves", flush=True)
    while True: signal.pause()
"""


async def test_a_child_that_ends_by_itself_is_started_again(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    ended, thrice = [], asyncio.Event()

    def on_end(pid):
        ended.append(pid)
        if len(ended) == 3:
            thrice.set()

    supervisor = Supervisor(on_end)
    await supervisor.start(child("worker", "raise SystemExit(3)", tmp_path))
    async with asyncio.timeout(LIMIT):
        await thrice.wait()
    await supervisor.stop([])
    assert len(set(ended[:3])) == 3
    assert "worker ended by itself (exit code 3); it starts again" in caplog.text
    assert not supervisor.failed.done()


async def test_a_killed_child_is_started_again_and_the_signal_is_named(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    again = asyncio.Event()
    supervisor = Supervisor(lambda _: again.set())
    await supervisor.start(child("sink", SERVES, tmp_path))
    await says(tmp_path, "sink", "serves")
    first = supervisor.pids()["sink"]
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(LIMIT):
        await again.wait()
    await says(tmp_path, "sink", "serves\nserves")
    # The child may speak before the supervisor has come to know its number.
    await until(lambda: supervisor.pids().get("sink", first) != first)
    assert "signal SIGKILL" in caplog.text
    await supervisor.stop([])


async def test_a_child_that_no_restart_mends_ends_everything_and_says_where_it_spoke(tmp_path):
    supervisor = Supervisor()
    await supervisor.start(child("worker", f"raise SystemExit({UNMENDABLE})", tmp_path))
    async with asyncio.timeout(LIMIT):
        stop = await supervisor.failed
    assert stop.sentence.startswith("The worker stopped, and starting it again is of no use")
    assert str(tmp_path / "worker.log") in stop.sentence
    assert supervisor.pids() == {}
    await supervisor.stop([])


async def test_a_child_with_an_obituary_is_not_started_again(tmp_path):
    supervisor = Supervisor()
    obituary = Stop("The broker ended.", "Start it again.")
    await supervisor.start(child("broker", "", tmp_path, obituary=obituary))
    async with asyncio.timeout(LIMIT):
        assert await supervisor.failed is obituary
    await supervisor.stop([])


@pytest.mark.parametrize(
    ("previous", "lived", "pause"),
    [
        (0.0, 0.0, 1.0),
        (1.0, 0.2, 2.0),
        (2.0, 59.9, 4.0),
        (16.0, 0.0, 30.0),
        (30.0, 0.0, 30.0),
        (30.0, 60.0, 1.0),  # it had settled: this is another story
    ],
)
def test_pauses_double_up_to_half_a_minute_until_the_child_settles(previous, lived, pause):
    assert pause_after(previous, lived) == pause


async def test_children_are_stopped_in_order_each_after_the_one_before_has_ended(tmp_path):
    ended = []
    supervisor = Supervisor(ended.append)
    for name in ("broker", "clickhouse", "worker"):
        await supervisor.start(child(name, SERVES, tmp_path))
        await says(tmp_path, name, "serves")
    pids = supervisor.pids()
    await supervisor.stop(["worker", "clickhouse"])
    assert ended == [pids["worker"], pids["clickhouse"], pids["broker"]]
    assert all((tmp_path / f"{name}.log").read_text() == "serves\nended\n" for name in pids)
    assert supervisor.pids() == {}


async def test_a_child_deaf_to_sigterm_is_killed_after_its_patience_and_that_is_said(tmp_path, caplog):
    supervisor = Supervisor()
    await supervisor.start(child("worker", DEAF, tmp_path, patience=0.1))
    await says(tmp_path, "worker", "serves")
    pid = supervisor.pids()["worker"]
    await supervisor.stop(["worker"])
    assert not psutil.pid_exists(pid)
    assert "worker did not stop within 0.1 s and is killed" in caplog.text


async def test_a_child_without_patience_is_killed_at_once_and_in_silence(tmp_path, caplog):
    supervisor = Supervisor()
    await supervisor.start(child("broker", SERVES, tmp_path, patience=0.0))
    await says(tmp_path, "broker", "serves")
    await supervisor.stop(["broker"])
    assert (tmp_path / "broker.log").read_text() == "serves\n"
    assert caplog.text == ""


async def test_nothing_is_started_again_while_everything_stops(tmp_path, caplog):
    supervisor = Supervisor()
    await supervisor.start(child("worker", "raise SystemExit(1)", tmp_path))
    await until(lambda: "ended by itself" in caplog.text)  # it waits for its pause now
    await supervisor.stop(["worker"])
    assert supervisor.pids() == {}
    assert not supervisor.failed.done()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of a parent's death")
def test_a_sigkill_of_the_parent_leaves_no_child_behind(tmp_path):
    parent = f"""
        import asyncio, os, pathlib, sys
        from tillstream.local.supervisor import Child, Supervisor
        async def main():
            supervisor = Supervisor()
            code = "import signal; signal.pause()"
            argv = [sys.executable, "-S", "-c", code]
            log = pathlib.Path({str(tmp_path / "log")!r})
            await supervisor.start(Child("worker", argv, dict(os.environ), 1.0, log))
            print(supervisor.pids()["worker"], flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
    """
    running = subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE, text=True)
    orphan = psutil.Process(int(running.stdout.readline()))
    running.kill()
    running.wait()
    running.stdout.close()
    gone, alive = psutil.wait_procs([orphan], timeout=LIMIT)
    assert not alive
    assert gone
