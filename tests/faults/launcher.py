"""`python -m tests.faults.launcher worker`: tillstream with a shorter session, and with a clock that tells.

FAULTS_SESSION holds the seconds after which the broker gives up a worker that is silent. A killed worker blocks its
partitions for a session and a join, 18 s as it is deployed; what a crash does to the sums does not depend on it, so
that a suite of hundreds of kills need not wait.

Where FAULTS_FREEZE is set, a failpoint freezes the worker instead of killing it. Where FAULTS_CLOCK is set (see
clock.py), the process writes what its clock shows, once a second.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime

import faust

from streams import failpoints
from tillstream.cli import main

SESSION = "FAULTS_SESSION"


def shorten(seconds: float) -> None:
    """Have every Faust app of this process use a session of so many seconds."""
    build = faust.App.__init__

    def shorter(app, *args, **options):
        options["broker_session_timeout"] = seconds
        options["broker_heartbeat_interval"] = seconds / 6
        options["broker_rebalance_timeout"] = seconds * 2 / 3
        build(app, *args, **options)

    faust.App.__init__ = shorter


def tell() -> None:
    """Write what this process takes for the time."""
    while True:
        sys.stderr.write(f"clock {datetime.now(UTC):%Y-%m-%dT%H:%M:%S}\n")
        time.sleep(1)  # it tells once a second


if __name__ == "__main__":
    if SESSION in os.environ:
        shorten(float(os.environ[SESSION]))
    if "FAULTS_CLOCK" in os.environ:
        threading.Thread(target=tell, daemon=True).start()
    if "FAULTS_FREEZE" in os.environ:
        failpoints.SIGNAL = signal.SIGSTOP
    main()
