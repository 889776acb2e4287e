"""Every epoch's rows in ClickHouse, as its views show them, against the oracle's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.simulation.clickhouse import MemoryClickHouse
from tests.simulation.oracle import Expected, Widths
from tests.simulation.receipts import Receipt

Meant = Sequence[Sequence[tuple[int, Receipt]]]


def expected_of(meant: Meant, widths: Widths) -> Expected:
    """What the oracle makes of every partition's receipts."""
    expected = Expected()
    for partition, log in enumerate(meant):
        expected.take(partition, log, widths)
    return expected


def differences(house: MemoryClickHouse, epoch: int, expected: Expected) -> Iterable[str]:
    """What differs in an epoch, one a sentence."""
    late = house.late_counted(epoch)
    yield from _different("sales", house.sales(epoch, late), expected.rows)
    yield from _different("receipt_counts", house.receipt_counts(epoch, late), expected.receipts)
    counts = {name: many for name, many in house.partition_counts(epoch).items() if many}
    yield from _different("partition_counts", counts, expected.counts)
    for name, rows, places in (
        ("late_lines", house.of("late_lines", epoch), expected.late),
        ("late_counted", late, expected.late_that_count),
        ("receipts", house.of("receipts", epoch), expected.ledger),
        ("rejected", house.of("rejected", epoch), expected.rejected),
    ):
        found = {(row["partition"], row["offset"]) for row in rows}
        if found != places:
            yield f"{name}: missing {sorted(places - found)}, too many {sorted(found - places)}"


def _different(name: str, found: dict, expected: dict) -> Iterable[str]:
    if found == expected:
        return
    for key in sorted({*found, *expected}, key=str):
        if found.get(key) != expected.get(key):
            yield f"{name} {' '.join(map(str, key))}: {_figures(found.get(key))}, not {_figures(expected.get(key))}"


def _figures(found: Any) -> str:
    return " ".join(map(str, found)) if isinstance(found, list) else str(found)
