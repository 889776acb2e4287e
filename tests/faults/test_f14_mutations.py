"""F14: each rule that keeps the figures exact is taken away, and something sees it."""

from __future__ import annotations

import os

import pytest

from tests.faults.mutated import MUTATIONS, Edit
from tests.faults.mutations import apply, copied, passes_unmutated, prove_all

pytestmark = pytest.mark.timeout(7200)
SHORT, FULL = 1_000, 20_000


def test_f14_every_rule_taken_away_is_seen(full, table):
    """In short each mutation meets its scripted test, or histories where it has none; at full size both."""
    histories = FULL if full else SHORT
    assert passes_unmutated(MUTATIONS, 200) == []
    seen = list(prove_all(MUTATIONS, histories, os.cpu_count() or 1, thorough=full))
    unseen = [f"{one.mutation.name}: {', '.join(one.wrong)}" for one in seen if one.wrong]
    table("F14", len(seen), sum(one.histories for one in seen), len(unseen), "")
    assert unseen == []


def test_each_numbered_line_of_the_flush_has_a_mutation():
    assert {mutation.name[:7] for mutation in MUTATIONS} >= {f"flush {line}" for line in range(1, 6)}


def test_every_mutation_must_be_seen_by_something():
    assert all(mutation.simulation or mutation.scripted for mutation in MUTATIONS)


@pytest.mark.parametrize(
    ("text", "times"), [("a rule that is not there", 0), ("import", 2)], ids=["not there", "more than once"]
)
def test_an_edit_whose_text_is_not_there_exactly_once_fails_loudly(text, times):
    with copied() as root, pytest.raises(ValueError, match=r"streams/fold\.py has this \d+ times, not once") as fault:
        apply(root, Edit("streams/fold.py", text, ""))
    assert int(str(fault.value).split()[3]) >= times
