"""Stock movements in files: NDJSON, CSV and Parquet give the same, and each fault is told with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import stock
from schemas.errors import Refused, Stop
from tests.contract.test_schemas import MOVEMENT
from tests.unit.schemas.receipts import encoded
from tillstream.file_movements import checked, read_movements
from tillstream.sources import FileSource

CSV = """movement_id,store_id,sku,kind,quantity,occurred_at,expected_at,note
m1,007,0070,count,12,2026-11-23T17:05:09+01:00,,x
m2,007,0070,order_placed,0.5,2026-11-23T17:05:09+01:00,2026-11-25T07:00:00Z,
"""


def movements(file):
    return [(line, stock.decode(value)) for line, value in read_movements(file)]


def test_csv_is_read_as_text_and_empty_is_absent(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(CSV, "utf-8")
    (second, count), (third, order) = movements(file)
    assert (second, third) == (2, 3)
    assert (count.store_id, count.sku, count.kind, count.quantity) == ("007", "0070", "count", 1_200_000)
    assert (count.expected_at, count.alert_id) == (None, "")
    assert (order.quantity, order.expected_at) == (50_000, 1_795_590_000_000_000)


def test_parquet_gives_the_same_as_csv(tmp_path):
    at = datetime(2026, 11, 23, 16, 5, 9, tzinfo=UTC)
    table = pa.table(
        {
            "movement_id": ["m1"], "store_id": ["007"], "sku": ["0070"], "kind": ["count"],
            "quantity": pa.array([Decimal("12.00")], pa.decimal128(18, 2)),
            "occurred_at": pa.array([at], pa.timestamp("us", tz="UTC")),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("\n".join(CSV.splitlines()[:2]), "utf-8")
    assert [found for _, found in movements(tmp_path / "a.parquet")] == [
        found for _, found in movements(tmp_path / "a.csv")
    ]


def test_ndjson_is_handed_on_byte_for_byte(tmp_path):
    file = tmp_path / "a.ndjson"
    file.write_bytes(encoded({**MOVEMENT, "note": "kept"}) + b"\n\n" + encoded(MOVEMENT))
    assert list(read_movements(file)) == [(1, encoded({**MOVEMENT, "note": "kept"})), (3, encoded(MOVEMENT))]


def test_faults_have_line_path_and_reason_and_the_others_go_on(tmp_path):
    file = tmp_path / "a.csv"
    rows = ["m3,007,0070,sale,1,2026-11-23T17:05:09Z,,", "m4,007,0070,count,-1,2026-11-23T17:05:09Z,,", "m5,007"]
    file.write_text(CSV + "\n".join(rows), "utf-8")
    source = FileSource(file, check=checked, read=read_movements)
    assert [one.store_id for one in source] == ["007", "007"]
    assert [(one.line, one.path) for one in source.refusals] == [(4, "$.kind"), (5, "$.quantity"), (6, "$")]
    assert "must be one of count" in source.refusals[0].reason
    assert "has 2 cells, the header has 8" in source.refusals[2].reason


def test_a_column_that_is_missing_is_named(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("movement_id,store_id,sku,kind,quantity\n", "utf-8")
    with pytest.raises(Stop, match="has no column occurred_at"):
        list(read_movements(file))


def test_what_is_no_movement_is_refused_as_the_topic_refuses_it():
    with pytest.raises(Refused, match=r"\$\.sku: is missing"):
        checked(encoded({name: value for name, value in MOVEMENT.items() if name != "sku"}))
