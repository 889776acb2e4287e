"""Any order, any duplication, any crash point, any replay: the same rows and counts as one batch pass."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.flush import Acknowledged, Commit, Send
from streams.windows import Windows

from .world import MINUTE, Sent, Worker, log_of, message, oracle

WINDOWS = Windows(5 * MINUTE, 10 * MINUTE)

receipts = st.builds(
    message,
    transaction_id=st.sampled_from(["t1", "t2", "t3", "t4", "t5", "t6"]),
    minutes=st.integers(0, 45),
    store=st.sampled_from(["12", "7"]),
    type=st.sampled_from(["sale", "sale", "sale", "sale", "return", "exchange", "void", "post_void", "training"]),
    lines=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["1", "2", "0.754", "0"]),
            st.sampled_from(["59.80", "0.01", "0"]),
            st.fixed_dictionaries({}, optional={"void": st.booleans(), "kind": st.sampled_from(["sale", "return"])}),
        ),
        min_size=1,
        max_size=3,
    ),
)
values = st.lists(st.one_of(receipts, receipts, receipts, st.just(b"{no receipt")), min_size=1, max_size=30)


def keyed(found):
    log = log_of(found)
    out = []
    for record in log:
        try:
            key = json.loads(record.value)["store_id"].encode()
        except ValueError:
            key = b"12"
        out.append(type(record)(record.offset, key, record.value, record.timestamp))
    return out


def agrees(sent: Sent, log) -> None:
    rows, counts, late = oracle(log, WINDOWS)
    assert sent.totals() == rows
    assert sent.results() == counts
    assert set(sent.late) == late
    assert sum(counts.values()) == len(log), "each input ends in exactly one result"


def compacted(changelog, keep: int):
    """The changelog after the cleaner has run over all but its last `keep` records."""
    head, tail = changelog[: len(changelog) - keep], changelog[len(changelog) - keep :]
    last = {key: index for index, (key, _) in enumerate(head)}
    return [pair for index, pair in enumerate(head) if last[pair[0]] == index] + tail


@given(values, st.integers(1, 10))
@settings(max_examples=300, deadline=None)
def test_a_fold_without_a_crash_gives_what_a_batch_gives(found, chunk):
    log, sent = keyed(found), Sent()
    Worker(log, sent, WINDOWS, "only").run(chunk)
    agrees(sent, log)


@given(values, st.data())
@settings(max_examples=600, deadline=None)
def test_a_crash_between_any_two_steps_changes_nothing(found, data):
    log, sent = keyed(found), Sent()
    for crash in range(data.draw(st.integers(0, 4), label="crashes")):
        worker = Worker(log, sent, WINDOWS, f"owner{crash}")
        survives = data.draw(st.integers(0, 25), label="operations before the crash")
        for done, operation in enumerate(worker.operations(data.draw(st.integers(1, 8), label="chunk"))):
            if done < survives:
                sent.take(operation)
                continue
            # The operation in hand lands in part: any subset of its messages, each role's in its order.
            if isinstance(operation, Send) and operation.step != 3:
                for one in operation.messages:
                    if data.draw(st.booleans(), label="landed"):
                        sent.take_message(operation.role, *one)
            break
        sent.changelog[:] = compacted(sent.changelog, data.draw(st.integers(0, 3), label="not yet compacted"))
        if data.draw(st.booleans(), label="commit lost"):
            sent.committed = data.draw(st.integers(0, sent.committed), label="committed")
    Worker(log, sent, WINDOWS, "last").run(data.draw(st.integers(1, 8), label="chunk"))
    agrees(sent, log)


@given(values, st.data())
@settings(max_examples=300, deadline=None)
def test_a_frozen_owner_that_wakes_up_changes_nothing(found, data):
    """It froze in the middle of a flush; its successor went on and may have died; then its sends land."""
    log, sent = keyed(found), Sent()
    frozen = Worker(log, sent, WINDOWS, "frozen")
    running = frozen.operations(data.draw(st.integers(1, 8), label="chunk"))
    for _, operation in zip(range(data.draw(st.integers(0, 20), label="before it froze")), running, strict=False):
        sent.take(operation)
    heir = Worker(log, sent, WINDOWS, "heir")
    heirs = heir.operations(data.draw(st.integers(1, 8), label="chunk"))
    for _, operation in zip(range(data.draw(st.integers(0, 20), label="the heir's")), heirs, strict=False):
        sent.take(operation)
    for operation in running:  # what was under way when it froze, up to its first commit: that one is refused
        if isinstance(operation, Commit):
            break
        sent.take(operation)
    sent.changelog[:] = compacted(sent.changelog, data.draw(st.integers(0, 3), label="not yet compacted"))
    Worker(log, sent, WINDOWS, "last").run()
    agrees(sent, log)


@given(values, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_replay_from_the_first_offset_with_or_without_state_changes_nothing(found, with_state):
    log, sent = keyed(found), Sent()
    Worker(log, sent, WINDOWS, "first").run(5)
    sent.committed = 0
    if not with_state:
        sent.changelog.clear()
    Worker(log, sent, WINDOWS, "second").run(3)
    agrees(sent, log)


def test_the_numbered_steps_come_in_their_order():
    sent = Sent()
    worker = Worker(keyed([message(), message("t2", 400), b"{", message("t3", 0)]), sent, WINDOWS, "only")
    steps = [(type(operation), operation.step) for operation in worker.operations(100)]
    assert steps == [
        (Send, 1), (Send, 1), (Send, 1), (Send, 1), (Acknowledged, 2), (Send, 3), (Acknowledged, 3), (Commit, 4),
    ]  # fmt: skip


def test_a_closed_window_gets_its_tombstones_only_after_an_accepted_commit():
    log, sent = keyed([message("t1", 0), message("t2", 400), message("t3", 401), message("t4", 402)]), Sent()
    steps = []
    for operation in Worker(log, sent, WINDOWS, "only").operations(2):
        steps.append(operation.step)
        sent.take(operation)
    assert steps == [1, 1, 2, 3, 3, 4, 1, 1, 2, 3, 3, 4, 5, 5]
    alive = {key for key, value in dict(sent.changelog).items() if value is not None}
    assert len(alive) == 2, "the PartitionRecord and the window that is still open"
