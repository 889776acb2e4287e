"""Which shelves are counted, so that the receipts empty them one after the other, and what webhooks of them take."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from lib.hook_waits import faults, hook_waits, missing
from lib.hooks import Hook
from lib.paced import first
from lib.shelves import Shelf, counts, shelves

from schemas import stock
from tillstream.outgoing import Outgoing

AT = 1_483_271_000_000_000


def receipt(store, *bought):
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in bought]
    return Outgoing(store, AT, json.dumps({"lines": lines}).encode(), len(lines))


RECEIPTS = [
    receipt("1", ("a", "2"), ("b", "1")),
    receipt("2", ("a", "5")),
    receipt("1", ("a", "1"), ("a", "3"), ("c", "0")),
    receipt("1", ("d", "999999")),
    receipt("1", ("d", "1"), ("e", "0.5")),
]


def test_a_shelf_has_as_many_units_as_its_store_sells_up_to_the_receipt_that_empties_it():
    assert shelves(RECEIPTS, 4) == [Shelf("1", "a", Decimal(6), 2), Shelf("1", "e", Decimal("0.5"), 4)]


def test_a_shelf_is_counted_once_and_never_for_what_is_not_bought_or_is_too_much_for_a_movement():
    found = shelves(RECEIPTS, 1)
    assert [(one.store_id, one.sku) for one in found] == [("1", "a"), ("2", "a"), ("1", "d"), ("1", "e")]
    assert found[2].units == 999_999


def test_counts_are_movements_that_are_taken_and_lie_before_the_first_receipt():
    [one, _] = counts(shelves(RECEIPTS, 4), AT)
    movement = stock.admit(one.store_id.encode(), one.value, AT // 1000, 0)
    assert (movement.kind, movement.quantity, movement.occurred_at) == ("count", 600_000, AT - 1_000_000)


def test_the_first_receipts_that_have_so_many_lines():
    assert first(RECEIPTS, 3) == RECEIPTS[:2]
    assert first(RECEIPTS, 4) == RECEIPTS[:3]
    assert first(RECEIPTS, 99) == RECEIPTS


SHELVES = [Shelf("1", "a", Decimal(6), 2), Shelf("1", "e", Decimal(1), 4)]
ACKNOWLEDGED = [(float(10 + number), 0, number) for number in range(5)]


def hook(moment, sku, *, name="", rule="stock_out", kind="restock.raised", sequence=1, store="1"):
    said = {"store_id": store, "sku": sku, "rule": rule, "sequence": sequence}
    return Hook(moment, name or f"{kind}-{rule}-{store}-{sku}-{sequence}", kind, said)


# Beside what is measured: what low stock says of the same shelves, and that more is at risk on one of them.
GOT = [
    hook(11.0, "a", rule="reorder_point"),
    hook(12.25, "a"),
    hook(12.3, "a", rule="reorder_point", kind="restock.resolved", sequence=2),
    hook(13.0, "a", sequence=2),
    hook(14.5, "e"),
]


def test_a_wait_is_from_the_acknowledgement_of_the_receipt_that_empties_the_shelf():
    assert faults(SHELVES, GOT) == []
    assert list(hook_waits(SHELVES, GOT, ACKNOWLEDGED, 0)) == pytest.approx([0.25, 0.5])
    assert list(hook_waits(SHELVES, GOT, ACKNOWLEDGED, 3)) == pytest.approx([0.5])


def test_what_did_not_come_or_came_twice_is_a_fault():
    assert missing(SHELVES, GOT[:4]) == 1
    assert faults(SHELVES, GOT[:4]) == ["1 of 2 webhooks did not come"]
    assert faults(SHELVES, [*GOT, GOT[0]]) == ["1 webhooks came more than once"]
    assert faults(SHELVES, [*GOT, hook(15.0, "e", name="another")]) == ["1 shelves were told of more than once"]
    assert faults(SHELVES, [*GOT, hook(15.0, "z")]) == ["1 shelves were told of that nobody counted"]
