"""F3, the journal's half: killed at each write, creation, cut and fsync of it, the machine with it or not."""

from __future__ import annotations

from tests.unit.tillstream.local.journal.disks import killed_at_each_operation, stream


def test_f3_the_journal_killed_at_each_operation_keeps_all_that_was_synced(full, table):
    sent, seeds = stream(200 if full else 40, seed=3), range(20 if full else 5)
    crashed, lost = killed_at_each_operation(sent, seeds)
    table("F3", crashed * (1 + len(seeds)), len(sent), lost, "", "each write and fsync of the journal")
    assert crashed > len(sent)
    assert lost == 0
