"""Whether decode, fold and flush are as fast as they were, by CPU time against a loop of the same kind.

    python bench/guard.py [--json]

`make test` asks the same (tests/contract/test_speed.py). Ends with 1 where one of them takes more yardsticks than
`bench/lib/slowdown.py` allows.
"""

from __future__ import annotations

import argparse

from lib import machine, slowdown

from tillstream import console


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    log, limits = slowdown.records(), slowdown.limits()
    found = slowdown.times_of_yardstick(slowdown.tasks(log), slowdown.yardstick(log), limits)
    if given.json:
        console.emit_json({"machine": machine.machine(), "yardsticks": found, "limits": limits})
    else:
        rows = [
            (name, f"{took:.2f}", f"{slowdown.USUAL[name]:.2f}", f"{limits[name]:.2f}") for name, took in found.items()
        ]
        columns = ("what", "yardsticks", "usual", "at most")
        console.table("times of a plain reading of the same receipts", columns, rows, right=columns[1:])
    slower = [name for name, took in found.items() if took > limits[name]]
    if slower:
        raise SystemExit(f"Slower than it was: {', '.join(slower)}")


if __name__ == "__main__":
    main()
