"""Failpoints: named after what a flush does, refused where misspelt, and the end of the process where reached."""

import os
import signal

import pytest

from schemas.errors import Stop
from streams.failpoints import POINTS, armed, parse, point
from streams.flush import flush
from streams.fold import fold
from streams.state import PartitionState
from streams.tracking import Tracking
from streams.windows import Windows

from .world import MAX_SKEW, MINUTE, log_of, message

LOG = log_of([message("a", 0), message("b", 15), message("late", 1), b"{"])


def operations():
    """All that flushes can consist of: the second one removes a window that the first one's watermark closed.

    It is also told to restock, since the store tracks something by then.
    """
    state, tracking = PartitionState(1, 3, "me", Windows(5 * MINUTE, 10 * MINUTE)), Tracking(1, missed=False)
    tracking.begin()
    first = list(flush(state, fold(state, LOG[:2], "pos.receipts", MAX_SKEW, tracking), 0))
    tracking.track("12", "a", opened=False)
    return first, list(flush(state, fold(state, LOG[2:], "pos.receipts", MAX_SKEW, tracking), state.applied))


def test_the_points_are_the_operations_of_a_flush_in_their_order():
    first, second = operations()
    assert tuple(map(point, second)) == POINTS
    assert set(map(point, first)) < set(POINTS)


@pytest.mark.parametrize(
    "text", ["", "7", "send.3.state", "send.3.state:0", "send.3.state:-1", "fold:1", "commit.4:1 "]
)
def test_a_misspelt_failpoint_is_refused_with_those_that_there_are(text):
    with pytest.raises(Stop, match="names no failpoint") as stop:
        parse(text)
    assert "acknowledged.5" in stop.value.hint


def test_where_none_is_set_there_is_nothing_to_tell():
    assert armed({}) is None


def test_the_process_is_killed_at_the_operation_named_and_the_time_named(monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda *what: killed.append(what))
    performed = armed({"TILLSTREAM_FAILPOINT": "send.1.windows:2"})
    first, second = operations()
    for operation in [*first, *second[:2]]:
        performed(operation)
    assert killed == []
    performed(second[2])
    assert killed == [(os.getpid(), signal.SIGKILL)]
