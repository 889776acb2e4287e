"""The contest: one worker of ours against Kafka Streams, Flink, Quix and textbook Faust, in alternation.

    python bench/throughput.py [--rounds 5] [--only tillstream-1h --only quix …] [--write] [--json]

The job is the same for all: the demo's receipts (1,469,307 lines), preloaded into a fresh broker that is warm
(lib/warm.py), to totals per store, SKU and hour. The clock runs from having the partitions until the last offset of
each is committed, which is after whatever a contestant makes durable. All totals are then read back, each compared with
the receipts' own sum; a wrong one ends the contest with 1. Slow ones (textbook Faust) get the first 100,000 lines.

Peers' libraries are fetched into .bench and .kafka, once. Those in Java are left out where it is missing, and the
embedded broker is used instead of Apache Kafka. `--write` puts the results into docs/; `--from .bench/throughput.json`
shows, or writes, what was measured before.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib import broker, entries, fetched, figures, machine, outcome, rounds

from tillstream import console

KEPT = fetched.CACHE / "throughput.json"


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=list(entries.MAKERS), help="who takes part; all by default")
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--limit", type=int, help="receipts; all of the demo's by default")
    parser.add_argument("--slow-lines", type=int, default=100_000, help="lines for slow contestants")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="results kept from an earlier run")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md, with a chart")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Run the contest; what it found is kept after each run, as JSON."""
    present, absent = entries.entries(given.only)
    for sentence in absent:
        console.err.print(sentence)
    if not present:
        raise SystemExit("Nobody is left who can take part.")
    kind = given.broker or broker.best()
    slow = rounds.receipts_of(given.slow_lines)
    course = rounds.Course(kind, given.partitions, given.limit, slow if given.limit is None else min(slow, given.limit))
    console.err.print(f"On {broker.NAMES[kind]}, {given.partitions} partitions, a fresh one for each run.")
    load = machine.load()

    def document(runs: rounds.Runs) -> dict[str, Any]:
        return outcome.document(runs, course, datetime.now(UTC), load)

    def keep(runs: rounds.Runs) -> None:
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(document(runs), indent=2), "utf-8")

    return document(rounds.alternate(present, course, given.rounds, keep))


def main() -> None:
    given = parsed()
    found = json.loads(given.earlier.read_text("utf-8")) if given.earlier else measured(given)
    results = figures.results(outcome.runs_of(found), outcome.RIVALS)
    if given.write:
        outcome.write(found, results)
    if given.json:
        console.emit_json(found)
    else:
        outcome.show(found, results)
    wrong = [result.name for result in results if result.differences]
    if wrong:
        raise SystemExit(f"Wrong totals: {', '.join(wrong)}")
    sys.exit(0)


if __name__ == "__main__":
    main()
