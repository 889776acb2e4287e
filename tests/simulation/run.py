"""Many histories on several cores."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from tests.simulation.failures import Failure, look
from tests.simulation.histories import history
from tests.simulation.world import play


class Batch(NamedTuple):
    """What came of some histories: how many, which seeds failed, one failure in full, what happened in them."""

    histories: int
    failed: list[int]
    failure: Failure | None
    seen: Counter[str]


def run(seeds: range, *, shrink: bool = True) -> Batch:
    """Run the histories of some seeds; without `shrink` only to the first that fails."""
    failed: list[int] = []
    failure: Failure | None = None
    seen: Counter[str] = Counter()
    for done, seed in enumerate(seeds, 1):
        try:
            seen.update(play(history(seed)).seen)
        except Exception:  # noqa: BLE001  # `look` tells it
            failed.append(seed)
            if not shrink:
                return Batch(done, failed, None, seen)
            failure = failure or look(seed)
    return Batch(len(seeds), failed, failure, seen)


def run_all(histories: int, first: int, jobs: int, *, shrink: bool = True, size: int = 100) -> Iterator[Batch]:
    """Run so many histories from a seed on, in batches, on so many cores."""
    batches = [range(at, min(at + size, first + histories)) for at in range(first, first + histories, size)]
    one = partial(run, shrink=shrink)
    if jobs == 1:
        yield from map(one, batches)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(one, batches)
