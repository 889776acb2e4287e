"""docs/schemas: generated from the types, right about the contract's examples, and of one mind with decode."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from schemas import alert, deadletter, epoch, json_schema, late, stock, window
from schemas.decode import decode
from schemas.errors import Refused
from schemas.topics import all_topics
from tests.unit.schemas.receipts import RECEIPT, changed, encoded
from tests.unit.schemas.test_decode import REFUSED

FOLDER = Path(__file__).parents[2] / "docs/schemas"
SCHEMAS = json_schema.schemas()
# What a schema cannot tell: moments that do not exist, places of JSON numbers, whether a string holds a card.
UNTELLABLE = ("no moment", "1970 to 2105", "no day", "card number")


def valid(name, value):
    validator = jsonschema.Draft202012Validator(SCHEMAS[name])
    return validator.is_valid(value)


def test_the_files_are_those_that_the_types_give():
    written = {file.stem: file.read_text("utf-8") for file in FOLDER.glob("*.json")}
    assert written == {name: json_schema.text(schema) for name, schema in SCHEMAS.items()}, "run `make docs`"


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_the_contracts_receipt_is_valid():
    assert valid("receipt", RECEIPT)
    assert valid("receipt", changed("$.lines[0].quantity", 2))


@pytest.mark.parametrize(("path", "value", "reason"), REFUSED)
def test_the_schema_refuses_what_decode_refuses_where_a_schema_can_tell(path, value, reason):
    assert valid("receipt", changed(path, value)) == any(words in reason for words in UNTELLABLE)


MOVEMENT = {
    "movement_id": "m1", "store_id": "12", "sku": "7038010055720", "kind": "delivery", "quantity": "12",
    "occurred_at": "2026-11-23T17:05:09+01:00",
}  # fmt: skip


@pytest.mark.parametrize("kind", stock.KINDS)
@pytest.mark.parametrize("quantity", ["12", 12, "0.75", "0"])
def test_every_kind_of_movement_is_read_and_valid(kind, quantity):
    movement = {**MOVEMENT, "kind": kind, "quantity": quantity, "note": "ignored"}
    assert valid("stock-movement", movement)
    found = stock.decode(encoded(movement))
    assert (found.movement_id, found.store_id, found.sku, found.kind) == ("m1", "12", "7038010055720", kind)
    assert found.quantity == round(float(quantity) * 100_000)
    assert found.occurred_at == decode(encoded(RECEIPT)).occurred_at


def test_only_an_adjustment_may_be_negative():
    assert stock.decode(encoded({**MOVEMENT, "kind": "adjustment", "quantity": "-2.5"})).quantity == -250_000
    with pytest.raises(Refused, match=r"\$.quantity: must not be negative"):
        stock.decode(encoded({**MOVEMENT, "quantity": "-2.5"}))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("movement_id", None, "is missing"), ("movement_id", "", "1 to 128"), ("store_id", 12, "must be a string"),
        ("sku", "a\nb", "control"), ("kind", "sale", "must be one of count"), ("quantity", "1.000000", "5 decimal"),
        ("quantity", None, "is missing"), ("quantity", "1000000", "below"), ("quantity", [], "must be a number"),
        ("occurred_at", "2026-11-23", "RFC 3339"), ("occurred_at", 1, "must be a string"),
    ],
)  # fmt: skip
def test_a_movement_that_breaks_a_rule_is_refused_with_its_path(field, value, reason):
    movement = {**MOVEMENT, field: value}
    with pytest.raises(Refused) as refused:
        stock.decode(encoded(movement))
    assert refused.value.path == f"$.{field}"
    assert reason in refused.value.reason
    assert not valid("stock-movement", movement)


def test_an_alert_is_read_back_and_valid_alone_and_in_a_webhook():
    raised = alert.Alert(
        alert_id="a1", rule="stock_out", state="raised", severity="critical", store_id="12", sku="s",
        product=alert.Product("Milk"), on_hand="0", on_order="12", lost_revenue_per_day="120.50",
        window_start="2026-11-23T16:05:00Z", raised_at="2026-11-23T16:05:09Z", sequence=1, dashboard="/alerts/a1",
    )  # fmt: skip
    assert alert.decode(alert.encode(raised)) == raised
    assert valid("alert", json.loads(alert.encode(raised)))
    body = {"type": "restock.raised", "timestamp": "2026-11-23T16:05:09Z", "data": json.loads(alert.encode(raised))}
    assert valid("webhook", body)
    assert not valid("webhook", {**body, "type": "restock.gone"})


def test_messages_of_our_own_are_valid():
    row = [200_000, 0, 598_000, 50_000, 0, 1, 17]
    rows = {"NOK": {"2026-11-23": {"7038010055720": row}}}
    found = window.WindowMessage(1, 3, "12", 1_795_453_500_000_000, 1, 17, rows)
    assert window.decode(window.encode(found)) == found
    assert valid("window", json.loads(window.encode(found)))
    for store in ["12", 'a "quoted" \\ one', "æ"]:
        whole = window.WindowMessage(1, 3, store, 1_795_453_500_000_000, -1, 17, rows)
        assert window.encode(whole).startswith(window.head_of(1, 3, store) + b"1795453500000000,")
    counts = window.CountsMessage(1, 3, 17, {"folded": 18})
    assert valid("counts", json.loads(window.encode(counts)))
    straggler = late.LateMessage(
        1, 3, 18, "12", "t1", False, 5, 0, 9, "NOK", "2026-11-23", 1, [late.LateLine(1, "s", 1, 0, 2, 0, 0, 1)]
    )
    assert late.decode(late.encode(straggler)) == straggler
    assert valid("late", json.loads(late.encode(straggler)))
    begun = epoch.Epoch(1, "live", 300, 345_600)
    assert epoch.decode(epoch.encode(begun)) == begun
    assert valid("epoch", json.loads(epoch.encode(begun)))


def test_a_dead_letter_is_read_back_with_its_headers():
    letter = deadletter.DeadLetter(b"12", b"{", "is no JSON", "$", "pos.receipts", 3, 17)
    assert deadletter.read(letter.key, letter.value, letter.headers()) == letter
    assert valid("dead-letter", {name: text.decode() for name, text in letter.headers()})


def test_every_topic_is_named_after_the_contract_and_input_topics_share_the_partition_count():
    names = {spec.name: spec for spec in all_topics("p.", 8, -1)}
    wanted = {
        "pos.receipts", "stock.movements", "sales.windows", "restock.feed", "restock.alerts", "webhook.deliveries",
        "stock.positions", "restock.state", "tillstream.epochs", "pos.late", "pos.rejected",
    }  # fmt: skip
    assert {f"p.{name}" for name in wanted} <= set(names)
    assert {names[f"p.{name}"].partitions for name in wanted - {"tillstream.epochs"}} == {8}
    assert {spec.config["message.timestamp.type"] for spec in names.values()} == {"LogAppendTime"}
    assert all(
        spec.config["max.message.bytes"] == str(4 * 1024**2) for name, spec in names.items() if name[2:] in wanted
    )
