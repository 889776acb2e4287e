"""`python -m tillstream.local.journal --broker host:port --folder PATH`: what `up` runs beside the embedded broker.

Fills the broker from the journal, removes the rows of what the journal has lost, lets clients in, and writes down what
they publish. Starts in the middle as well: a broker that holds more than the journal is one that ran on without it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from schemas.errors import Stop, Unavailable
from tillstream import aio, console, logs
from tillstream import settings as settings_module
from tillstream.local.journal.disk import Folder
from tillstream.local.journal.run import Journal
from tillstream.local.supervisor import UNMENDABLE


def main() -> int:
    """Run until SIGTERM; the exit code is 78 where starting it again is of no use."""
    parser = argparse.ArgumentParser(prog="python -m tillstream.local.journal")
    parser.add_argument("--broker", required=True, help="the broker's own address, host:port")
    parser.add_argument("--folder", required=True, type=Path, help="where the journal lies")
    parser.add_argument("--clickhouse", action="store_true", help="whether `up` runs ClickHouse too")
    given = parser.parse_args()
    logs.setup("journal")
    host, _, port = given.broker.rpartition(":")
    try:
        disk = _folder(given.folder)
        journal = Journal(settings_module.load(), (host, int(port)), disk, own_clickhouse=given.clickhouse)
        aio.run(_until_signal(journal))
    except Stop as stop:
        console.fail(stop.sentence, stop.hint)
        return UNMENDABLE
    except Unavailable as away:
        console.fail(str(away))
        return 1
    return 0


def _folder(path: Path) -> Folder:
    try:
        return Folder(path)
    except OSError as fault:
        raise Stop(
            f"{path} cannot be made: {fault.strerror or fault}.",
            "Choose another folder with TILLSTREAM_DATA_DIR or --data-dir.",
        ) from None


async def _until_signal(journal: Journal) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await journal.run(stop)


if __name__ == "__main__":
    sys.exit(main())
