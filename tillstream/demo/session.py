"""The demo from its first sentence to its last process: folder, signals, summary, clean end."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path

from tillstream import console
from tillstream.demo import addresses, summary
from tillstream.demo.run import Outcome, run
from tillstream.local.stack import Stack
from tillstream.settings import Settings

INTERRUPTED = 130
DIFFERENT = 1


class Session:
    """One demo; `serve` keeps everything running after the summary until SIGINT or SIGTERM."""

    def __init__(self, settings: Settings, limit: int | None, *, as_json: bool, serve: bool) -> None:
        self._limit = limit
        self._as_json = as_json
        self._serve = serve
        self._settings, self._addresses = addresses.choose(settings)

    async def run(self) -> int:
        """Run it; gives the exit code: 0 if all is equal. Raises Stop and Unavailable, and then keeps the logs."""
        asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        for one in self._addresses:
            if one.why:
                console.note(f"{one.usual} {one.why}, so the demo's {one.part} is at {one.host}:{one.port}")
        folder = Path(tempfile.mkdtemp(prefix="tillstream-demo-"))
        settings = self._settings.model_copy(update={"data_dir": folder})
        stack = Stack(settings, log_folder=folder / "logs", say=console.note, journal=False)
        failed = True
        try:
            code = await self._until(asked, stack)
            failed = code == DIFFERENT
        finally:
            await stack.stop()
            _clear(folder, keep_logs=failed)
        return code

    async def _until(self, asked: asyncio.Event, stack: Stack) -> int:
        work = asyncio.create_task(run(stack, self._limit))
        stop = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                console.note("stopping before the end")
                return INTERRUPTED
            outcome = work.result()
            self._show(outcome)
            if self._serve:
                await stack.while_alive(asked.wait())
                console.note("stopping")
            return DIFFERENT if outcome.report.different or outcome.restock.different else 0
        finally:
            for task in (work, stop):
                task.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)

    def _show(self, outcome: Outcome) -> None:
        if self._as_json:
            console.emit_json(summary.as_json(outcome, self._addresses))
        else:
            summary.print_summary(outcome, self._addresses, self._settings.max_alert_age, serving=self._serve)


def _clear(folder: Path, *, keep_logs: bool) -> None:
    """Remove the demo's folder; what the parts said stays where something went wrong."""
    logs = folder / "logs"
    if not (keep_logs and logs.is_dir()):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for entry in folder.iterdir():
        if entry != logs:
            shutil.rmtree(entry, ignore_errors=True)
    console.note(f"what the parts said is kept in {logs}")
