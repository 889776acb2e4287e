"""A restore that did not read its changelog whole ends the worker; one that did hands the states over."""

from types import SimpleNamespace

import pytest
from faust.types import TP

from schemas.errors import Again
from streams.app import WorkerConfig, make_app
from streams.chunks import AFTER_SEEK, UNKNOWN, Chunk
from streams.flush import Send
from streams.windows import Windows

from .world import MINUTE, Sent, Worker, log_of, message

WINDOWS = Windows(5 * MINUTE, 10 * MINUTE)
CHANGELOG = TP("tillstream-worker-e1-state-changelog", 0)


@pytest.fixture
async def table():
    app = make_app(WorkerConfig("kafka://127.0.0.1:9", "", 1, 2, WINDOWS.width, WINDOWS.grace, 0))
    app.finalize()
    [found] = app.tables.values()
    found.handed = []
    found.crashes = []

    found.written_since = []

    async def take(states, revokes):
        found.handed.append((states, revokes))

    async def rest(offsets):
        return {part: [one for one in found.written_since if one.offset >= at] for part, at in offsets.items()}

    async def crash(fault):
        found.crashes.append(fault)

    app.crash = crash
    found.setup(1, WINDOWS, lambda: 7, rest, take)
    found._revokes = 7
    return found


def changelog():
    """What a worker leaves that folded three receipts one by one: a window's record and the partition's of each."""
    sent = Sent()
    worker = Worker(log_of([message(f"t{at}", at) for at in range(3)]), sent, WINDOWS, "old")
    for operation in worker.operations(1):
        if isinstance(operation, Send):
            sent.take(operation)
    return [SimpleNamespace(offset=at, key=key, value=value) for at, (key, value) in enumerate(sent.changelog)]


def events(*parts):
    """Chunks of the changelog, each (follows, records)."""
    return [SimpleNamespace(value=Chunk(CHANGELOG, list(part), follows, 1)) for follows, part in parts]


async def completed(table, end):
    table.app.tables.recovery.active_highwaters[CHANGELOG] = end
    await table.on_recovery_completed({CHANGELOG}, set())


async def test_tables_are_there_for_the_group_without_a_pause(table, monkeypatch):
    """Faust's own wait for a second before they are, while whatever a dead worker left stands still."""
    app = table.app
    app.consumer = SimpleNamespace(assignment=set, pause_partitions=lambda _: None)

    async def pauses(seconds):
        raise AssertionError(f"it waits for {seconds} s")

    monkeypatch.setattr(app.tables, "sleep", pauses)
    await app.tables.on_start()
    try:
        assert app.tables._tables_registered.is_set()
        assert app.tables.recovery.started
    finally:
        await app.tables.recovery.stop()
        await table.stop()


async def test_a_changelog_read_whole_is_handed_over(table):
    found = changelog()
    table.apply_changelog_batch(events((AFTER_SEEK, found[:4]), (3, found[4:])))
    await completed(table, end=5)
    [([state], revokes)] = table.handed
    assert (state.applied, state.partition, state.epoch, state.counts["folded"]) == (2, 0, 1, 3)
    assert state.owner != "old"
    assert table.crashes == []
    assert revokes == 7


async def test_an_empty_changelog_is_an_empty_state(table):
    await completed(table, end=-1)
    [([state], _)] = table.handed
    assert (state.applied, state.stores) == (-1, {})


async def test_every_restore_draws_another_owner(table):
    for _ in range(2):
        await completed(table, end=-1)
    owners = {states[0].owner for states, _ in table.handed}
    assert len(owners) == 2


async def test_what_was_written_while_the_changelog_was_read_is_read_too(table):
    """Faust reads to the end that it found at first, 3; by then the end is 5."""
    found = changelog()
    table.apply_changelog_batch(events((AFTER_SEEK, found[:4])))
    table.written_since = found
    await completed(table, end=3)
    [([state], _)] = table.handed
    assert (state.applied, state.counts["folded"]) == (2, 3)


async def test_partitions_that_are_revoked_while_the_rest_is_read_are_left_to_the_next_restore(table):
    async def rest(_):
        table._count_revokes = lambda: 8
        table._forget()
        return {0: []}

    table._read_on = rest
    table.apply_changelog_batch(events((AFTER_SEEK, changelog())))
    await completed(table, end=5)
    assert (table.handed, table.crashes) == ([], [])


@pytest.mark.parametrize("follows", [UNKNOWN, 4, AFTER_SEEK])
async def test_a_hole_in_the_changelog_makes_the_worker_begin_anew(table, follows):
    found = changelog()
    table.apply_changelog_batch(events((AFTER_SEEK, found[:4]), (follows, found[5:])))
    await completed(table, end=5)
    assert table.handed == []
    [again] = table.crashes
    assert isinstance(again, Again)
    assert "partition 0 was not read whole" in again.sentence


async def test_a_changelog_that_does_not_begin_after_a_seek_makes_it_begin_anew(table):
    table.apply_changelog_batch(events((UNKNOWN, changelog())))
    await completed(table, end=5)
    assert isinstance(table.crashes[0], Again)


async def test_a_restore_that_did_not_reach_the_end_makes_the_worker_begin_anew(table):
    table.apply_changelog_batch(events((AFTER_SEEK, changelog()[:4])))
    await completed(table, end=5)
    assert table.handed == []
    assert isinstance(table.crashes[0], Again)
    assert "was read up to 3, not to its end 5" in table.crashes[0].sentence


async def test_a_record_that_cannot_be_read_stops_the_worker_and_is_not_swallowed(table):
    bad = [SimpleNamespace(offset=0, key=b"[0,", value=b"")]
    table.apply_changelog_batch(events((AFTER_SEEK, bad)))
    await completed(table, end=0)
    assert table.handed == []
    assert len(table.crashes) == 1


@pytest.mark.parametrize("other", [Windows(MINUTE, 10 * MINUTE), Windows(5 * MINUTE, MINUTE)])
async def test_another_window_or_grace_than_the_epochs_is_refused_with_what_to_put_back(table, other):
    table.setup(1, other, lambda: 0, table._read_on, None)
    table.apply_changelog_batch(events((AFTER_SEEK, changelog())))
    await completed(table, end=5)
    [stop] = table.crashes
    assert stop.sentence == "This epoch was begun with a window of 300 s and a grace of 600 s."
    assert "TILLSTREAM_WINDOW" in stop.hint


async def test_an_assignment_begins_with_nothing_of_the_one_before(table, monkeypatch):
    import faust

    async def nothing(*_):
        pass

    monkeypatch.setattr(faust.Table, "on_rebalance", nothing)
    found = changelog()
    table.apply_changelog_batch(events((AFTER_SEEK, found[:2])))
    await table.on_rebalance({CHANGELOG}, set(), {CHANGELOG})
    table.apply_changelog_batch(events((AFTER_SEEK, found)))
    await completed(table, end=5)
    [([state], revokes)] = table.handed
    assert state.applied == 2
    assert revokes == 7, "as many as there had been when it was assigned"


async def test_a_restore_that_was_complete_when_another_rebalance_began_is_dropped_for_that_ones_own(table):
    """Faust's recovery is told of a rebalance only after the table, and what it completes meanwhile has been forgotten.

    generation 1  |--- reads all ---|          says that it is complete
    generation 2                     | the table forgets |               reads all, says that it is complete
    """
    app, found = table.app, changelog()
    app.consumer_generation_id = 3  # so that Faust does not go on to a consumer that is not there
    app.consumer = SimpleNamespace(assignment=set)
    recovery = app.tables.recovery
    recovery.actives_for_table[table] = {CHANGELOG}
    await table.on_rebalance({CHANGELOG}, set(), {CHANGELOG}, 1)
    table.apply_changelog_batch(events((AFTER_SEEK, found)))
    recovery.active_highwaters[CHANGELOG] = 5
    await table.on_rebalance({CHANGELOG}, set(), {CHANGELOG}, 2)
    await recovery.on_recovery_completed(1)
    assert (table.handed, table.crashes) == ([], [])
    table.apply_changelog_batch(events((AFTER_SEEK, found)))
    await recovery.on_recovery_completed(2)
    [([state], _)] = table.handed
    assert (state.applied, table.crashes) == (2, [])
