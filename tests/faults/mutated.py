"""The rules of the fold, the flush, the restore and the sinks, each taken away by an edit of the source.

An edit replaces text that must stand in its file exactly once. What must see a mutation is the simulation, within so
many histories, and scripted tests; a rule that no sequence of events needs any more says so in its `note`.
"""

from __future__ import annotations

from typing import NamedTuple


class Edit(NamedTuple):
    """Replace a text of a file."""

    path: str
    old: str
    new: str


class Mutation(NamedTuple):
    """A rule taken away; `simulation` says whether histories must see it, `scripted` which tests must.

    `faults` are tests of whole processes that must see it too, where they are asked for.
    """

    name: str
    edits: tuple[Edit, ...]
    simulation: bool = True
    scripted: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    note: str = ""


KILLED = "tests/faults/test_f01_workers_killed.py"
SINKS_KILLED = "tests/faults/test_f02_sink_and_clickhouse.py"
REBALANCED = "tests/faults/test_f04_rebalances.py"
DISORDER = "tests/faults/test_f07_disorder.py"
REBUILT = "tests/integration/test_rebuild.py"
RARE = "tests/simulation/test_rare_sequences.py::test_"
STORE = "tests/unit/sinks/test_store.py::test_"
ROLLUPS = "tests/integration/test_rollups.py::test_"
FOLD, FLUSH, RESTORE = "streams/fold.py", "streams/flush.py", "streams/restore.py"
SALES, LEDGER = "schemas/clickhouse/0001_sales.sql", "schemas/clickhouse/0002_ledger.sql"

OFFSET_GUARD = Edit(FOLD, "        if offset <= already:\n", "        if False:\n")
ID_GUARD = Edit(FOLD, "    elif chunk.is_known(at) and _stands(state, chunk, at, store):\n", "    elif False:\n")
WINDOWS_SENT = '    yield Send(1, "state", Framed(fold.records))\n'
ROWS_SENT = '    yield Send(1, "windows", _rows(state, fold))\n'
RECORD = "    record = (partition_key(state.partition, state.owner), encode_partition(state), _NO_HEADERS)\n"
RECORD_SENT = '    yield Send(3, "state", [record])\n'
ACKNOWLEDGED = "    yield Acknowledged(3)\n"
COMMIT = "    yield Commit(4, state.applied + 1)\n"
TOMBSTONES = """    gone = bisect_left(state.closed, accepted, key=_at)
    if gone:
        yield Send(5, "state", _tombstones(state, gone))
        yield Acknowledged(5)
        del state.closed[:gone]
"""
AT_ONCE = TOMBSTONES.replace("accepted,", "state.applied + 1,")
OTHERS_KEYS = """    others = [
        (window_key(state.partition, window.store_id, window.start, owner), None, _NO_HEADERS)
        for window in fold.touched if accepted for owner in sorted(window.owners - {state.owner})
    ]
    if gone or others:
        yield Send(5, "state", [*_tombstones(state, gone), *others])
"""
OWNED = "PartitionState(epoch, partition, owner, windows)"
LATE_RULE = "    elif not windows.is_open(start, store.watermark):\n"
STANDS = "    return start != NOWHERE and state.windows.is_open(start, store.watermark)\n"
NEWEST_OF_ALL = "max((one.watermark for one in state.stores.values() if one.watermark is not None), default=None)"
SALES_KEY = "ORDER BY (store_id, sku, currency, window_start, business_date, partition, epoch)"
VERSIONED = "ReplacingMergeTree(version)\nPARTITION BY toYYYYMM(window_start)\n"
STORES_KEY = "ORDER BY (store_id, window_start, partition, epoch)"
LATE_KEY = "ORDER BY (epoch, partition, offset, position)"

ROWS, TABLE, READING = "kernel/rows.c", "kernel/table.h", "kernel/receipts.c"
HELD = "        if (item[SIGN] == 0) continue;\n"
SUMS, READ = "tests/unit/kernel/test_sums.py::test_", "tests/unit/kernel/test_reading.py::test_"

MUTATIONS = (
    Mutation(
        "both guards removed",
        (OFFSET_GUARD, ID_GUARD),
        scripted=(RARE + "a_worker_dies_between_any_two_operations_and_any_of_its_sends_land",),
        faults=(KILLED,),
    ),
    Mutation("id guard removed", (ID_GUARD,), faults=(DISORDER,)),
    Mutation("offset guard removed", (OFFSET_GUARD,), faults=(KILLED,)),
    Mutation(
        "id kept without its offset",
        (Edit(RESTORE, "                if offset <= state.applied:\n", "                if True:\n"),),
        scripted=(RARE + "a_worker_dies_between_any_two_operations_and_any_of_its_sends_land",),
        faults=(KILLED,),
    ),
    Mutation(
        "start at the commit and trust it",
        (
            Edit("streams/agents.py", "        if chunk.first <= wanted:\n", "        if True:\n"),
            Edit("streams/transport.py", "min(committed, self.starts.get(tp, committed))", "committed"),
        ),
        scripted=(RARE + "a_commit_ahead_of_the_state_skips_nothing",),
    ),
    Mutation(
        "flush 1: StoreWindow records after the PartitionRecord",
        (Edit(FLUSH, WINDOWS_SENT, ""), Edit(FLUSH, COMMIT, WINDOWS_SENT + "    yield Acknowledged(1)\n" + COMMIT)),
        scripted=(RARE + "a_worker_dies_between_any_two_operations_and_any_of_its_sends_land",),
    ),
    Mutation(
        "flush 1: PartitionRecord before the outputs",
        (
            Edit(FLUSH, RECORD + RECORD_SENT + ACKNOWLEDGED, ""),
            Edit(FLUSH, WINDOWS_SENT, RECORD + RECORD_SENT + ACKNOWLEDGED + WINDOWS_SENT),
        ),
        scripted=(RARE + "a_worker_dies_between_any_two_operations_and_any_of_its_sends_land",),
        faults=(KILLED,),
    ),
    Mutation(
        "flush 2: nothing is acknowledged before the PartitionRecord",
        (Edit(FLUSH, "    yield Acknowledged(2)\n", ""),),
        scripted=(RARE + "a_worker_dies_between_any_two_operations_and_any_of_its_sends_land",),
    ),
    Mutation(
        "flush 3: the commit before the PartitionRecord",
        (Edit(FLUSH, COMMIT, ""), Edit(FLUSH, RECORD, COMMIT + RECORD)),
        simulation=False,
        scripted=("tests/unit/streams/test_flush.py",),
        note="a commit never decides what is skipped: no rows differ",
    ),
    Mutation(
        "flush 3: the PartitionRecord is not acknowledged",
        (Edit(FLUSH, ACKNOWLEDGED, ""),),
        simulation=False,
        scripted=("tests/unit/streams/test_flush.py",),
        note="as above",
    ),
    Mutation(
        "flush 4: nothing is committed",
        (Edit(FLUSH, COMMIT, ""),),
        simulation=False,
        scripted=("tests/unit/streams/test_flush.py",),
        note="no rows differ: lag figures and tombstones stand still",
    ),
    Mutation(
        "flush 5: tombstones before the PartitionRecord",
        (Edit(FLUSH, TOMBSTONES, ""), Edit(FLUSH, RECORD, AT_ONCE + RECORD)),
        scripted=(RARE + "tombstones_come_after_the_partition_record_whose_watermark_closed_the_window",),
    ),
    Mutation(
        "flush 5: tombstones without an accepted commit",
        (Edit(FLUSH, TOMBSTONES, AT_ONCE),),
        simulation=False,
        scripted=("tests/unit/streams/test_flush.py",),
        note="a second line: a restore that reads to the end of now needs it no more",
    ),
    Mutation(
        "flush 5: tombstones for superseded keys of open windows",
        (Edit(FLUSH, "".join(TOMBSTONES.splitlines(keepends=True)[1:3]), OTHERS_KEYS),),
        simulation=False,
        scripted=(RARE + "no_key_of_an_open_window_is_deleted_whoever_wrote_it",),
    ),
    Mutation(
        "restore: the last StoreWindow instead of the largest",
        (
            Edit(RESTORE, "        if newest is None or record.applied > newest.applied:\n", "        if True:\n"),
            Edit(RESTORE, ".setdefault((store_id, start), {})[owner] = value", "[store_id, start] = {owner: value}"),
        ),
        scripted=(RARE + "a_frozen_workers_older_window_lands_after_its_successors",),
    ),
    Mutation(
        "restore: the last PartitionRecord instead of the largest",
        (Edit(RESTORE, "if self._partition is None or record.applied >= self._partition.applied:", "if True:"),),
        simulation=False,
        scripted=(RARE + "a_frozen_workers_older_partition_record_lands_after_its_successors",),
    ),
    Mutation(
        "restore: windows that the watermark has closed are taken up",
        (
            Edit(
                RESTORE,
                "            if store is not None and not windows.is_open(start, store.watermark):\n",
                "            if False:\n",
            ),
        ),
        simulation=False,
        scripted=("tests/unit/streams/test_restore.py::TestTombstones",),
        note="a second line: a receipt is known by its window being open, and the next one closes what was taken up",
    ),
    Mutation(
        "restore: not beyond where the changelog ended at first",
        (Edit("streams/tables.py", " if active_tps else {}\n", " if False else {}\n"),),
        simulation=False,
        scripted=("tests/unit/streams/test_tables.py",),
        note="Faust's recovery; the simulation has a restore of its own around streams.restore",
    ),
    Mutation(
        "owner constant",
        (Edit(RESTORE, OWNED, OWNED.replace("owner,", '"",')),),
        scripted=(RARE + "a_frozen_workers_older_window_lands_after_its_successors",),
    ),
    Mutation(
        "a window is open by its presence",
        (Edit(FOLD, LATE_RULE, LATE_RULE.replace("not windows", "start in store.windows and not windows")),),
        scripted=(RARE + "a_straggler_of_a_closed_and_removed_window_is_late",),
    ),
    Mutation(
        "watermark by the wall clock",
        (
            Edit(
                "streams/state.py",
                "        self.watermark = occurred_at\n",
                '        self.watermark = __import__("time").time_ns() // 1000\n',
            ),
        ),
    ),
    Mutation(
        "watermark per partition",
        (Edit(FOLD, LATE_RULE, LATE_RULE.replace("store.watermark", NEWEST_OF_ALL)),),
        scripted=(RARE + "a_clock_that_is_wrong_harms_its_own_store_only",),
    ),
    Mutation(
        "rows without a version",
        (Edit(SALES, VERSIONED + SALES_KEY, VERSIONED.replace("(version)", "") + SALES_KEY),),
        scripted=(RARE + "a_frozen_workers_older_rows_written_last_change_nothing",),
    ),
    Mutation(
        "partition left out of the rows' key",
        (Edit(SALES, SALES_KEY, SALES_KEY.replace(" partition,", "")),),
        scripted=(RARE + "a_store_in_two_partitions_is_counted_twice_over",),
        faults=(REBALANCED,),
    ),
    Mutation(
        "epoch left out of the rows' key",
        (Edit(SALES, SALES_KEY, SALES_KEY.replace(", epoch", "")),),
        scripted=(RARE + "a_rebuilt_epoch_takes_the_live_ones_place_and_its_rows_are_its_own",),
        faults=(REBUILT,),
    ),
    Mutation(
        "partition left out of the key of receipts by window",
        (Edit(SALES, STORES_KEY, STORES_KEY.replace(" partition,", "")),),
    ),
    Mutation(
        "epoch left out of the key of dead letters",
        (Edit("schemas/clickhouse/0003_epochs.sql", "partition, offset, epoch)", "partition, offset)"),),
    ),
    Mutation(
        "a rebuilt epoch is live beside the one whose place it takes",
        (Edit("tillstream/rebuilding/plan.py", "tuple(sorted({before, *replaced} - {built.epoch}))", "()"),),
        scripted=(RARE + "a_rebuilt_epoch_takes_the_live_ones_place_and_its_rows_are_its_own",),
    ),
    Mutation("epoch left out of the key of late lines", (Edit(LEDGER, LATE_KEY, LATE_KEY.replace("epoch, ", "")),)),
    Mutation(
        "days are touched before their rows are written",
        (
            Edit("sinks/store.py", "        self._touch(batch)\n", ""),
            Edit(
                "sinks/store.py",
                "        refused = list(batch.unreadable)\n",
                "        refused = list(batch.unreadable)\n        self._touch(batch)\n",
            ),
        ),
        simulation=False,
        scripted=(STORE + "days_are_touched_after_their_rows_are_written_and_once_more_each_time",),
        note="histories have no roll-ups",
    ),
    Mutation(
        "a day is done when its hours are",
        (Edit("tillstream/rollups/passes.py", "least(max(hours), max(days))", "max(hours)"),),
        simulation=False,
        scripted=(ROLLUPS + "a_pass_killed_at_any_statement_is_mended_by_the_next",),
        note="histories have no roll-ups",
    ),
    Mutation(
        "a day is done once it was computed for as many touches, whoever wrote it last",
        (Edit("tillstream/rollups/passes.py", "[one.touches for one in part]", "[2**63 for one in part]"),),
        simulation=False,
        scripted=(ROLLUPS + "a_day_computed_earlier_and_written_later_is_computed_again",),
        note="histories have no roll-ups",
    ),
    Mutation(
        "kernel: a row counts a receipt once a line",
        (Edit(ROWS, "        if (row->figures[VERSION] != offset) {\n", "        {\n"),),
        scripted=(SUMS + "chunk_by_chunk_the_windows_are_those_of_a_dictionary",),
    ),
    Mutation(
        "kernel: lines that a window holds already are added again",
        (Edit(ROWS, HELD + "        for (int k", "        for (int k"),),
        scripted=(SUMS + "what_a_window_holds_already_is_sent_again_as_it_is",),
    ),
    Mutation(
        "kernel: a window notes a receipt again that it holds already",
        (Edit(ROWS, HELD + "        out = put_unsigned", "        out = put_unsigned"),),
        scripted=(SUMS + "what_a_window_holds_already_is_sent_again_as_it_is",),
    ),
    Mutation(
        "kernel: a row that changes begins anew",
        (Edit(TABLE, "    if (row->encoded.at == 0) return;\n", "    return;\n"),),
        scripted=(SUMS + "chunk_by_chunk_the_windows_are_those_of_a_dictionary",),
    ),
    Mutation(
        "kernel: business dates are not told apart",
        (Edit(TABLE, "if (row->group_key == key && row->sku", "if (row->sku"),),
        scripted=(SUMS + "many_currencies_and_dates_of_one_window_stay_apart",),
        simulation=False,
        note="rows of two dates meet in one place of the table by chance only",
    ),
    Mutation(
        "kernel: returns are added as sales",
        (Edit(READING, "returned = all_returned || line[RETURNED];\n", "returned = all_returned;\n"),),
        scripted=(READ + "receipts_of_the_usual_form_are_read_by_it",),
    ),
    Mutation(
        "kernel: void lines count",
        (Edit(READING, "        receipt->kept += !is_void;\n", "        receipt->kept++;\n"),),
        scripted=(READ + "void_lines_are_left_out_and_counted",),
    ),
    Mutation(
        "a receipt is known for ever, whether its window is open or not",
        (Edit(FOLD, STANDS, STANDS.replace(" and state.windows.is_open(start, store.watermark)", "")),),
    ),
    Mutation(
        "copies within a chunk are not known",
        (Edit("streams/chunk_read.py", " or self._twins[at] >= 0\n", "\n"),),
    ),
    Mutation(
        "of copies within a chunk the last one before is asked, folded or not",
        (Edit("streams/chunk_read.py", "            twin = self._twins[twin]\n", "            break\n"),),
        scripted=("tests/unit/streams/test_fold.py::TestDuplicates",),
    ),
    Mutation(
        "kernel: a store that copies its table forgets windows that are open",
        (Edit("kernel/seen.c", "if (place[START] >= oldest) memcpy", "if (place[START] > oldest) memcpy"),),
        simulation=False,
        scripted=("tests/unit/kernel/test_seen.py",),
        note="histories are too short for the oldest window to be copied",
    ),
    Mutation(
        "kernel: receipts ahead of their timestamps are taken",
        (Edit(READING, "    if (timestamp_ms > furthest) return false;\n", "    return false;\n"),),
        scripted=(READ + "a_receipt_ahead_of_its_timestamp_by_more_than_the_skew_is_left_to_python",),
    ),
    Mutation(
        "the sink commits before it inserts",
        (
            Edit("sinks/loop.py", "/ 1000))\n        await self._commit(offsets)\n", "/ 1000))\n"),
            Edit("sinks/loop.py", "        newest = 0\n", "        await self._commit(offsets)\n        newest = 0\n"),
        ),
        scripted=(RARE + "a_sink_dies_between_insert_and_commit_and_repeats_harmlessly",),
        faults=(SINKS_KILLED,),
    ),
)  # fmt: skip
