"""The fault suite's table, and its size: short in CI, full by `make faults`."""

from __future__ import annotations

import pytest

FAULTS = {
    "F1": "workers killed", "F2": "sink and ClickHouse killed", "F3": "killed between any two steps",
    "F4": "rebalances, stores in two partitions", "F5": "frozen workers", "F6": "replay from the first offset",
    "F7": "late, sent again, shuffled", "F8": "ClickHouse away under load", "F9": "Kafka killed and restarted",
    "F10": "disk full", "F11": "webhook receivers that fail", "F12": "malformed among good",
    "F13": "fuzzed requests and messages", "F14": "mutations", "F15": "embedded stack stopped and killed",
}  # fmt: skip
ROWS: dict[str, tuple[str, ...]] = {}


@pytest.fixture
def full(request):
    """Whether the suite runs at full size."""
    return request.config.getoption("--full")


@pytest.fixture
def table():
    """Gives a function that fills one row of the table."""

    def row(fault, injected, events, differences, recovered):
        ROWS[fault] = (f"{injected:,}", f"{events:,}", f"{differences:,}", recovered)

    return row


def pytest_terminal_summary(terminalreporter):
    if not ROWS:
        return
    terminalreporter.write_line("")
    head = ("fault", "", "injected", "events", "differences", "recovered in")
    rows = [(name, text, *ROWS.get(name, ("not yet", "", "", ""))) for name, text in FAULTS.items()]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        line = "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        terminalreporter.write_line(line.rstrip())
