"""One worker folds a synthetic chain while the tills go on sending, and is looked at all the while."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from lib import broker, feed, fetched, log, race, row_check
from lib.feed import Fed
from lib.program import Program
from lib.row_days import RowDays
from lib.samples import Sample
from lib.tills import Chain
from schemas import metrics, topics
from schemas.topics import MIB
from tillstream.local.launch import settings_environment
from tillstream.settings import Settings

# Seconds: each look costs the worker a millisecond or two.
LOOK = 0.25
WIDTH = timedelta(minutes=5)
_SILENCE = 120.0
_BENCH = str(Path(__file__).parents[1])
# So that 150 million lines do not fill the disk: what is folded goes, and the changelog is compacted now and then.
_INPUT_KEPT = {"retention.bytes": str(256 * MIB), "segment.bytes": str(32 * MIB)}
_CHANGELOG_KEPT = {"segment.bytes": str(64 * MIB)}
_BROKER = "log.retention.check.interval.ms=10000\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Folded:
    """A run: what was sent, what was seen, seconds until all was committed, and what was wrong with it.

    `broker_bytes` is what the broker's log took on the disk at the end.
    """

    fed: Fed
    samples: list[Sample]
    seconds: float
    broker_bytes: int
    rows: int
    differences: int


def run(
    kind: broker.Kind, partitions: int, chain: Chain, lines: int, told: Callable[[str, float, float], None]
) -> Folded:
    """Fold so many lines on a fresh broker and check all rows; `told` of the step, how far it is, and of how much."""
    with ExitStack() as stack:
        settings = stack.enter_context(broker.fresh_broker(WIDTH, kind, partitions, _BROKER if kind == "kafka" else ""))
        assert settings.data_dir is not None
        wanted, found = settings.data_dir.parent / "wanted", settings.data_dir.parent / "found"
        asyncio.run(log.create_topics(settings, kept=_kept(settings)))
        tills = stack.enter_context(_tills(settings, chain, lines, wanted))
        _until(lambda: tills.begun is not None, [tills], "The tills sent nothing.")
        worker = stack.enter_context(_worker(settings))
        samples = _watched(settings, worker, tills, lines, told)
        fed = _fed(tills)
        assert fed is not None
        ends = asyncio.run(race.ends_to_commit(settings))
        group = topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH)
        asyncio.run(race.until_committed(settings, group, [worker], ends))
        assert worker.begun is not None
        seconds = time.monotonic() - worker.begun
        samples.append(_look(settings, worker))
        broker_bytes = sum(file.stat().st_size for file in settings.data_dir.parent.glob("kafka/log/*/*"))
        # Looked at long before all rows are checked: what was seen must outlive a check that is cut short.
        fetched.CACHE.mkdir(exist_ok=True)
        (fetched.CACHE / "chain-samples.json").write_text(json.dumps(samples), "utf-8")
        results = asyncio.run(
            row_check.read_back(
                settings, RowDays(found), lambda rows: told("reading rows back", rows, fed.folded_lines)
            )
        )
        rows = differences = 0
        for _, many, wrong in row_check.wrong_rows(wanted, found):
            rows, differences = rows + many, differences + wrong
        differences += sum(
            abs(results.get(result, 0) - fed.results.get(result, 0)) for result in results.keys() | fed.results.keys()
        )
    return Folded(fed, samples, seconds, broker_bytes, rows, differences)


def _kept(settings: Settings) -> dict[str, dict[str, str]]:
    prefix = settings.topic_prefix
    return {
        prefix + topics.RECEIPTS: _INPUT_KEPT,
        topics.changelog_topic(prefix, topics.FIRST_EPOCH): _CHANGELOG_KEPT,
    }


def _tills(settings: Settings, chain: Chain, lines: int, rows: Path) -> Program:
    argv = [sys.executable, "-m", "lib.feed", str(lines), str(chain.lines_a_day), str(chain.seed), str(rows)]
    environment = {**settings_environment(settings), "PYTHONPATH": _BENCH}
    return Program(argv, environment, lambda line: line.strip() == feed.FULL)


def _worker(settings: Settings) -> Program:
    return Program(
        [sys.executable, "-m", "tillstream", "worker"], settings_environment(settings),
        lambda line: "folding partitions" in line and "none yet" not in line,
    )  # fmt: skip


def _watched(
    settings: Settings, worker: Program, tills: Program, lines: int, told: Callable[[str, float, float], None]
) -> list[Sample]:
    """Look at the worker until the tills have sent everything and it has folded all of that."""
    _until(lambda: worker.begun is not None, [worker, tills], "The worker got no partitions.")
    samples = [_look(settings, worker)]
    wanted: int | None = None
    moved = time.monotonic()
    while wanted is None or samples[-1].lines < wanted:
        time.sleep(LOOK)  # how often to look
        worker.check()
        if wanted is None and tills.ended() and (fed := _fed(tills)) is not None:
            wanted = fed.folded_lines + fed.late_lines
        sample = _look(settings, worker)
        if sample.lines > samples[-1].lines:
            moved = time.monotonic()
            samples.append(sample)
            told("folding", sample.lines, lines)
        elif time.monotonic() - moved > _SILENCE:
            raise SystemExit(f"Nothing was folded for {_SILENCE:.0f} s: {worker.last_words()}{tills.last_words()}")
    return samples


def _fed(tills: Program) -> Fed | None:
    """What the tills said at their end, once that has been read."""
    last = next((line for line in reversed(tills.said) if line.startswith("{")), None)
    return None if last is None else Fed(**json.loads(last))


def _until(true: Callable[[], bool], programs: list[Program], otherwise: str) -> None:
    deadline = time.monotonic() + _SILENCE
    while not true():
        for program in programs:
            if not program.ended():
                program.check()
        if time.monotonic() > deadline:
            raise SystemExit(f"{otherwise} {programs[0].last_words()}")
        time.sleep(race.POLL)  # output is listened to in a thread


def _look(settings: Settings, worker: Program) -> Sample:
    """The worker now, by its own metrics and by the system's figures."""
    with urllib.request.urlopen(f"http://{settings.metrics_bind}/metrics") as answer:
        text = answer.read().decode()
    cpu, memory, now = worker.cpu_seconds(), worker.memory(), time.time()
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            figures[one.name] = figures.get(one.name, 0) + one.value
    lag = figures.get(metrics.EVENT_LAG.name, 0)
    open_windows = int(figures.get(metrics.OPEN_WINDOWS.name, 0))
    return Sample(figures.get(metrics.LINES.name, 0), cpu, memory, open_windows, now - lag if lag else 0)
