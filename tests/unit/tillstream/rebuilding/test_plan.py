"""Which epoch comes next, and which count: tables of what stands in `tillstream.epochs`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.epoch import Epoch
from schemas.errors import Stop
from tillstream import epochs
from tillstream.epochs import KnownEpoch
from tillstream.rebuilding import plan
from tillstream.settings import Settings

SETTINGS = Settings()
CURRENT = epochs.first(SETTINGS)


def epoch(number, state="live", replaces=(), window=300):
    return Epoch(number, state, window, 345_600, 600, tuple(replaces))


def known(*found):
    return {one.epoch: KnownEpoch(one, offset, True) for offset, one in enumerate(found)}


@pytest.mark.parametrize(
    ("found", "counting"),
    [
        ([], []),
        ([epoch(1)], [1]),
        ([epoch(1), epoch(2, "building")], [1]),
        ([epoch(1), epoch(2, replaces=[1])], [2]),  # 1's own message does not say `retired` yet
        ([epoch(1, "retired"), epoch(2, replaces=[1])], [2]),
        ([epoch(1), epoch(2)], [1, 2]),  # continued beside
        ([epoch(1), epoch(2), epoch(3, replaces=[2])], [1, 3]),
        ([epoch(1), epoch(2, "retired", replaces=[1]), epoch(3, replaces=[1, 2])], [3]),
        ([epoch(1, "removed"), epoch(2, "removed"), epoch(3)], [3]),
    ],
)
def test_the_live_epochs_whose_place_no_other_has_taken_count(found, counting):
    assert [one.epoch.epoch for one in epochs.counting(known(*found))] == counting
    newest = epochs.newest_live(known(*found))
    assert (newest.epoch.epoch if newest else None) == (counting[-1] if counting else None)


@pytest.mark.parametrize(
    ("found", "replaces"),
    [
        ([epoch(1), epoch(3, "building")], (1,)),
        ([epoch(1), epoch(2, replaces=[1]), epoch(3, "building")], (1, 2)),  # 1 would come back with 2 retired
        ([epoch(1), epoch(2), epoch(3, "building")], (2,)),  # what was continued beside stays
    ],
)
def test_a_built_epoch_takes_the_place_of_the_current_one_and_of_whom_that_had_replaced(found, replaces):
    succeeding = plan.succeeding(known(*found), found[-1])
    assert (succeeding.state, succeeding.replaces) == ("live", replaces)
    after = known(*found[:-1], succeeding)
    gone = epochs.counting(known(*[epoch(one, "retired") if one in replaces else after[one].epoch for one in after]))
    assert [one.epoch for one in gone] == [one.epoch for one in epochs.counting(after)], "retiring them changes nothing"


def test_a_rebuild_goes_on_with_what_was_begun_for_the_same_rules_and_else_begins_the_next():
    begun = known(epoch(1), epoch(2, "building", window=900), epoch(3, "building"))
    assert plan.building(begun, SETTINGS).epoch == 3
    assert plan.building(begun, SETTINGS.model_copy(update={"window": timedelta(minutes=15)})).epoch == 2
    assert plan.building(begun, SETTINGS.model_copy(update={"grace": timedelta(hours=1)})) == Epoch(
        4, "building", 300, 3600, 600
    )


def test_an_epoch_beside_the_others_has_the_rules_of_the_current_one():
    assert plan.beside(known(epoch(1), epoch(2, "building"))) == epoch(3)


@pytest.mark.parametrize(
    ("number", "sentence"), [(2, "Epoch 2 is live"), (4, "There is no epoch 4"), (9, "There is no epoch 9")]
)
def test_what_counts_or_is_not_there_cannot_be_removed(number, sentence):
    found = known(epoch(1), epoch(2, replaces=[1]), epoch(3, "building"), epoch(4, "removed"))
    assert [plan.removable(found, one).epoch for one in (1, 3)] == [1, 3]
    with pytest.raises(Stop, match=sentence):
        plan.removable(found, number)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("window", timedelta(minutes=15), "TILLSTREAM_WINDOW is 900 s, but epoch 1 was computed with 300 s"),
        ("grace", timedelta(hours=1), "TILLSTREAM_GRACE is 3600 s, but epoch 1 was computed with 345600 s"),
        ("max_skew", timedelta(hours=1), "TILLSTREAM_MAX_SKEW is 3600 s, but epoch 1 was computed with 600 s"),
    ],
)
def test_other_rules_than_the_epochs_are_refused_with_what_mends_it(name, value, sentence):
    changed = SETTINGS.model_copy(update={name: value})
    with pytest.raises(Stop, match=sentence) as stopped:
        epochs.check(CURRENT, changed)
    assert "`tillstream rebuild`" in stopped.value.hint
    assert getattr(epochs.settings_of(changed, CURRENT), name) == getattr(SETTINGS, name)


def test_an_epoch_that_did_not_note_its_bound_on_skew_takes_the_settings():
    old = Epoch(1, "live", 300, 345_600)
    epochs.check(old, SETTINGS.model_copy(update={"max_skew": timedelta(hours=1)}))
    assert epochs.settings_of(SETTINGS, old).max_skew == SETTINGS.max_skew


def test_the_current_epoch_is_missed_with_what_makes_one():
    with pytest.raises(Stop, match="There is no live epoch"):
        plan.current(known(epoch(1, "building")))
