"""How each contestant's totals are named and read back, on bytes as they wrote them."""

import json

import pytest
from lib import totals

NAME = "406|1037840|2017-01-01T11"


@pytest.mark.parametrize(
    ("read", "key", "value"),
    [
        (totals.read_kafka_streams, b"406|1037840|2017-01-01T11", (598_000).to_bytes(8, "big")),
        (totals.read_quix, b'"406"|"1037840|2017-01-01T11"', b"598000"),
        (totals.read_textbook_faust, b'"406|1037840|2017-01-01T11"', b'"59.80"'),
        (
            totals.read_flink,
            b'{"store_id":"406","sku":"1037840","hour_of":"2017-01-01T11"}',
            b'{"store_id":"406","sku":"1037840","hour_of":"2017-01-01T11","revenue":59.8000}',
        ),
    ],
    ids=["Kafka Streams", "Quix", "textbook Faust", "Flink"],
)
def test_each_contestant_names_the_same_total_by_the_same_name(read, key, value):
    assert read(key, value) == (NAME, 598_000)


def test_a_revenue_below_zero_is_read_as_such():
    assert totals.read_kafka_streams(NAME.encode(), (-5).to_bytes(8, "big", signed=True)) == (NAME, -5)


def test_money_is_read_exactly_where_a_float_would_not_do():
    value = b'{"revenue":90071992547409.9371}'
    key = b'{"store_id":"1","sku":"2","hour_of":"3"}'
    assert totals.read_flink(key, value)[1] == 900_719_925_474_099_371


def receipt(moment, *lines):
    listed = [{"sku": sku, "quantity": "1", "amount": amount} for sku, amount in lines]
    return json.dumps({"store_id": "406", "occurred_at": moment, "lines": listed, "currency": "USD"}).encode()


def test_the_receipts_own_sum_is_by_store_sku_and_hour():
    texts = [
        receipt("2017-01-01T11:00:00Z", ("7", "0.10"), ("7", "0.20"), ("8", "1")),
        receipt("2017-01-01T11:59:59Z", ("7", "59.80")),
        receipt("2017-01-01T12:00:00Z", ("7", "0.0001")),
    ]
    assert totals.expected(texts) == {
        "406|7|2017-01-01T11": 601_000,
        "406|8|2017-01-01T11": 10_000,
        "406|7|2017-01-01T12": 1,
    }


@pytest.mark.parametrize(
    ("found", "many"),
    [({"a": 1, "b": 2}, 0), ({"a": 1}, 1), ({"a": 1, "b": 3}, 1), ({"a": 1, "b": 2, "c": 0}, 1), ({"c": 3}, 3)],
    ids=["the same", "one is missing", "one is not the same", "one too many", "another sum of the same"],
)
def test_every_total_that_is_not_the_receipts_own_is_a_difference(found, many):
    assert totals.differences({"a": 1, "b": 2}, found) == many


def test_a_window_belongs_to_the_hour_in_which_it_starts():
    assert totals.hour_of(1_483_268_100_000_000) == "2017-01-01T10"
    assert totals.hour_of(1_483_268_400_000_000) == "2017-01-01T11"
