"""Compiles the kernel: `python kernel/build.py`.

By the compiler of the `ziglang` wheel, which comes from the package index as every other tool of this project does, so
that nobody needs a toolchain; where there is no such wheel, by `cc`. pip runs it when it installs tillstream
(hatch_build.py).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = ["items.c", "moves.c", "receipts.c", "records.c", "rows.c", "seen.c", "tell.c", "tombstones.c", "tracked.c"]
# One name everywhere: ctypes does not mind what a library is called.
LIBRARY = "tillstream_kernel.lib"
# Without contraction every machine rounds alike, so that a replay elsewhere decides the same.
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-shared", "-fPIC"]


def compiler() -> list[str]:
    """The command that compiles C."""
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return [os.environ.get("CC", "cc")]


def build() -> Path:
    """Compile beside the sources; a running process keeps the library that it has loaded."""
    if sys.byteorder != "little":
        raise SystemExit("The kernel reads numbers as little-endian machines hold them; this one is not.")
    target = HERE / LIBRARY
    with tempfile.TemporaryDirectory(dir=HERE) as work:
        made = Path(work) / LIBRARY
        try:
            subprocess.run(  # noqa: S603  # our own words
                [*compiler(), *FLAGS, "-o", str(made), *(str(HERE / source) for source in SOURCES), "-lm"],
                check=True,
            )
        except FileNotFoundError:
            raise SystemExit("No C compiler: install the ziglang package, or name one in CC.") from None
        made.replace(target)
    return target


if __name__ == "__main__":
    print(build())  # noqa: T201  # pip shows it with --verbose
