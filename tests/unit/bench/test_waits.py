"""From acknowledgements and looks to waits."""

from __future__ import annotations

import pytest
from lib.waits import waits

ACKNOWLEDGED = [(10.0, 0, 0), (10.5, 0, 1), (10.6, 1, 0), (12.0, 0, 2)]
SEEN = [(9.0, {}), (11.0, {0: 0}), (11.5, {0: 1, 1: 0}), (13.0, {0: 2, 1: 0})]


def test_a_wait_ends_with_the_first_look_that_found_the_offset_or_one_beyond_it():
    assert sorted(waits(ACKNOWLEDGED, SEEN, 0)) == pytest.approx([0.9, 1.0, 1.0, 1.0])


def test_what_was_acknowledged_while_all_warmed_up_is_left_out():
    assert list(waits(ACKNOWLEDGED, SEEN, 1.5)) == pytest.approx([1.0])
