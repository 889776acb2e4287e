"""The fault suite's table, and its size: short in CI, full by `make faults`.

A test fills its row before it asserts; of a test that fails earlier the row says only that. Rows travel with pytest's
reports, so that they arrive from xdist's workers as well.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FAULTS = {
    "F1": "workers killed", "F2": "sink and ClickHouse killed", "F3": "killed between any two steps",
    "F4": "rebalances, stores in two partitions", "F5": "frozen workers", "F6": "replay from the first offset",
    "F7": "late, sent again, shuffled", "F8": "ClickHouse away under load", "F9": "Kafka killed and restarted",
    "F10": "disk full", "F11": "webhook receivers that fail", "F12": "malformed among good",
    "F13": "fuzzed messages", "F14": "mutations", "F15": "embedded stack stopped and killed",
}  # fmt: skip
# Parts of faults that meet what tillstream does not have yet: an HTTP door.
NOT_YET = {"F13": ["fuzzed HTTP requests"], "F15": ["an HTTP producer"]}
ROWS: dict[str, list[list[str]]] = {}
OUTCOMES: dict[str, str] = {}


@pytest.fixture
def full(request):
    """Whether the suite runs at full size."""
    return request.config.getoption("--full")


@pytest.fixture
def at_length(full):
    """For tests that take minutes however small they are."""
    if not full:
        pytest.skip("takes minutes: run by make faults")


@pytest.fixture
def table(request):
    """Gives a function that fills one row of the table; `what` where a fault has several."""

    def row(fault, injected, events, differences, recovered, what=""):
        cells = [what or FAULTS[fault], f"{injected:,}", f"{events:,}", f"{differences:,}", recovered]
        request.node.user_properties.append((fault, cells))

    return row


def pytest_runtest_logreport(report):
    """Keep rows as they come; of a test that fails or is skipped before it had one, say that."""
    found = re.search(r"test_f0*(\d+)_\w+\.py", report.nodeid)
    if found is None:
        return
    fault = f"F{found[1]}"
    if report.failed or report.skipped:
        OUTCOMES[report.nodeid] = report.outcome
    if report.when != "teardown":
        return
    outcome = OUTCOMES.get(report.nodeid, "")
    rows = [list(cells) for name, cells in report.user_properties if name == fault]
    for row in rows or ([[report.nodeid.rpartition("::")[2], "", "", "", ""]] if outcome else []):
        row[-1] = outcome.upper() if outcome == "failed" else row[-1] or outcome
        ROWS.setdefault(fault, []).append(row)


def pytest_terminal_summary(terminalreporter):
    """Print the table: every fault, those without a test as well."""
    if not ROWS:
        return
    rows = []
    for fault, text in FAULTS.items():
        written = any(Path(__file__).parent.glob(f"test_f{int(fault[1:]):02}_*.py"))
        none = [[text, "not run" if written else "not yet", "", "", ""]]
        rows += [[fault, *row] for row in ROWS.get(fault, none)]
        rows += [[fault, part, "not yet", "", "", ""] for part in NOT_YET.get(fault, [])]
    head = ["fault", "", "injected", "events", "differences", "recovered in"]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    terminalreporter.write_line("")
    for row in [head, *rows]:
        line = "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        terminalreporter.write_line(line.rstrip())
