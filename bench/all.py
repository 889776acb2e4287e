"""Every benchmark, one after the other, the contest first: python bench/all.py, or make bench

    python bench/all.py [--only throughput --only decode …] [--write] [--json]

Each script of bench/ can be run alone and says in its --help what it measures. `--write` puts the results of those that
can into docs/; `--json` prints one document with what each found. One that fails does not keep the others from
running; the end is 1 then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tillstream import console

HERE = Path(__file__).parent
FIRST = "throughput"


def scripts() -> dict[str, Path]:
    """All of them by name, the contest first."""
    found = {script.stem: script for script in sorted(HERE.glob("*.py")) if script != Path(__file__)}
    found |= {script.parent.name: script for script in sorted(HERE.glob("*/run.py"))}
    return {FIRST: found.pop(FIRST), **found}


def writes(script: Path) -> bool:
    """Whether it can put its results into docs/."""
    files = [script] if script.parent == HERE else sorted(script.parent.glob("*.py"))
    return any('"--write"' in file.read_text("utf-8") for file in files)


def main() -> None:
    known = scripts()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(known), help="one of them only; repeat for more")
    parser.add_argument("--write", action="store_true", help="put results into docs/, where a script can")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found, failed = {}, []
    for name in given.only or known:
        console.err.print(f"[bold]bench/{name}.py")
        argv = [sys.executable, str(known[name])]
        if given.write and writes(known[name]):
            argv.append("--write")
        if given.json:
            argv.append("--json")
        done = subprocess.run(argv, stdout=subprocess.PIPE if given.json else None, text=True, check=False)
        if done.returncode:
            failed.append(name)
        if given.json:
            found[name] = json.loads(done.stdout) if done.stdout else None
    if given.json:
        console.emit_json(found)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
