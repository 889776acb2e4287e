"""What a receipt does to a partition's state, rule by rule.

Every time line counts minutes after noon; windows are 5 minutes wide and stay open for 10 more, unless said
otherwise. `W0` is the window of minutes 0 to 5; it closes once the watermark reaches minute 15.

    minute   0         5         10        15        20
             |---W0----|---W5----|---W10---|---W15---|
             |<- receipts of W0->|<- grace of W0 --->| closed: late
                                 (5 to 15)
"""

import json
from datetime import UTC, datetime

import pytest

from kernel.seen import NOWHERE
from schemas.deadletter import KEPT_BYTES
from streams.flush import Send, flush
from streams.fold import REPLAYED, ROWS_PER_MESSAGE, fold
from streams.state import PartitionState, receipt_hash
from streams.windows import Windows
from tests.unit.kernel.agreement import start_of

from .world import MAX_SKEW, MINUTE, Record, folded, log_of, message, moment

WINDOWS = Windows(5 * MINUTE, 10 * MINUTE)
SECOND = 1_000_000
# Columns of a row in `totals()`.
UNITS, RETURNED, REVENUE, DISCOUNT, TAX, RECEIPTS = range(6)
ONE, CROWN = 100_000, 10_000


def judged(values, windows=WINDOWS, key=b"12"):
    """The result of each message, folded one by one."""
    state, results = PartitionState(1, 0, "me", windows), []
    for record in log_of(values, key):
        before = dict(state.counts)
        fold(state, [record], "pos.receipts", MAX_SKEW)
        [result] = [name for name, count in state.counts.items() if count != before[name]]
        results.append(result)
    return results


def stood(values, windows=WINDOWS, key=b"12"):
    """(state, Fold) after folding all messages as one chunk."""
    state = PartitionState(1, 0, "me", windows)
    return state, fold(state, log_of(values, key), "pos.receipts", MAX_SKEW)


def one_by_one(values, windows=WINDOWS):
    """The state after folding each message as a chunk."""
    state = PartitionState(1, 0, "me", windows)
    for record in log_of(values):
        fold(state, [record], "pos.receipts", MAX_SKEW)
    return state


def stood_in(state, transaction_id):
    """The start of the window in which a sale of store 12 is known to stand."""
    return start_of(state.stores["12"].seen, receipt_hash(transaction_id, reversal=False))


def exactly(microseconds, transaction_id="edge", **more):
    """A receipt that occurred so many microseconds after noon."""
    whole, rest = divmod(moment(0) + microseconds, SECOND)
    stamp = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return message(transaction_id, occurred_at=f"{stamp}.{rest:06d}Z", **more)


def rows(values, windows=WINDOWS):
    """Totals by (window's minute, SKU)."""
    totals = folded(values, windows).totals()
    return {((start - moment(0)) // MINUTE, sku): row for (_, start, _, _, sku), row in totals.items()}


class TestTheOrderOfTheTests:
    """Rejected, ignored, duplicate, late, folded: the first that holds is the result.

    minute   0    2         15
             a              b        W0 is closed from b on; `a` and `b` are known
    """

    @pytest.mark.parametrize(
        ("last", "result"),
        [
            pytest.param(b"{", "rejected", id="no JSON"),
            pytest.param(b"", "rejected", id="nothing"),
            pytest.param(message("c", 15_000), "rejected", id="ahead of its record's timestamp"),
            pytest.param(message("c", 15_000, type="training"), "rejected", id="rejected before ignored"),
            pytest.param(message("b", 15_000), "rejected", id="rejected before duplicate"),
            pytest.param(message("c", 15, type="training"), "ignored", id="training"),
            pytest.param(message("b", 15, type="training"), "ignored", id="ignored before duplicate"),
            pytest.param(message("c", 0, type="training"), "ignored", id="ignored before late"),
            pytest.param(message("c", 15, type="void"), "ignored", id="void of an unknown receipt"),
            pytest.param(message("b", 15, type="void"), "rejected", id="void of a counted receipt"),
            pytest.param(message("a", 15, type="void"), "ignored", id="void after its window closed"),
            pytest.param(message("c", 15, [("a", "1", "1", {"void": True})]), "ignored", id="all lines void"),
            pytest.param(
                message("b", 15, [("a", "1", "1", {"void": True})]), "ignored", id="all void before duplicate"
            ),
            pytest.param(message("b", 15), "duplicate", id="the same again"),
            pytest.param(message("b", 1), "duplicate", id="duplicate before late"),
            pytest.param(message("a", 1), "late", id="a copy of what a closed window knew"),
            pytest.param(message("c", 4), "late", id="late"),
            pytest.param(message("c", 4, type="post_void"), "late", id="late reversal"),
            pytest.param(message("c", 5), "folded", id="within grace"),
            pytest.param(message("a", 15), "folded", id="a copy with a new time, its window being closed"),
        ],
    )
    def test_each_message_ends_in_the_first_result_that_holds(self, last, result):
        assert judged([message("a", 2), message("b", 15), last]) == ["folded", "folded", result]

    def test_nothing_but_a_folded_receipt_changes_rows_or_watermark(self):
        state, done = stood([message("a", 2), message("a", 9), message("v", 9, type="training"), b"{"])
        assert state.stores["12"].watermark == moment(2)
        assert done.results == {"folded": 1, "duplicate": 1, "late": 0, "rejected": 1, "ignored": 1, REPLAYED: 0}

    def test_a_record_without_a_value_is_rejected(self):
        assert judged([None]) == ["rejected"]


class TestKeys:
    @pytest.mark.parametrize("key", [None, b"", b"7", b"12 ", b"\xff12", b'"12"'])
    def test_a_key_that_is_not_the_store_is_rejected(self, key):
        _, done = stood([message()], key=key)
        [letter] = done.rejected
        assert (letter.path, letter.key) == ("$.store_id", key)

    def test_a_store_is_compared_byte_for_byte(self):
        assert judged([message(store="Ærø")], key="Ærø".encode()) == ["folded"]
        assert judged([message(store="Ærø")], key=b"Aero") == ["rejected"]


class TestSkew:
    """A till whose clock is ahead of the record's Kafka timestamp.

    published    + MAX_SKEW
        |------------|
                     ^ still counted; a microsecond more is refused
    """

    @pytest.mark.parametrize(("ahead", "result"), [(-1, "folded"), (0, "folded"), (1, "rejected")])
    def test_a_receipt_may_be_ahead_by_exactly_max_skew(self, ahead, result):
        state = PartitionState(1, 0, "me", WINDOWS)
        record = Record(0, b"12", exactly(MAX_SKEW + ahead), moment(0) // 1000)
        fold(state, [record], "pos.receipts", MAX_SKEW)
        assert state.counts[result] == 1

    def test_a_receipt_that_is_refused_for_its_clock_closes_nothing(self):
        values = [message("a", 0), message("wild", 10_011), message("b", 1)]
        assert judged(values) == ["folded", "rejected", "folded"]


class TestVoid:
    def test_a_void_of_a_counted_receipt_in_an_open_window_is_rejected_and_says_what_to_send(self):
        """minute  0    3
                   a    void a       W0 is open
        """  # fmt: skip
        state, done = stood([message("a", 0), message("a", 3, type="void")])
        assert done.rejected[0].reason == "void of a counted receipt: send a post_void"
        assert state.counts == {"folded": 1, "duplicate": 0, "late": 0, "rejected": 1, "ignored": 0}

    def test_a_void_of_a_counted_receipt_in_a_closed_window_is_ignored(self):
        """minute  0         15     16
                   a         b      void a       b has closed W0
        """  # fmt: skip
        assert judged([message("a", 0), message("b", 15), message("a", 16, type="void")])[-1] == "ignored"

    def test_a_void_of_another_stores_receipt_is_ignored(self):
        log = [
            Record(0, b"12", message("a", 0), moment(0) // 1000),
            Record(1, b"7", message("a", 0, store="7", type="void"), moment(0) // 1000),
        ]
        state = PartitionState(1, 0, "me", WINDOWS)
        fold(state, log, "pos.receipts", MAX_SKEW)
        assert state.counts["ignored"] == 1

    def test_a_void_of_a_reversal_only_is_ignored(self):
        """The void names a sale; under that id only a post_void was counted."""
        assert judged([message("a", 0, type="post_void"), message("a", 1, type="void")])[-1] == "ignored"

    def test_a_void_before_its_receipt_does_not_keep_it_from_counting(self):
        assert judged([message("a", 0, type="void"), message("a", 1)]) == ["ignored", "folded"]


class TestPostVoid:
    LINES = (("a", "2", "59.80", {"discount": "5.00", "tax": "11.96"}), ("b", "0.754", "112.35"))

    def test_it_takes_back_in_the_window_of_its_own_time_and_counts_minus_one(self):
        """minute  0         5    6
                   sale t1        post_void t1
                   |---W0----|---W5----|
        """  # fmt: skip
        found = rows([message("t1", 0, self.LINES), message("t1", 6, self.LINES, type="post_void")])
        assert found[0, "a"] == (2 * ONE, 0, 598_000, 50_000, 119_600, 1)
        assert found[5, "a"] == (-2 * ONE, 0, -598_000, -50_000, -119_600, -1)
        assert found[5, "b"] == (-75_400, 0, -1_123_500, 0, 0, -1)

    def test_a_row_that_comes_to_nothing_stays(self):
        sent = folded([message("t1", 0, self.LINES), message("t1", 1, self.LINES, type="post_void")], WINDOWS)
        assert set(sent.totals().values()) == {(0, 0, 0, 0, 0, 0)}
        assert len(sent.totals()) == 2
        assert list(sent.receipts.values()) == [(1, 0)], "the window's receipts, at offset 1"

    def test_it_may_bear_its_originals_id_and_is_known_apart_from_it(self):
        sale, reversal = message("t1", 0), message("t1", 1, type="post_void")
        assert judged([sale, reversal, sale, reversal]) == ["folded", "folded", "duplicate", "duplicate"]

    def test_one_that_comes_before_its_original_counts_as_well(self):
        assert rows([message("t1", 1, type="post_void"), message("t1", 0)])[0, "a"] == (0, 0, 0, 0, 0, 0)

    def test_one_of_a_return_gives_the_money_back_to_revenue(self):
        lines = [("a", "1", "10", {"kind": "return", "tax": "2", "discount": "1"})]
        assert rows([message("t1", 0, lines, type="post_void")])[0, "a"] == (0, -ONE, 100_000, 10_000, 20_000, -1)


class TestLines:
    @pytest.mark.parametrize(
        ("more", "lines", "row"),
        [
            pytest.param({}, [("a", "1", "10", {"discount": "1", "tax": "2"})],
                         (ONE, 0, 100_000, 10_000, 20_000, 1), id="sale"),
            pytest.param({}, [("a", "1", "10"), ("a", "2", "5.5")], (3 * ONE, 0, 155_000, 0, 0, 1), id="a SKU twice"),
            pytest.param({"type": "return"}, [("a", "1", "10", {"discount": "1", "tax": "2"})],
                         (0, ONE, -100_000, -10_000, -20_000, 1), id="return"),
            pytest.param({}, [("a", "1", "10", {"kind": "return"})], (0, ONE, -100_000, 0, 0, 1), id="return line"),
            pytest.param({"type": "exchange"}, [("a", "1", "10", {"kind": "return"}), ("a", "1", "12")],
                         (ONE, ONE, 20_000, 0, 0, 1), id="exchange"),
            pytest.param({"type": "return"}, [("a", "1", "10", {"kind": "sale"})],
                         (0, ONE, -100_000, 0, 0, 1), id="in a return every line is one"),
            pytest.param({}, [("a", "0.75431", "112.3501")], (75_431, 0, 1_123_501, 0, 0, 1), id="weighed"),
            pytest.param({}, [("a", "0", "0")], (0, 0, 0, 0, 0, 1), id="nothing, which counts as a receipt"),
            pytest.param({}, [("a", "1", "10"), ("a", "9", "90", {"void": True})],
                         (ONE, 0, 100_000, 0, 0, 1), id="a void line beside a good one"),
            pytest.param({}, [("a", "999999.99999", "999999999.9999")],
                         (99_999_999_999, 0, 9_999_999_999_999, 0, 0, 1), id="the largest"),
        ],
    )  # fmt: skip
    def test_what_a_receipt_adds_to_a_row(self, more, lines, row):
        assert rows([message("t", 0, lines, **more)]) == {(0, "a"): row}

    def test_a_void_lines_sku_gets_no_row(self):
        assert list(rows([message("t", 0, [("a", "1", "10"), ("b", "1", "1", {"void": True})])])) == [(0, "a")]

    def test_receipts_count_once_for_a_sku_however_many_lines_and_of_whichever_kind(self):
        lines = [("a", "1", "1"), ("a", "1", "1", {"kind": "return"}), ("a", "1", "1")]
        assert rows([message("t1", 0, lines), message("t2", 1, lines)])[0, "a"][RECEIPTS] == 2

    def test_currencies_and_business_dates_are_kept_apart_in_one_window(self):
        values = [
            message("t1", 0, currency="NOK"),
            message("t2", 1, currency="JPY"),
            message("t3", 2, currency="NOK", business_date="2026-11-22"),
            message("t4", 3, currency="NOK", occurred_at="2026-11-24T01:03:00+13:00"),
        ]
        found = {
            (currency, day): row[UNITS] for (_, _, currency, day, _), row in folded(values, WINDOWS).totals().items()
        }
        assert found == {
            ("NOK", "2026-11-23"): ONE,
            ("JPY", "2026-11-23"): ONE,
            ("NOK", "2026-11-22"): ONE,
            ("NOK", "2026-11-24"): ONE,
        }

    def test_money_is_exact_where_floats_are_not(self):
        values = [message(f"t{at}", 0, [("a", "0.1", "0.1")]) for at in range(1_000)]
        assert rows(values)[0, "a"] == (100 * ONE, 0, 100 * CROWN, 0, 0, 1_000)


class TestWatermark:
    def test_it_is_the_largest_time_of_a_folded_receipt_and_never_goes_back(self):
        """offset   0    1    2    3
           minute   3    9    4    9:00
        """  # fmt: skip
        state = PartitionState(1, 0, "me", WINDOWS)
        marks = []
        for record in log_of([message("a", 3), message("b", 9), message("c", 4), message("d", 9)]):
            fold(state, [record], "pos.receipts", MAX_SKEW)
            marks.append((state.stores["12"].watermark - moment(0)) // MINUTE)
        assert marks == [3, 9, 9, 9]

    @pytest.mark.parametrize(
        "other",
        [
            message("a", 500),  # a duplicate of `a`, with another time
            message("b", 500, type="training"),
            message("b", 500, type="void"),
            message("b", 500, [("a", "1", "1", {"void": True})]),
            message("b", 500)[:-1],
            message("b", 500, store="7"),  # under another store's key
        ],
    )
    def test_what_is_not_folded_does_not_move_it(self, other):
        state, _ = stood([message("a", 0), other])
        assert state.stores["12"].watermark == moment(0)

    def test_a_late_receipt_does_not_move_it(self):
        state, _ = stood([message("a", 20), message("b", 0)])
        assert state.stores["12"].watermark == moment(20)

    def test_a_wrong_clock_harms_its_own_store_only(self):
        """store 12   0 --------------- 9000 (a wrong clock)  1: late
           store 7    0 -- 1: folded
        """  # fmt: skip
        stamp = moment(10_000) // 1000
        state = PartitionState(1, 0, "me", WINDOWS)
        values = [("12", "a", 0), ("7", "a", 0), ("12", "wrong", 9_000), ("12", "b", 1), ("7", "b", 1)]
        log = [
            Record(offset, store.encode(), message(name, at, store=store), stamp)
            for offset, (store, name, at) in enumerate(values)
        ]
        done = fold(state, log, "pos.receipts", MAX_SKEW)
        assert [late.store_id for late in done.late] == ["12"]
        assert state.counts["folded"] == 4
        assert state.stores["7"].watermark == moment(1)

    def test_a_reversal_moves_it_like_any_folded_receipt(self):
        state, _ = stood([message("a", 0), message("a", 7, type="post_void")])
        assert state.stores["12"].watermark == moment(7)


class TestGrace:
    """minute   0         5                   15
    |---W0----|---- grace --------|
                                  ^ the watermark that closes W0
    """

    @pytest.mark.parametrize(("offset", "result"), [(-1, "folded"), (0, "late"), (1, "late")])
    def test_a_window_closes_when_the_watermark_reaches_its_end_plus_grace(self, offset, result):
        values = [exactly(15 * MINUTE + offset, "mark"), message("x", 4)]
        assert judged(values)[-1] == result

    @pytest.mark.parametrize(("occurred", "result"), [(5 * MINUTE - 1, "late"), (5 * MINUTE, "folded")])
    def test_the_window_after_the_edge_is_another_one(self, occurred, result):
        assert judged([exactly(15 * MINUTE, "mark"), exactly(occurred, "x")])[-1] == result

    @pytest.mark.parametrize(("occurred", "window"), [(0, 0), (5 * MINUTE - 1, 0), (5 * MINUTE, 5), (-1, -5)])
    def test_a_window_holds_its_start_and_not_its_end(self, occurred, window):
        assert list(rows([exactly(occurred)])) == [(window, "a")]

    @pytest.mark.parametrize("width", [1, 2, 60, 300, 900, 1_800, 3_600])
    @pytest.mark.parametrize("grace", [0, 1, 345_600])
    def test_the_edges_hold_at_every_width_and_grace(self, width, grace):
        """                start     start + width    + grace
                             |-----------|--------------|
           watermark                                   ^ open  ^ closed (a microsecond apart)
        """  # fmt: skip
        windows = Windows(width * SECOND, grace * SECOND)
        closes = (width + grace) * SECOND
        assert judged([exactly(closes - 1, "mark"), exactly(0, "x")], windows) == ["folded", "folded"]
        assert judged([exactly(closes, "mark"), exactly(width * SECOND - 1, "x")], windows) == ["folded", "late"]
        assert judged([exactly(closes, "mark"), exactly(width * SECOND, "x")], windows) == ["folded", "folded"]

    def test_a_receipt_that_closes_its_predecessors_window_is_judged_by_the_watermark_before_it(self):
        """A receipt is never late by its own time, however far it jumps."""
        assert judged([message("a", 0), message("b", 9_000), message("c", 8_990)]) == ["folded", "folded", "folded"]

    def test_a_stores_first_receipt_is_never_late(self):
        assert judged([message("a", -5_000_000 / 60)]) == ["folded"]

    def test_what_is_known_of_closed_windows_does_not_pile_up(self):
        state = PartitionState(1, 0, "me", WINDOWS)
        for offset in range(300):
            record = Record(offset, b"12", message(f"t{offset}", 5 * offset), moment(10_000) // 1000)
            fold(state, [record], "pos.receipts", MAX_SKEW)
        assert state.counts["folded"] == 300
        assert state.stores["12"].seen.places <= 32

    def test_windows_close_in_their_order_however_they_came_about(self):
        state, _ = stood([message(f"t{at}", at) for at in (10, 0, 5, 9)])
        assert state.closed == []
        fold(state, [Record(4, b"12", message("closer", 20), moment(10_000) // 1000)], "pos.receipts", MAX_SKEW)
        assert [closed.start for closed in state.closed] == [moment(0), moment(5)]
        assert [(closed.at, closed.value) for closed in state.closed] == [(4, b"")] * 2
        assert sorted(state.stores["12"].windows) == [moment(10), moment(20)]

    def test_closing_forgets_ids_and_rows_but_not_the_watermark(self):
        state, _ = stood([message("a", 0), message("b", 2), message("c", 15)])
        [window] = state.stores["12"].windows.values()
        assert window.start == moment(15)
        assert stood_in(state, "a") in (NOWHERE, moment(0)), "where it stands is over"
        assert stood_in(state, "c") == moment(15)
        assert [(closed.store_id, closed.start) for closed in state.closed] == [("12", moment(0))]


class TestDuplicates:
    @pytest.mark.parametrize(
        "copy",
        [
            message("t1", 0),
            message("t1", 12),
            message("t1", 0, [("b", "9", "99")]),
            message("t1", 0, currency="SEK"),
            message("t1", 0, type="return"),
            message("t1", 0, type="exchange"),
            message("t1", 0, till_id="9", sequence=4),
        ],
    )
    def test_the_first_counts_whatever_the_copy_says(self, copy):
        """minute  0 ......... 12
                   t1          t1 again      W0 is open
        """  # fmt: skip
        sent = folded([message("t1", 0), copy], WINDOWS)
        assert sent.results() == {"folded": 1, "duplicate": 1}
        assert list(sent.totals().values()) == [(ONE, 0, CROWN, 0, 0, 1)]

    @pytest.mark.parametrize("many", [2, 3, 5])
    def test_copies_of_one_chunk_count_once(self, many):
        state, _ = stood([message("t1", 0), message("other", 1)] * many)
        assert (state.counts["folded"], state.counts["duplicate"]) == (2, 2 * many - 2)

    def test_a_copy_in_the_chunk_that_closes_its_window_is_one_no_more(self):
        values = [message("t1", 0), message("t1", 0), message("b", 15), message("t1", 14)]
        for state in (stood(values)[0], one_by_one(values)):
            assert (state.counts["folded"], state.counts["duplicate"], state.counts["late"]) == (3, 1, 0)
            assert stood_in(state, "t1") == moment(10)

    def test_a_late_one_is_followed_by_copies_that_are_late_too_or_count(self):
        values = [message("b", 15), message("t1", 0), message("t1", 0), message("t1", 15), message("t1", 15)]
        for state in (stood(values)[0], one_by_one(values)):
            assert (state.counts["folded"], state.counts["late"], state.counts["duplicate"]) == (2, 2, 1)

    def test_a_copy_with_a_new_time_is_known_for_as_long_as_the_firsts_window_is_open(self):
        """minute   0    14          15   16
                    t1   t1          x    t1
                         duplicate   |    folded (the contract: `status` lists such pairs)
                                     W0 closes
        """  # fmt: skip
        values = [message("t1", 0), message("t1", 14), message("x", 15), message("t1", 16), message("t1", 16)]
        assert judged(values) == ["folded", "duplicate", "folded", "folded", "duplicate"]

    def test_a_duplicate_does_not_keep_its_id_known_for_longer(self):
        """minute   14 (a duplicate's time) is in W10, which stays open; the id belongs to W0, which closes at 15."""
        values = [message("t1", 0), message("t1", 14), message("x", 15), message("t1", 14)]
        assert judged(values)[-1] == "folded"

    def test_a_late_receipt_leaves_no_id_behind(self):
        values = [message("x", 20), message("t1", 0), message("t1", 20)]
        assert judged(values) == ["folded", "late", "folded"]

    def test_ids_are_known_by_store(self):
        stamp = moment(10_000) // 1000
        state = PartitionState(1, 0, "me", WINDOWS)
        log = [Record(n, store, message("t1", 0, store=store.decode()), stamp) for n, store in enumerate([b"1", b"2"])]
        fold(state, log, "pos.receipts", MAX_SKEW)
        assert state.counts["folded"] == 2

    def test_a_record_at_or_below_applied_is_replayed_and_moves_nothing(self):
        log = log_of([message("a", 0), b"{", message("a", 0), message("b", 1)])
        state = PartitionState(1, 0, "me", WINDOWS)
        fold(state, log[:3], "pos.receipts", MAX_SKEW)
        counts = dict(state.counts)
        done = fold(state, log[1:3], "pos.receipts", MAX_SKEW)
        assert (state.counts, state.applied) == (counts, 2)
        assert done.results[REPLAYED] == 2
        assert (done.touched, done.late, done.rejected) == ({}, [], [])
        done = fold(state, log, "pos.receipts", MAX_SKEW)
        assert (done.results[REPLAYED], done.results["folded"], state.applied) == (3, 1, 3)


class TestLate:
    """minute   0                  20    2
    x     late: W0 closed at 15
    """

    LINES = (
        ("a", "2", "20", {"discount": "1", "tax": "4"}),
        ("v", "1", "1", {"void": True}),
        ("a", "1", "7", {"kind": "return", "tax": "1"}),
        ("b", "0.5", "3"),
    )

    def late(self, **more):
        _, done = stood([message("x", 20), message("late", 2, self.LINES, **more)])
        [found] = done.late
        return found

    def test_its_lines_are_signed_without_void_ones_and_keep_their_positions(self):
        assert [tuple(getattr(line, name) for name in line.__struct_fields__) for line in self.late().lines] == [
            (1, "a", 2 * ONE, 0, 200_000, 10_000, 40_000, 1),
            (3, "a", 0, ONE, -70_000, 0, -10_000, 0),
            (4, "b", 50_000, 0, 30_000, 0, 0, 1),
        ]

    def test_a_late_reversal_has_every_sign_turned(self):
        found = self.late(type="post_void")
        assert (found.reversal, found.receipts) == (True, -1)
        assert [(line.units, line.returned, line.revenue, line.receipts) for line in found.lines] == [
            (-2 * ONE, 0, -200_000, -1),
            (0, -ONE, 70_000, 0),
            (-50_000, 0, -30_000, -1),
        ]

    def test_it_says_where_it_belongs_and_what_closed_its_window(self):
        found = self.late(business_date="2026-11-22", currency="SEK")
        assert (found.epoch, found.partition, found.offset, found.store_id) == (1, 0, 1, "12")
        assert (found.transaction_id, found.reversal, found.receipts) == ("late", False, 1)
        assert (found.occurred_at, found.window_start, found.watermark) == (moment(2), moment(0), moment(20))
        assert (found.currency, found.business_date) == ("SEK", "2026-11-22")

    def test_its_lines_sum_to_what_they_would_have_added(self):
        timely = rows([message("late", 2, self.LINES)])
        lines = self.late().lines
        for sku in ("a", "b"):
            mine = [line for line in lines if line.sku == sku]
            sums = tuple(
                sum(getattr(line, name) for line in mine)
                for name in ("units", "returned", "revenue", "discount", "tax", "receipts")
            )
            assert sums == timely[0, sku]

    def test_it_changes_no_row(self):
        _, done = stood([message("x", 20), message("late", 2, self.LINES)])
        assert [window.start for window in done.touched] == [moment(20)]


class TestDeadLetters:
    def letter(self, value, key=b"12", offset=7):
        state = PartitionState(1, 3, "me", WINDOWS, applied=offset - 1)
        done = fold(state, [Record(offset, key, value, moment(10_000) // 1000)], "pos.receipts", MAX_SKEW)
        [letter] = done.rejected
        return letter

    def test_it_keeps_key_and_bytes_and_says_why_and_from_where(self):
        letter = self.letter(b"{broken")
        assert (letter.key, letter.value) == (b"12", b"{broken")
        named = dict(letter.headers())
        assert (named["topic"], named["partition"], named["offset"]) == (b"pos.receipts", b"3", b"7")
        assert named["reason"]
        assert named["path"].startswith(b"$")

    @pytest.mark.parametrize(
        ("size", "kept"), [(1024 * 1024, 1024 * 1024), (1024 * 1024 + 1, KEPT_BYTES), (3_000_000, KEPT_BYTES)]
    )
    def test_of_what_is_larger_than_a_mebibyte_it_keeps_the_first_64_kib(self, size, kept):
        value = b"{" + b"x" * (size - 1)
        assert self.letter(value).value == value[:kept]

    def test_a_key_of_megabytes_is_cut_likewise(self):
        assert len(self.letter(b"{", key=b"k" * 3_000_000).key) == KEPT_BYTES

    def test_a_record_without_a_value_has_none(self):
        assert self.letter(None).value is None


class TestCounts:
    def test_inputs_are_the_sum_of_the_results_and_each_is_counted_once(self):
        values = [
            message("a", 0),
            message("a", 1),
            message("t", 1, type="training"),
            b"{",
            message("b", 20),
            message("c", 1),
        ]
        sent = folded(values, WINDOWS, chunk=2)
        assert sent.results() == {"folded": 2, "duplicate": 1, "ignored": 1, "rejected": 1, "late": 1}
        assert sum(sent.results().values()) == len(values)

    def test_a_windows_receipts_count_reversals_down(self):
        sent = folded([message("a", 0), message("b", 1), message("a", 2, type="post_void")], WINDOWS)
        assert sent.receipts == {("12", moment(0)): (2, 1)}

    def test_a_rows_version_is_the_offset_of_its_last_change(self):
        values = [message("t1", 0, [("a", "1", "1")]), message("t2", 0, [("b", "1", "1")]), b"{"]
        versions = {row[-1]: version for row, (version, _) in folded(values, WINDOWS).rows.items()}
        assert versions == {"a": 0, "b": 1}

    def test_lines_are_those_of_folded_and_late_receipts(self):
        two = [("a", "1", "1"), ("b", "1", "1")]
        _, done = stood([message("x", 20, two), message("l", 0, two), message("x", 20, two), b"{"])
        assert done.lines == 4
        assert done.newest == moment(20)


class TestAWindowOfManySkus:
    MANY, A_RECEIPT = 20_000, 2_000

    def sent(self):
        values = [
            message(f"t{at}", 0, [(f"sku{at + n}", "1", "1") for n in range(self.A_RECEIPT)])
            for at in range(0, self.MANY, self.A_RECEIPT)
        ]
        state, done = stood(values)
        return [op for op in flush(state, done, 0) if isinstance(op, Send)]

    def test_it_is_cut_into_messages_that_fit_and_that_give_every_row_once(self):
        [windows] = [send.messages for send in self.sent() if send.role == "windows"]
        seen = []
        for _, value, _ in windows:
            assert len(value) < 4 * 1024 * 1024
            found = json.loads(value)
            if found["type"] == "window":
                assert (found["receipts"], found["version"]) == (10, 9), "each part tells the window's own figures"
                seen += [sku for days in found["rows"].values() for skus in days.values() for sku in skus]
        assert len(windows) == 5, "four parts and the counts"
        assert sorted(seen) == sorted(f"sku{n}" for n in range(self.MANY))

    def test_its_changelog_record_is_one_that_fits(self):
        state = [send.messages for send in self.sent() if send.role == "state"]
        assert [len(messages) for messages in state] == [1, 1]
        assert len(state[0][0][1]) < 15 * 1024 * 1024

    def test_the_longest_names_fit_as_well(self):
        """128 characters of four bytes each, 5,000 of them, and the largest figures."""
        wide = "\U0001f6d2" * 123
        values = [
            message(f"t{at}", 0, [(f"{wide}{at + n:05d}", "999999", "999999999") for n in range(self.A_RECEIPT)])
            for at in range(0, ROWS_PER_MESSAGE + self.A_RECEIPT, self.A_RECEIPT)
        ]
        state, done = stood(values)
        sizes = [
            len(value)
            for op in flush(state, done, 0)
            if isinstance(op, Send) and op.role == "windows"
            for _, value, _ in op.messages
        ]
        assert max(sizes) < 4 * 1024 * 1024
