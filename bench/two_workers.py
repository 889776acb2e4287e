"""Two workers against one, with a sink that carries rows and ledger into ClickHouse beside them in both cases.

    python bench/two_workers.py [--rounds 5] [--limit RECEIPTS] [--write] [--json]

The demo's receipts lie in a fresh broker when workers and sink are started together. The clock starts when the first
worker has partitions. It is read twice: when the workers' group has committed everything, and when both of the sink's
groups have, all of it being in ClickHouse. Both workers join within the broker's first rebalance (on Apache Kafka with
its usual delay of 3 s), and all totals are compared with the receipts' own sum. What each role took of the processors
says what limits it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from typing import Any

from lib import broker, machine, side_by_side, told, totals

from tillstream import console
from tillstream.local import demo_data


def cells(found: dict[str, Any]) -> list[list[str]]:
    """A heading, and a row for one and for two workers."""
    roles = side_by_side.ROLES
    head = ["workers", "times one", "lines/s, median", "min to max", "lines/s into ClickHouse", "cores busy"]
    rows = [[*head, *(f"{role}, CPU s" for role in roles)]]
    one = found["runs"]["1"]
    for workers, runs in found["runs"].items():
        rates = [run["lines"] / run["seconds"] for run in runs]
        pairs = [run["lines"] / run["seconds"] * other["seconds"] / other["lines"]
                 for run, other in zip(runs, one, strict=False)]  # fmt: skip
        readable = statistics.median(run["lines"] / run["readable_seconds"] for run in runs)
        cpu = {role: statistics.median(run["cpu_seconds"][role] for run in runs) for role in roles}
        busy = statistics.median(run["busy"] for run in runs)
        times = f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        row = [workers, "1" if workers == "1" else times, f"{statistics.median(rates):,.0f}", spread]
        rows.append([*row, f"{readable:,.0f}", f"{busy:.0%}", *(f"{cpu[role]:.1f}" for role in roles)])
    return rows


def conditions(found: dict[str, Any]) -> str:
    """On what it was measured, how much, how often."""
    lines = found["runs"]["1"][0]["lines"]
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    return (
        f"Measured on {found['machine']}, with {found['broker']}, {lines:,} lines, {found['rounds']} round(s) in "
        f"alternation.{busy}"
    )


def measured(given: argparse.Namespace) -> dict[str, Any]:
    kind = given.broker or broker.best()
    load = machine.load()
    wanted = totals.expected(one.value for one in demo_data.receipts(given.limit))
    runs: dict[str, list[dict[str, Any]]] = {"1": [], "2": []}
    with console.progress() as bar:
        task = bar.add_task("", total=given.rounds * len(runs), rate="")
        for number in range(1, given.rounds + 1):
            for workers, found in runs.items():
                bar.update(task, description=f"round {number} of {given.rounds}: {workers} worker(s)")
                run = asyncio.run(side_by_side.run(kind, given.partitions, given.limit, int(workers), wanted))
                found.append(run)
                bar.console.print(f"round {number}: {workers} worker(s): {run['lines'] / run['seconds']:,.0f} lines/s")
                bar.advance(task)
    return {"machine": machine.machine(), "load_before": round(load, 1),
            "broker": broker.NAMES[kind], "partitions": given.partitions, "rounds": given.rounds,
            "runs": runs}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="receipts; all of the demo's by default")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measured(given)
    said = conditions(found)
    told.tell(given, found, "two workers", "two workers against one, the sink running in both", cells(found), said)


if __name__ == "__main__":
    main()
