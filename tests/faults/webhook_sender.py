"""`python -m tests.faults.webhook_sender`: the sender of the settings' endpoints, with the schedule in miniature.

What a crash does to the order of POST and record does not depend on how long the waits between attempts are.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace

from sinks.webhooks.run import run_webhook_sender
from tests.integration.webhooks import QUICK
from tillstream import aio, logs, settings
from tillstream.webhooks.config import sender_config


async def main() -> None:
    """Send until SIGTERM; says `ready` once the log has been read back."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def ready() -> None:
        sys.stderr.write("ready\n")
        sys.stderr.flush()

    # Of many thousands, some fail ten times by chance alone; here nothing is to be given up.
    patient = replace(QUICK, delays=QUICK.delays * 5)
    await run_webhook_sender(replace(sender_config(settings.load()), tuning=patient), stop, ready)


if __name__ == "__main__":
    logs.setup("webhooks")
    aio.run(main())
