"""What was seen of a worker along the way, and what it comes to."""

from __future__ import annotations

import pytest
from lib import samples
from lib.samples import Sample

MIB = 1024**2
# A line costs 2 µs in the first half and 3 µs in the second; a day of event time in 100 lines; memory flat from 500 on.
SEEN = [
    Sample(lines, (2 * min(lines, 500) + 3 * max(0, lines - 500)) * 1e-6, min(lines, 500) * MIB, min(lines, 500),
           1_000 + lines * 864)
    for lines in range(0, 1_001, 50)
]  # fmt: skip


def test_each_part_has_the_cost_of_its_own_lines():
    at, spent = samples.costs(SEEN, 4)
    assert at == [125, 375, 625, 875]
    assert spent == pytest.approx([2, 2, 3, 3])


def test_what_the_process_used_before_the_first_sample_is_no_cost_of_a_line():
    later = [one._replace(cpu_seconds=one.cpu_seconds + 100) for one in SEEN]
    assert samples.costs(later, 4)[1] == pytest.approx([2, 2, 3, 3])


def test_a_run_is_judged_by_its_tenths_and_by_memory_from_where_grace_has_passed():
    found = samples.course(SEEN, 5 * 86_400)
    assert found.microseconds_a_line == pytest.approx(2.5)
    assert found.spread == pytest.approx(0.5)
    assert (found.graced_lines, found.memory_then, found.memory_after) == (500, 500, 500)
    assert (found.most_memory, found.most_windows) == (500, 500)


def test_a_run_shorter_than_the_grace_says_nothing_of_what_comes_after():
    found = samples.course(SEEN, 50 * 86_400)
    assert (found.graced_lines, found.memory_then, found.memory_after) == (None, None, None)


def test_a_sample_without_event_time_is_no_beginning():
    unknown = SEEN[0]._replace(event_time=0)
    assert samples.course([unknown, *SEEN[1:]], 5 * 86_400).graced_lines == 550


def test_thinned_samples_keep_both_ends():
    kept = samples.thinned(SEEN, 5)
    assert (kept[0], kept[-1]) == (SEEN[0], SEEN[-1])
    assert len(kept) == 6


def test_two_last_samples_of_the_same_line_cost_what_the_later_one_says():
    flushed = SEEN[-1]._replace(cpu_seconds=SEEN[-1].cpu_seconds + 1e-4)
    assert samples.costs([*SEEN, flushed], 1)[1] == pytest.approx([2.6])
