"""Receipts in files: NDJSON, CSV and Parquet give the same receipts, and each fault is told with its line."""

from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal

import cramjam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.decode import decode
from schemas.errors import Refused, Stop
from tests.unit.schemas.receipts import RECEIPT, encoded
from tillstream import files
from tillstream.products import read_products
from tillstream.sources import FileSource

HEADER = "transaction_id,store_id,occurred_at,currency,type,sku,quantity,amount,discount,void"
ROWS = [
    "t1,007,2026-11-23T17:05:09+01:00,NOK,,0070,2,59.80,5.00,",
    "t1,007,,,,0071,0.754,112.35,,true",
    't2,"7,8",2026-11-23T17:06:00Z,NOK,return,"a ""b""",1,1.00,,',
]
CSV = "\n".join([HEADER, *ROWS]) + "\n"


def write(folder, name, content):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(file):
    return list(files.read_receipts(file))


def refused(file):
    return [(line, found.path, found.reason) for line, found in read(file) if isinstance(found, Refused)]


def test_csv_keeps_every_cell_as_text_and_empty_is_absent(tmp_path):
    (first, one), (third, two) = read(write(tmp_path, "a.csv", CSV))
    assert (first, third) == (2, 4)
    assert json.loads(one) == {
        "transaction_id": "t1", "store_id": "007", "occurred_at": "2026-11-23T17:05:09+01:00", "currency": "NOK",
        "lines": [
            {"sku": "0070", "quantity": "2", "amount": "59.80", "discount": "5.00"},
            {"sku": "0071", "quantity": "0.754", "amount": "112.35", "void": True},
        ],
    }  # fmt: skip
    found = decode(two)
    assert (found.store_id, found.lines.sku, found.lines.returned) == ("7,8", ['a "b"'], [True])


def parquet(folder, **columns):
    file = folder / "a.parquet"
    pq.write_table(pa.table(columns), file)
    return file


COLUMNS = {
    "transaction_id": ["t1", "t1", "t2"], "store_id": ["007", "007", "7,8"], "currency": ["NOK"] * 3,
    "type": [None, None, "return"], "sku": ["0070", "0071", 'a "b"'], "discount": ["5.00", None, None],
    "occurred_at": ["2026-11-23T17:05:09+01:00", None, "2026-11-23T17:06:00Z"], "amount": ["59.80", "112.35", "1.00"],
    "quantity": ["2", "0.754", "1"], "void": [None, True, None],
}  # fmt: skip


def test_parquet_and_csv_give_the_same_receipts(tmp_path):
    from_csv = [decode(value) for _, value in read(write(tmp_path, "a.csv", CSV))]
    assert [decode(value) for _, value in read(parquet(tmp_path, **COLUMNS))] == from_csv
    moment = [datetime(2026, 11, 23, 16, 5, 9, tzinfo=UTC)] * 2 + [datetime(2026, 11, 23, 16, 6, tzinfo=UTC)]
    typed = {
        **COLUMNS,
        "occurred_at": pa.array(moment, pa.timestamp("us", tz="UTC")),
        "amount": pa.array([Decimal("59.80"), Decimal("112.35"), Decimal("1.00")], pa.decimal128(9, 2)),
        "quantity": pa.array(["2", "0.754", "1"]).dictionary_encode(),
        "sku": pa.array(COLUMNS["sku"], pa.large_string()),
    }
    exact = [decode(value) for _, value in read(parquet(tmp_path, **typed))]
    assert [one.lines for one in exact] == [one.lines for one in from_csv]
    assert exact[0].occurred_at == from_csv[0].occurred_at


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("amount", pa.array([59.8, 112.35, 1.0]), "a float has lost its places"),
        ("occurred_at", pa.array([0, 1, 2], pa.timestamp("us")), "as text with its offset"),
        ("sku", pa.array([[1], [2], [3]]), "Write it as text"),
    ],
)
def test_parquet_columns_that_cannot_be_read_exactly_are_refused(tmp_path, column, values, said):
    with pytest.raises(Stop) as stopped:
        read(parquet(tmp_path, **{**COLUMNS, column: values}))
    assert column in stopped.value.sentence
    assert said in stopped.value.hint


def test_ndjson_is_handed_on_byte_for_byte_however_it_is_packed(tmp_path):
    line = encoded(RECEIPT)
    content = b"\xef\xbb\xbf" + line + b"\r\n\n   \n" + line + b"\n{\n" + line
    wanted = [(1, line), (4, line), (5, b"{"), (6, line)]
    assert read(write(tmp_path, "a.ndjson", content)) == wanted
    assert read(write(tmp_path, "a.jsonl.gz", gzip.compress(content))) == wanted
    assert read(write(tmp_path, "a.json.zst", bytes(cramjam.zstd.compress(content)))) == wanted


def test_standard_input_is_ndjson(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(encoded(RECEIPT) + b"\n")))
    assert read("-") == [(1, encoded(RECEIPT))]


def test_a_line_without_end_is_cut_and_the_next_one_is_read(tmp_path):
    long = b'"' + b"x" * (files.LONGEST_LINE + 10) + b'"\n'
    found = read(write(tmp_path, "a.ndjson", long + encoded(RECEIPT) + b"\n"))
    assert [line for line, _ in found] == [1, 2]
    assert len(found[0][1]) <= files.LONGEST_LINE
    assert found[1][1] == encoded(RECEIPT)


@pytest.mark.parametrize(
    ("rows", "line", "path", "reason"),
    [
        (
            ["t1,7,2026-11-23T17:05:09Z,NOK,,a,1,1,,", "t1,7,2026-11-24T17:05:09Z,,,b,1,1,,"],
            2,
            "$.occurred_at",
            "line 3",
        ),
        ([ROWS[0], ROWS[2], ROWS[1]], 4, "$.transaction_id", "line 2 already"),
        ([ROWS[0] + ",extra"], 2, "$", "line 2 has 11 cells, the header has 10"),
        (["t1,7"], 2, "$", "line 2 has 2 cells"),
    ],
)
def test_rows_that_make_no_receipt_are_refused_with_their_line(tmp_path, rows, line, path, reason):
    found = refused(write(tmp_path, "a.csv", "\n".join([HEADER, *rows])))
    assert [(one[0], one[1]) for one in found] == [(line, path)]
    assert reason in found[0][2]


def test_a_sale_and_its_post_void_of_the_same_id_are_two_receipts(tmp_path):
    row = "t1,7,2026-11-23T17:05:09Z,NOK,{},a,1,1.00,,"
    found = read(write(tmp_path, "a.csv", "\n".join([HEADER, row.format("sale"), row.format("post_void")])))
    assert [decode(value).type for _, value in found] == ["sale", "post_void"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "store_id,sku\n1,a\n", "has no column transaction_id"),
        ("a.csv", HEADER + ",sku\n", "the column sku more than once"),
        ("a.csv", HEADER + "\n\xff".encode("latin-1").decode("latin-1"), None),
        ("a.csv", b"\xff\xfe" + HEADER.encode(), "not UTF-8"),
        ("a.csv", HEADER + '\n"open', "no CSV"),
        ("a.parquet", "no parquet", "no Parquet file"),
        ("a.txt", "", "of a kind that is not known"),
        ("a.ndjson.gz", "no gzip", "cannot be read on after line 0"),
        ("a.ndjson.gz", gzip.compress(b"{}\n" * 9999, mtime=0)[:-20], "cannot be read on after line"),
    ],
    ids=lambda one: one if isinstance(one, str) and len(one) < 30 else "",
)
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path, name, content, said):
    file = write(tmp_path, name, content)
    if said is None:
        assert refused(file)
        return
    with pytest.raises(Stop) as stopped:
        read(file)
    assert said in stopped.value.sentence
    assert name in stopped.value.sentence


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(Stop, match="is no file"):
        read(tmp_path / "none.ndjson")


def test_a_source_counts_what_it_refuses_and_goes_on(tmp_path):
    good = encoded(RECEIPT)
    file = write(tmp_path, "a.ndjson", b"\n".join([good, b"{", good.replace(b"59.80", b"-1"), good]))
    source = FileSource(file)
    assert [one.value for one in source] == [good, good]
    assert source.refused == 2
    assert [(one.line, one.path) for one in source.refusals] == [(2, "$"), (3, "$.lines[0].amount")]
    assert [one.value for one in FileSource(file, unchecked=True)][1] == b"{"
    assert len(list(FileSource(file, limit=1))) == 1


def test_products_are_read_from_every_kind_and_faults_are_told_with_their_line(tmp_path):
    table = {"sku": ["1", "2"], "name": ["Milk", None]}
    pq.write_table(pa.table(table), tmp_path / "p.parquet")
    from_parquet = list(read_products(tmp_path / "p.parquet"))
    assert list(read_products(write(tmp_path, "p.csv", "name,sku\nMilk,1\n,2\n"))) == from_parquet
    assert list(read_products(write(tmp_path, "p.ndjson", '{"sku":"1","name":"Milk"}\n{"sku":"2"}\n'))) == from_parquet
    for name, content, said in (
        ("q.csv", "name\nMilk\n", "no column sku"),
        ("q.csv", "sku,name\n1\n", "line 2: 1 cells"),
        ("q.ndjson", '{"sku":"1"}\n{"name":"x"}\n', "line 2"),
        ("q.ndjson", '{"sku":""}\n', "1 to 128"),
    ):
        with pytest.raises(Stop, match=said):
            list(read_products(write(tmp_path, name, content)))
