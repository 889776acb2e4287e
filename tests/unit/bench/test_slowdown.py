"""The guard against slow-downs: what it must notice, what must not disturb it, and that nothing is slower now."""

import itertools

import pytest
from lib import slowdown


@pytest.fixture(scope="module")
def log():
    return slowdown.records()


def test_decode_fold_and_flush_are_as_fast_as_they_were(log):
    limits = slowdown.limits()
    found = slowdown.times_of_yardstick(slowdown.tasks(log), slowdown.yardstick(log), limits)
    slower = {name: took for name, took in found.items() if took > limits[name]}
    assert not slower, f"yardsticks; at most {limits}; `python bench/guard.py` tells the same"


@pytest.mark.parametrize("name", list(slowdown.USUAL))
def test_what_is_half_as_slow_again_is_noticed(log, name):
    """Of each task another half is done, with half of the receipts."""
    whole, half = slowdown.tasks(log)[name], slowdown.tasks(log[: len(log) // 2])[name]
    limits = {name: slowdown.limits()[name]}
    found = slowdown.times_of_yardstick(
        {name: lambda: whole() + half()}, slowdown.yardstick(log), limits, slowdown.FEWEST
    )
    assert found[name] > limits[name]


def test_a_turn_that_was_disturbed_does_not_count():
    disturbed = itertools.cycle([9.0, 2.0, 7.0])
    found = slowdown.times_of_yardstick({"fold": lambda: next(disturbed)}, lambda: 1.0, {"fold": 2.0})
    assert found == {"fold": 2.0}


def test_it_ends_as_soon_as_nothing_is_above_its_limit_and_goes_on_as_long_as_something_is():
    turns = []
    task = {"fold": lambda: turns.append(1) or 3.0}
    slowdown.times_of_yardstick(task, lambda: 1.0, {"fold": 3.0})
    assert len(turns) == slowdown.FEWEST
    turns.clear()
    slowdown.times_of_yardstick(task, lambda: 1.0, {"fold": 2.9}, slowdown.FEWEST + 7)
    assert len(turns) == slowdown.FEWEST + 7


def test_the_receipts_are_the_same_each_time():
    assert slowdown.records() == slowdown.records()
