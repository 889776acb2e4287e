"""Looks, again and again, up to which offset of each partition totals can be read in SQL."""

from __future__ import annotations

import threading
import time

from tillstream import ch
from tillstream.settings import Settings

LOOK = 0.02
PATIENCE = 120.0
READABLE = "SELECT partition, max(version) FROM partition_results GROUP BY partition"


class Readable(threading.Thread):
    """`seen`: (moment, offsets by partition) of each look."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._over = threading.Event()
        self.seen: list[tuple[float, dict[int, int]]] = []

    def run(self) -> None:
        with ch.connect(self._settings) as client:
            while not self._over.wait(LOOK):
                found = dict(client.query(READABLE).result_rows)
                self.seen.append((time.monotonic(), found))

    def until(self, offsets: dict[int, int]) -> None:
        """Return once all of these can be read."""
        deadline = time.monotonic() + PATIENCE
        while not (self.seen and all(self.seen[-1][1].get(part, -1) >= at for part, at in offsets.items())):
            if time.monotonic() > deadline:
                raise SystemExit(f"The last receipts could not be read within {PATIENCE:.0f} s.")
            time.sleep(LOOK)

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()
