"""Restock's decisions in a chain whose truth is known, against what shops do without them.

    python bench/restock/run.py [--seeds 101 --seeds 102 …] [--quick] [--write] [--json]

Customers, thieves, delays and goods left in the back are drawn from a seed, for every policy the same. What tillstream
decides from the messages it would see orders goods, as do a moving average of 28 days and Croston with the same
formula; lost sales are counted against what customers truly wanted, alerts against what truly stood on the shelf.

Constants of streams/restock were chosen on the training seeds; by default the test seeds are run (restock/course.py has
both). It takes some minutes; --quick takes seconds, and its figures say nothing. `--write` puts the tables and the
picture into docs/restock.md.
"""

from __future__ import annotations

import argparse
import math

from lib.progress import steps

from restock import course, report
from restock.chain import Size
from restock.course import TEST_SEEDS, TRAINING_SEEDS, USUAL, Plan
from tillstream import console

QUICK = Size(stores=2, skus=20, warm_days=21, days=28)
TITLES = {
    "policies": "lost sales at equal average stock",
    "silent": "alerts, where somebody goes and looks",
    "thresholds": "silent_shelf by threshold, nobody acting on it",
    "parts": "what each part of the estimate is worth",
    "silences": "how long until a silent shelf is suspected",
    "curves": "all points",
}


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, action="append", help=f"repeat for more; {TEST_SEEDS} by default")
    parser.add_argument("--training", action="store_true", help=f"the training seeds, {TRAINING_SEEDS}")
    parser.add_argument("--quick", action="store_true", help="a small chain, to see that it runs")
    parser.add_argument("--write", action="store_true", help="put the results into docs/restock.md, with a picture")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def plan_of(given: argparse.Namespace) -> Plan:
    """What is to be run."""
    seeds = tuple(given.seeds) if given.seeds else TRAINING_SEEDS if given.training else TEST_SEEDS
    if given.quick:
        return Plan(seeds[:1], QUICK, levels=(0.8, USUAL, 0.99), ours=(USUAL, 0.99))
    return Plan(seeds, Size())


def main() -> None:
    given = parsed()
    plan = plan_of(given)
    if given.write and (given.quick or given.training):
        raise SystemExit("Only what was measured on test seeds, at full size, goes into the document.")
    with steps(f"{len(plan.seeds)} seeds", plan.runs) as step:
        found = course.run(plan, step)
    assert all(math.isfinite(point.lost) for points in found.curves.values() for point in points)
    if given.write:
        report.write(plan, found)
    if given.json:
        console.emit_json(report.document(plan, found))
        return
    for name, (head, *rows) in report.tables(found).items():
        console.table(TITLES[name], head, rows, right=head[1:])
    console.out.print(report.conditions(plan, found), soft_wrap=True)
