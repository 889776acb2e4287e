"""What it costs a worker to watch shelves: its throughput with so many store-SKU pairs tracked, and with none.

    python bench/tracked.py [--pairs 100000] [--pick spread] [--lines 4000000] [--rounds 3] [--write] [--json]

The receipts are a synthetic chain's (lib/tills.py): 500 stores, 30,000 SKUs by Zipf's law, windows of 5 minutes. Every
pair that is tracked is counted before the first receipt, with stock for 7 to 28 days of what it sells, six units at
least: as on a shelf that somebody fills, few run low. `spread` picks pairs evenly among all that are sold; `best` takes
each store's best sellers. A worker that has opened all of them is stopped, the receipts are preloaded, it is started
again: the clock runs from its having read its feed until all is committed, and until restock has decided by all that it
was told.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from typing import Any

from lib import broker, machine, told, tracking
from lib.tills import Chain

from tillstream import console

HEAD = [
    "tracked", "share of lines", "lines/s", "of none", "from least to most", "until all is decided", "alerts",
    "CPU µs/line",
]  # fmt: skip


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Run all in alternation."""
    kind, load = given.broker or broker.best(), machine.load()
    with console.busy("making the chain's receipts"):
        course = tracking.Course.made(Chain(seed=given.seed), given.lines)
    names = ["none", *(given.pick or tracking.PICKS)]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with console.progress() as bar:
        task = bar.add_task("", total=given.rounds * len(names), rate="")
        for number in range(1, given.rounds + 1):
            for name in names:
                bar.update(task, description=f"round {number} of {given.rounds}: {name}")
                pairs = course.pick(name, given.pairs)
                run = asyncio.run(tracking.run(kind, given.partitions, course, pairs))
                runs[name].append(run)
                bar.console.print(f"round {number}: {name}: {run['lines'] / run['folded']:,.0f} lines/s")
                bar.advance(task)
    return {"machine": machine.machine(), "load_before": round(load, 1), "broker": broker.NAMES[kind],
            "partitions": given.partitions, "lines": course.lines, "rounds": given.rounds, "runs": runs}  # fmt: skip


def cells(found: dict[str, Any]) -> list[list[str]]:
    """A heading, and a row each."""
    rows = [HEAD]
    none = [run["lines"] / run["folded"] for run in found["runs"]["none"]]
    for name, runs in found["runs"].items():
        rates = [run["lines"] / run["folded"] for run in runs]
        ratios = [rate / other for rate, other in zip(rates, none, strict=True)]
        decided = [run["decided"] for run in found["runs"]["none"]]
        late = statistics.median(other / run["decided"] for run, other in zip(runs, decided, strict=True))
        rows.append([
            "none" if name == "none" else f"{runs[0]['tracked']:,}, {tracking.PICKS[name]}",
            f"{runs[0]['share']:.0%}",
            f"{statistics.median(rates):,.0f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{late:.2f}",
            f"{runs[0]['alerts']:,}",
            f"{statistics.median(run['cpu'] / run['lines'] for run in runs) * 1e6:.2f}",
        ])  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--pick", action="append", choices=list(tracking.PICKS), help="which pairs; each by default")
    parser.add_argument("--lines", type=int, default=4_000_000, help="of the chain, some 1.7 million a day")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measured(given)
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    said = (
        f"{found['lines']:,} lines of the synthetic chain, {found['rounds']} rounds in alternation, with "
        f"{found['broker']} on {found['machine']}, {found['partitions']} partitions. Ratios are of a round's runs; "
        f"the first is until all is folded, the second until all is decided by as well.{busy}"
    )
    told.tell(given, found, "tracked", "a worker that watches shelves", cells(found), said)


if __name__ == "__main__":
    main()
