"""Which epoch comes next. Pure: the epochs that are known in, one to write out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.epoch import Epoch
from schemas.errors import Stop
from tillstream import epochs
from tillstream.epochs import KnownEpoch
from tillstream.settings import Settings

Known = Mapping[int, KnownEpoch]


def current(known: Known) -> Epoch:
    """The epoch that receipts go into; raises Stop where there is none."""
    newest = epochs.newest_live(known)
    if newest is None:
        raise Stop("There is no live epoch.", "Run `tillstream migrate`.")
    return newest.epoch


def building(known: Known, settings: Settings) -> Epoch:
    """The epoch to build: one that was begun with the same window, grace and skew, else the next number."""
    wanted = epochs.with_settings(max(known) + 1, "building", settings)
    for number in sorted(known, reverse=True):
        begun = known[number].epoch
        if begun == msgspec.structs.replace(wanted, epoch=number):
            return begun
    return wanted


def succeeding(known: Known, built: Epoch) -> Epoch:
    """`built` as the live one in place of the current one, and of those whose place that had taken."""
    counting = {entry.epoch.epoch for entry in epochs.counting(known)}
    before = current(known).epoch
    replaced = {number for number, entry in known.items() if entry.epoch.state == "live" and number not in counting}
    return msgspec.structs.replace(built, state="live", replaces=tuple(sorted({before, *replaced} - {built.epoch})))


def beside(known: Known) -> Epoch:
    """The next epoch, live beside those that are, with the current one's window, grace and skew."""
    return msgspec.structs.replace(current(known), epoch=max(known) + 1, replaces=())


def removable(known: Known, number: int) -> Epoch:
    """The epoch with this number, where its rows may go; raises Stop for one that counts or is not there."""
    if number not in known or known[number].epoch.state == "removed":
        raise Stop(f"There is no epoch {number}.", "`tillstream epochs list` shows those that there are.")
    if number in {entry.epoch.epoch for entry in epochs.counting(known)}:
        raise Stop(
            f"Epoch {number} is live: its rows are what everyone sees.",
            "Only those whose place another has taken can be removed, or those that are being built.",
        )
    return known[number].epoch
