"""A synthetic chain: the same each time, by the contract, and counted exactly by its own columns."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
from lib import row_days, tills
from lib.arrivals import Batch, arrivals, judged
from lib.chain import FIRST_SKU, SKUS, STORES
from lib.till_text import CURRENCY
from lib.tills import DAY, WINDOW, Chain

from schemas.admission import admit
from streams.chunk_read import signed_lines

GRACE = 2 * DAY
SMALL = Chain(20_000)
BEGIN = 1_725_235_200  # 2024-09-02
FUTURE_MS = 4_000_000_000_000


@pytest.fixture(scope="module")
def days():
    return list(arrivals(SMALL, 160_000, GRACE))


def test_the_same_seed_gives_the_same_receipts_and_another_one_does_not():
    first, again, other = (next(arrivals(Chain(5_000, seed), 2_000, GRACE)).batch for seed in (1, 1, 2))
    assert list(first.texts) == list(again.texts)
    assert list(first.texts) != list(other.texts)


def test_a_shorter_run_is_the_beginning_of_a_longer_one(days):
    shorter = [text for day in arrivals(SMALL, 50_000, GRACE) for text in day.batch.texts]
    longer = [text for day in days for text in day.batch.texts]
    assert shorter == longer[: len(shorter)]
    assert 50_000 <= sum(text.count(b'"sku"') for text in shorter) < 50_000 + 150


def test_what_arrives_is_about_as_much_as_was_asked_for_a_day(days):
    lines = [int(day.batch.heads["lines"].sum()) for day in days[:7]]
    assert np.mean(lines) == pytest.approx(20_000, rel=0.05)


def test_every_receipt_is_as_the_contract_has_it_and_within_opening_hours(days):
    for day in days[:2]:
        for head, text in zip(day.batch.heads, day.batch.texts, strict=True):
            receipt = admit(str(head["store"] + 1).encode(), text, FUTURE_MS, 0)
            assert receipt.occurred_at == (BEGIN + head["occurred"]) * 1_000_000
            assert len(receipt.lines.sku) == head["lines"]
            assert tills.OPENS <= head["occurred"] % DAY < tills.CLOSES


def test_ids_differ_but_for_copies_which_are_the_same_bytes_and_come_later(days):
    seen = {}
    for day in days:
        for head, text in zip(day.batch.heads, day.batch.texts, strict=True):
            name = json.loads(text)["transaction_id"]
            assert bool(head["copy"]) == (name in seen)
            assert seen.setdefault(name, text) == text
    assert sum(day.results["duplicate"] for day in days) > 20


def test_the_expected_rows_are_those_that_a_plain_count_of_the_texts_comes_to(days):
    counted = row_days.summed(np.concatenate([day.counted() for day in days]))
    plain: defaultdict[int, list[int]] = defaultdict(lambda: [0] * 6)
    watermarks: dict[str, int] = {}
    seen, late = set(), 0
    for text in (text for day in days for text in day.batch.texts):
        receipt = admit(json.loads(text)["store_id"].encode(), text, FUTURE_MS, 0)
        at, store = receipt.occurred_at // 1_000_000 - BEGIN, int(receipt.store_id) - 1
        if at // WINDOW * WINDOW + WINDOW + GRACE <= watermarks.get(receipt.store_id, -1):
            late += 1
            continue
        if receipt.transaction_id in seen:
            continue
        seen.add(receipt.transaction_id)
        watermarks[receipt.store_id] = max(at, watermarks.get(receipt.store_id, -1))
        plain[int(row_days.keys(store, at // WINDOW, row_days.ITS_RECEIPTS))][5] += 1
        occurs = set()
        for _, sku, *figures, _restocked in signed_lines(receipt):
            total = plain[int(row_days.keys(store, at // WINDOW, int(sku) - FIRST_SKU))]
            for place, figure in enumerate([*figures, sku not in occurs]):
                total[place] += figure
            occurs.add(sku)
    assert late == sum(day.results["late"] for day in days) > 0
    assert {int(row["key"]): [int(row[name]) for name in row_days.FIGURES] for row in counted} == plain


def test_every_currency_store_and_sku_is_one_of_the_chains(days):
    receipt = json.loads(days[0].batch.texts[0])
    assert receipt["currency"] == CURRENCY
    heads, lines = SMALL.receipts(0)
    assert set(np.unique(heads["store"])) <= set(range(STORES))
    assert set(np.unique(lines["sku"])) <= set(range(SKUS))


def test_few_skus_make_most_of_the_lines_and_large_stores_sell_many_times_what_small_ones_do():
    heads, lines = Chain(500_000).receipts(0)
    sold = np.sort(np.bincount(lines["sku"], minlength=SKUS))[::-1]
    assert sold[: SKUS // 100].sum() > 0.4 * len(lines)
    receipts = np.sort(np.bincount(heads["store"], minlength=STORES))
    assert receipts[-10:].mean() > 5 * receipts[:10].mean()


def batch(*lines_of_each):
    heads = np.zeros(len(lines_of_each), tills.HEAD)
    heads["lines"] = lines_of_each
    rows = np.zeros(sum(lines_of_each), row_days.ROW)
    rows["key"] = np.arange(len(rows))
    return Batch(heads, np.array([b"%d" % at for at in range(len(heads))], dtype=object), rows)


def test_taking_some_receipts_takes_their_rows_in_their_order():
    found = batch(2, 1, 3).take(np.array([2, 0]))
    assert list(found.texts) == [b"2", b"0"]
    assert list(found.rows["key"]) == [3, 4, 5, 0, 1]


def heads_of(*pairs):
    heads = np.zeros(len(pairs), tills.HEAD)
    heads["store"], heads["occurred"] = zip(*pairs, strict=True)
    return heads


#        0 .. 300 | window of 5 minutes, grace 1000: closed from 1300 on
#   A    10             1299       20 in time       1300        20 late
@pytest.mark.parametrize(
    ("pairs", "late"),
    [
        ([(0, 10), (0, 1299), (0, 20)], [False, False, False]),
        ([(0, 10), (0, 1300), (0, 20)], [False, False, True]),
        ([(0, 1300), (1, 20)], [False, False]),
        ([(1, 1300), (0, 1300), (1, 20), (0, 301)], [False, False, True, False]),
    ],
)
def test_late_is_what_its_own_stores_watermark_has_closed(pairs, late):
    found, _ = judged(heads_of(*pairs), np.full(STORES, -(2**40)), 1000)
    assert found.tolist() == late


def test_watermarks_go_on_from_the_day_before_and_never_back():
    before = np.full(STORES, -(2**40))
    before[3] = 5_000
    late, after = judged(heads_of((3, 10), (3, 4_000), (4, 7)), before, 1000)
    assert late.tolist() == [True, False, False]
    assert (after[3], after[4], after[5]) == (5_000, 7, -(2**40))
