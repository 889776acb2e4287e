"""Progress where there is no terminal: plain lines, few of them, and never an escape code."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tillstream import plain_progress
from tillstream.plain_progress import PlainProgress


@pytest.fixture
def told(monkeypatch):
    """(progress, what it has printed as lines, a clock to turn)."""
    clock = [0.0]
    monkeypatch.setattr(plain_progress.time, "monotonic", lambda: clock[0])
    text = io.StringIO()
    return PlainProgress(Console(file=text, width=40)), lambda: text.getvalue().splitlines(), clock


def test_a_short_task_says_only_how_it_ended(told):
    progress, lines, _ = told
    with progress:
        task = progress.add_task("receipts", total=1500, rate="")
        for _ in range(3):
            progress.advance(task, 500)
    assert lines() == ["receipts: 1,500 of 1,500"]


def test_a_long_task_says_a_line_every_few_seconds(told):
    """
    seconds  0    1    2    3    4    5    6    7    8    9    10
    advance  |    |    |    |    |    |    |    |    |    |    |
    said                               x                        x
    """
    progress, lines, clock = told
    task = progress.add_task("receipts", total=None, rate="")
    for second in range(11):
        clock[0] = float(second)
        progress.update(task, advance=1, rate=f"{second} lines/s")
    assert lines() == ["receipts: 6, 5 lines/s", "receipts: 11, 10 lines/s"]


def test_the_end_is_said_once(told):
    progress, lines, _ = told
    task = progress.add_task("receipts", total=1, rate="")
    progress.advance(task)
    progress.update(task, completed=1, rate="late")
    assert lines() == ["receipts: 1 of 1"]


def test_a_long_line_is_not_wrapped_and_bears_no_escape_codes(told):
    progress, lines, _ = told
    task = progress.add_task("a description that is wider than the console", total=1, rate="")
    progress.advance(task)
    assert len(lines()) == 1
    assert "\x1b" not in lines()[0]
