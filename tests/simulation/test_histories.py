"""2,000 seeded histories in each run of the tests; `make simulate` runs 100,000."""

import pytest

from streams.chunk_read import ChunkRead
from tests.simulation.failures import Failure, fault_of, look, shrunk
from tests.simulation.histories import history
from tests.simulation.run import run

HISTORIES, PARTS = 2_000, 4
# Whatever the rules are for must have happened, or the histories prove nothing about it.
MUST_HAPPEN = {
    "receipts", "commits", "crashes with sends under way", "rebalances", "freezes", "sends of frozen workers landed",
    "compactions", "replays with state", "replays without state", "changelogs cut", "sinks killed", "ClickHouse away",
    "rebuilds", "switches", "epochs removed", "folded", "duplicate", "late", "rejected", "ignored", "late that count",
    "tombstones", "restored ahead of its PartitionRecord",
}  # fmt: skip


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_befalls_workers_kafka_and_sinks_the_rows_are_those_of_one_pass(part):
    done = run(range(part * HISTORIES // PARTS, (part + 1) * HISTORIES // PARTS))
    assert not done.failed, done.failure.text()
    assert {name for name in MUST_HAPPEN if not done.seen[name]} == set()


def test_a_seed_gives_the_same_history_and_the_same_story_each_time():
    stories = [[], []]
    for story in stories:
        assert fault_of(history(7), story) is None
    assert stories[0] == stories[1]
    assert history(7) == history(7) != history(8)


def test_any_event_can_be_left_out():
    for seed in range(3):
        found = history(seed)
        for at in range(len(found.events)):
            assert fault_of(found._replace(events=[*found.events[:at], *found.events[at + 1 :]])) is None


def test_a_failing_history_is_shrunk_and_told_with_the_command_that_repeats_it(monkeypatch):
    """A fold that takes every receipt for one of another id."""
    monkeypatch.setattr(ChunkRead, "is_known", lambda *_: False)
    failure = next(filter(None, map(look, range(50))))
    assert isinstance(failure, Failure)
    assert len(failure.events) <= 4 < failure.drawn
    assert fault_of(history(failure.seed)._replace(events=failure.events)) is not None
    text = failure.text()
    assert f"python -m tests.simulation --histories 1 --seed {failure.seed}" in text
    assert "sale t" in text


def test_shrinking_leaves_what_is_needed_and_no_more():
    assert shrunk([(str(n),) for n in range(40)], lambda left: {("3",), ("31",)} <= set(left)) == [("3",), ("31",)]
