"""The journal's format on disks that tear, crash, fill up and flip bits: what was synced comes back, or a sentence."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Stop
from tillstream.local.journal.disk import Folder
from tillstream.local.journal.recovery import recover
from tillstream.local.journal.segment import Identity, name_of
from tillstream.local.journal.writer import Writer

from .disks import Crash, LossyDisk, killed_at_each_operation, opened, records, stream, written


def test_what_is_written_is_read_back_with_offsets_keys_headers_times_and_values(tmp_path):
    sent = stream(40, seed=1)
    disk = written(sent, disk=Folder(tmp_path / "journal"))
    found, recovered = opened(disk)
    assert found == sent
    assert [records(one) for one in found] == [records(one) for one in sent]
    assert len(recovered.segments) > 3
    assert recovered.records == sum(one.end - one.begin for one in sent)
    assert recovered.unpacked == sum(len(one.data) for one in sent)
    assert recovered.ends == {(one.topic, one.partition): one.end for one in sent}


def test_an_empty_folder_is_a_new_journal_with_an_identity_that_stays():
    disk = LossyDisk()
    writer = Writer(disk, recover(disk, "", 2))
    writer.begin()
    ours = recover(disk, "", 2).identity
    assert ours == recover(disk, "", 2).identity
    assert ours.id != recover(LossyDisk(), "", 2).identity.id


@pytest.mark.parametrize(("prefix", "partitions"), [("other.", 2), ("", 3)])
def test_settings_other_than_the_journals_are_refused_with_what_to_put_back(prefix, partitions):
    disk = written(stream(3, seed=1))
    with pytest.raises(Stop, match=r"but the journal in this data folder was begun with .* Put back TILLSTREAM_"):
        recover(disk, prefix, partitions)


def test_a_last_segment_torn_at_any_byte_gives_all_blocks_before_it_and_goes_on(caplog):
    sent = stream(14, seed=2)
    whole = written(sent, per_block=2)
    last = whole.names()[-1]
    before = sent[: len(opened(LossyDisk({n: d for n, d in whole.files.items() if n != last}))[0])]
    assert 0 < len(before) < len(sent) - 2, "the last segment holds several blocks"
    seen = set()
    for size in range(len(whole.files[last])):
        disk = LossyDisk({**whole.files, last: whole.files[last][:size]})
        found, _ = opened(disk)
        assert found == sent[: len(found)]
        assert len(found) >= len(before)
        seen.add(len(found))
        caplog.clear()
        assert opened(disk)[0] == found
        assert not caplog.messages, "it was cut once and for all"
        again = written(sent[len(found) :], disk=disk)
        assert opened(again)[0] == sent
    assert {len(before), len(sent) - 2, len(sent)} <= seen


def test_what_is_cut_is_said_in_bytes(caplog):
    whole = written(stream(2, seed=3))
    (name,) = whole.names()
    disk = LossyDisk({name: whole.files[name] + b"TLJB half a block"})
    opened(disk)
    assert f"/journal/{name}: the last 17 bytes were not whole when it was stopped, and are cut" in caplog.text


def test_another_segment_cut_at_any_byte_is_refused_with_file_byte_and_remedy():
    whole = written(stream(20, seed=4))
    first = whole.names()[0]
    for size in range(len(whole.files[first])):
        with pytest.raises(Stop, match=rf"/journal/{first}, byte \d+: .*Bring the file back from a backup"):
            opened(LossyDisk({**whole.files, first: whole.files[first][:size]}))


def test_a_missing_segment_is_refused_by_name():
    whole = written(stream(20, seed=4))
    for number in range(1, len(whole.files)):
        left = {name: data for name, data in whole.files.items() if name != name_of(number)}
        with pytest.raises(Stop, match=rf"the segment before it, {name_of(number)}, is missing"):
            opened(LossyDisk(left))


def test_segments_of_another_journal_or_in_another_order_are_refused():
    ours, other = written(stream(20, seed=5)), written(stream(20, seed=5))
    second, third = ours.names()[1:3]
    with pytest.raises(Stop, match="belongs to another journal"):
        opened(LossyDisk({**ours.files, second: other.files[second]}))
    with pytest.raises(Stop, match="under another one's name"):
        opened(LossyDisk({**ours.files, second: ours.files[third]}))


def test_a_flipped_bit_in_any_byte_is_found():
    sent = stream(12, seed=6)
    whole = written(sent)
    names = whole.names()
    assert len(names) > 2
    drawn, refused = random.Random(6), 0
    mark_at = whole.files[names[-1]].rindex(b"TLJB")
    for name in names:
        for at in range(len(whole.files[name])):
            data = bytearray(whole.files[name])
            data[at] ^= 1 << drawn.randrange(8)
            disk = LossyDisk({**whole.files, name: bytes(data)})
            if name == names[-1] and at >= mark_at:
                assert opened(disk)[0] == sent, "it holds nothing"
                continue
            with pytest.raises(Stop, match=f"/journal/{name}, byte "):
                opened(disk)
            refused += 1
    assert refused > 1_000


plans = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=10)


@settings(max_examples=150, deadline=None)
@given(plan=plans, crash_at=st.integers(1, 60), seed=st.integers(0, 2**32), segment_bytes=st.sampled_from([200, 900]))
def test_a_crash_at_any_operation_loses_nothing_that_was_synced_and_leaves_no_gap(plan, crash_at, seed, segment_bytes):
    sent = stream(sum(many for many, _ in plan), seed=seed)
    disk = LossyDisk(crash_at=crash_at)
    durable, at = 0, 0
    try:
        writer = Writer(disk, recover(disk, "", 2), segment_bytes)
        writer.begin()
        for many, sync in plan:
            writer.append(sent[at : at + many])
            at += many
            if sync:
                writer.sync()
                durable = at
    except Crash:
        pass
    left = disk.after_crash(random.Random(seed))
    found, _ = opened(left)
    assert found == sent[: len(found)]
    assert len(found) >= durable
    # The next run is cut short as well, and the one after it brings the rest.
    again = LossyDisk(left.files, crash_at=1 + seed % 9)
    try:
        written(sent[len(found) :], disk=again, segment_bytes=segment_bytes)
    except Crash:
        again = again.after_crash(random.Random(seed + 1))
    again.crash_at = None
    kept, _ = opened(again)
    assert kept[: len(found)] == found
    assert opened(written(sent[len(kept) :], disk=again))[0] == sent


def test_killed_at_each_operation_of_a_run_it_keeps_what_was_synced_with_the_machine_or_without():
    crashed, lost = killed_at_each_operation(stream(16, seed=16), range(10))
    assert crashed > 40, "every operation had its turn"
    assert lost == 0


@settings(max_examples=150, deadline=None)
@given(
    plan=plans,
    room=st.integers(0, 2_000),
    failing=st.sets(st.integers(1, 40), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_a_full_disk_and_failing_syncs_claim_nothing_and_lose_nothing_once_they_are_over(plan, room, failing, seed):
    sent = stream(sum(many for many, _ in plan), seed=seed)
    disk = LossyDisk(room=room, failing=failing)
    writer = Writer(disk, recover(disk, "", 2), 600)
    given, durable = 0, 0

    def attempt():
        nonlocal given, durable
        writer.begin()
        while given < len(sent):
            writer.append(sent[given : given + 2])
            given = min(len(sent), given + 2)
            writer.sync()
            durable = given

    for tried in range(20):
        try:
            attempt()
            break
        except OSError:
            # What a crash would leave now holds all that was claimed.
            found, _ = opened(disk.after_crash(random.Random(seed)))
            assert found[:durable] == sent[:durable]
            assert found == sent[: len(found)]
            _recede(writer)
            assert writer.ends == writer.durable_ends
            given = durable = _index(sent, writer.durable_ends)
            if tried == 5:
                disk.room = None
    assert durable == len(sent)
    disk.failing = set()
    assert opened(disk)[0] == sent


def _recede(writer):
    for _ in range(5):
        try:
            return writer.recede()
        except OSError:
            continue
    raise AssertionError


def _index(sent, ends):
    """How many of the batches lie below these ends."""
    return sum(one.end <= ends.get((one.topic, one.partition), 0) for one in sent)


def test_a_batch_that_does_not_go_on_where_its_partition_ends_is_a_fault_of_ours():
    disk = LossyDisk()
    writer = Writer(disk, recover(disk, "", 2))
    one, two = (next(b for b in stream(50, seed=1) if b.begin >= least) for least in (0, 5))
    writer.append([one])
    with pytest.raises(ValueError, match="offset"):
        writer.append([two])


def test_the_identity_names_what_the_topics_were_made_by():
    disk = written(stream(1, seed=1))
    identity = recover(disk, "", 2).identity
    assert identity == Identity(identity.id, "", 2)
