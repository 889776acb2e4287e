"""Cost of a line and memory of one worker, from 1.5 million to 150 million lines of a synthetic chain.

    python bench/chain.py [--lines 1500000 --lines 15000000 --lines 150000000] [--days 90] [--write] [--json]

500 stores of different size, open for 14 hours a day, sell 30,000 SKUs by Zipf's law: 150 million lines in 90 days, of
which the first so many are folded (with --days so many lines are spread over that many days instead). Receipts arrive a
little out of order, some after days of a till being offline, some twice, a few too late. A process of its own publishes
them, never more than some seconds ahead of the worker, to a fresh broker that keeps no more of them than it must.

The worker's CPU time is counted from having its partitions until all is committed. Every row that it wrote is then
read back and compared with an exact count made by the tills, and so are the messages by result; a wrong one ends the
benchmark with 1. Each run is kept in .bench/chain.json, by its number of lines; `--write` puts those that are kept into
docs/performance.md, with a chart of the longest; `--from FILE` measures nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib import broker, chain_chart, fetched, folding, machine, page, render
from lib import samples as seen
from lib.samples import Course, Sample
from lib.tills import DAYS, LINES_A_DAY, Chain

from tillstream import console
from tillstream.settings import Settings

KEPT = fetched.CACHE / "chain.json"
PICTURE = page.PAGE.parent / "chain.svg"
LINES = (1_500_000, 15_000_000)
SAMPLES_KEPT, SAMPLES_ENOUGH = 400, 100
GRACE = Settings().grace
HEAD = [
    "lines", "of the first", "CPU µs a line", "its tenths, least to most", "lines/s", "days of the chain",
    "most open windows", "MiB when windows begin to close", "most MiB", "rows compared", "wrong",
]  # fmt: skip


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, action="append", help="how many; repeat for more; 1.5 and 15 million")
    parser.add_argument("--days", type=float, help=f"spread the lines over so many; the chain itself has {DAYS}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="results kept from an earlier run")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md, with a chart")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def measured(given: argparse.Namespace, lines: int) -> dict[str, Any]:
    """One run, as it is kept."""
    kind, load = given.broker or broker.best(), machine.load()
    chain = Chain(lines / given.days if given.days else LINES_A_DAY, given.seed)
    with console.progress() as bar:
        tasks: dict[str, Any] = {}

        def told(step: str, done: float, whole: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(f"{lines:,} lines: {step}", total=whole, rate="")
            bar.update(tasks[step], completed=min(done, whole))

        ran = folding.run(kind, given.partitions, chain, lines, told)
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine.machine(),
        "load_before": round(load, 1),
        "broker": broker.NAMES[kind],
        "partitions": given.partitions,
        "lines_a_day": chain.lines_a_day,
        "fed": dataclasses.asdict(ran.fed),
        "seconds": ran.seconds,
        "broker_bytes": ran.broker_bytes,
        "rows": ran.rows,
        "differences": ran.differences,
        "samples": seen.thinned(ran.samples, SAMPLES_KEPT),
    }


def course_of(run: dict[str, Any]) -> Course:
    """What a kept run's samples come to."""
    return seen.course([Sample(*one) for one in run["samples"]], (GRACE + folding.WIDTH).total_seconds())


def cells(runs: list[dict[str, Any]]) -> list[list[str]]:
    """A heading, and a row a run."""
    courses = [course_of(run) for run in runs]
    return [HEAD, *(_row(run, course, courses[0]) for run, course in zip(runs, courses, strict=True))]


def _row(run: dict[str, Any], course: Course, first: Course) -> list[str]:
    return [
        f"{run['fed']['lines']:,}",
        f"{course.microseconds_a_line / first.microseconds_a_line:.2f}",
        f"{course.microseconds_a_line:.2f}",
        # A tenth of a short run is one or two looks.
        f"{min(course.tenths):.2f} to {max(course.tenths):.2f}" if len(run["samples"]) >= SAMPLES_ENOUGH else "—",
        f"{run['fed']['lines'] / run['seconds']:,.0f}",
        f"{run['fed']['lines'] / run['lines_a_day']:.1f}",
        f"{course.most_windows:,}",
        "—" if course.memory_then is None else f"{course.memory_then:,.0f}",
        f"{course.most_memory:,.0f}",
        f"{run['rows']:,}",
        f"{run['differences']:,}",
    ]


def conditions(runs: list[dict[str, Any]]) -> str:
    """When and on what."""
    last = runs[-1]
    busy = max(run["load_before"] for run in runs)
    return (
        f"Measured {last['measured']} on {last['machine']}, with {last['broker']} and the tills on the same cores, "
        f"{last['partitions']} partitions, windows of 5 minutes, a grace of {GRACE.days} days."
        + (f" Other work had the machine as well (load {busy})." if busy > 1 else "")
    )


def write(runs: list[dict[str, Any]]) -> None:
    """The table between its marks in docs/performance.md, and the chart beside it."""
    longest = runs[-1]
    samples = [Sample(*one) for one in longest["samples"]]
    chain_chart.draw(samples, course_of(longest), GRACE.days, PICTURE)
    table = render.markdown(cells(runs))
    page.write("chain", f"{table}\n\n{conditions(runs)}\n\n![CPU of a line, and memory]({PICTURE.name})")


def main() -> None:
    given = parsed()
    file = given.earlier or KEPT
    kept: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if not given.earlier:
        KEPT.parent.mkdir(exist_ok=True)
        for lines in given.lines or LINES:
            kept[f"{lines}" + (f" in {given.days:g} days" if given.days else "")] = measured(given, lines)
            KEPT.write_text(json.dumps(kept, indent=1), "utf-8")
    runs = sorted(kept.values(), key=lambda run: (run["fed"]["lines"], run["lines_a_day"]))
    if given.write:
        write(runs)
    if given.json:
        console.emit_json(kept)
    else:
        head, *rows = cells(runs)
        console.table("one worker along a synthetic chain", head, rows, right=head)
        console.out.print(conditions(runs), soft_wrap=True)
    if any(run["differences"] for run in runs):
        raise SystemExit("Rows are wrong.")


if __name__ == "__main__":
    main()
