"""Campaigns as people write them: from TOML and CSV alike, each fault with its campaign or line, its field and why."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import feed
from schemas.errors import Stop
from schemas.feed import Campaign
from schemas.times import instant
from tillstream import campaigns, feed_log

DATA = Path(__file__).parents[2] / "data/campaigns.toml"
TAUGHT = [
    Campaign(
        campaign_id="easter-26", skus=["2000000000017", "7038010055720"],
        since=instant("2026-03-28T05:00:00Z"), until=instant("2026-04-06T04:00:00Z"),
    ),
    Campaign(
        campaign_id="opening-12", skus=["7038010055720"], stores=["12"],
        since=instant("2105-01-01T00:00:00Z"), until=instant("2105-01-08T00:00:00Z"),
    ),
]  # fmt: skip
CSV = """campaign_id,sku,since,until,store
easter-26,7038010055720,2026-03-28T06:00+01:00,2026-04-06T06:00+02:00,
opening-12,7038010055720,2105-01-01T00:00Z,2105-01-08T00:00Z,12
easter-26,2000000000017,2026-03-28T06:00+01:00,2026-04-06T06:00+02:00,
easter-26,2000000000017,2026-03-28T06:00+01:00,2026-04-06T06:00+02:00,
"""
GOOD = {"campaign_id": '"c"', "skus": '["a"]', "since": '"2026-01-01T00:00Z"', "until": '"2026-01-02T00:00Z"'}


def toml(tmp_path, *tables):
    file = tmp_path / "campaigns.toml"
    text = ["[[campaign]]\n" + "\n".join(f"{name} = {value}" for name, value in table.items()) for table in tables]
    file.write_text("\n".join(text), "utf-8")
    return file


def test_toml_csv_parquet_and_standard_input_give_the_same(tmp_path, monkeypatch):
    table = tmp_path / "campaigns.csv"
    table.write_text(CSV, "utf-8")
    assert campaigns.read(DATA) == campaigns.read(table) == TAUGHT
    header, *rows = (line.split(",") for line in CSV.splitlines())
    columns = {name: [row[at] or None for row in rows] for at, name in enumerate(header)}
    pq.write_table(pa.table(columns), tmp_path / "campaigns.parquet")
    assert campaigns.read(tmp_path / "campaigns.parquet") == TAUGHT
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DATA.read_bytes())))
    assert campaigns.read("-") == TAUGHT


def test_the_order_of_skus_and_stores_makes_no_other_campaign(tmp_path):
    one = toml(tmp_path, {**GOOD, "skus": '["a", "b", "a"]', "stores": '["2", "1"]'})
    (found,) = campaigns.read(one)
    assert (found.skus, found.stores) == (["a", "b"], ["1", "2"])
    assert campaigns.read(toml(tmp_path, {**GOOD, "skus": '["b", "a"]', "stores": '["1", "2"]'})) == [found]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sinse": '"2026-01-01T00:00Z"'}, "campaign 2, sinse: is no field; did you mean since?"),
        ({"campaign_id": None}, "campaign 2, campaign_id: is missing"),
        ({"campaign_id": "5"}, "campaign 2, campaign_id: must be a text: put it into quotes"),
        ({"campaign_id": '"first"'}, "campaign 2, campaign_id: first is in the file twice"),
        ({"skus": "[]"}, "campaign 2, skus: must name a SKU"),
        ({"skus": "[1]"}, "campaign 2, skus: must be a text"),
        ({"skus": '[""]'}, "campaign 2, skus: must have 1 to 128 characters"),
        ({"stores": '["\\u0007"]'}, "campaign 2, stores: holds a control character"),
        ({"since": '"2026-01-01T00:00"'}, "campaign 2, since: must be an RFC 3339 time with its offset"),
        ({"since": "2026-01-01T00:00:00"}, "campaign 2, since: has no offset from UTC"),
        ({"since": "2026-01-01"}, "campaign 2, since: must be a time with its offset"),
        ({"until": "5"}, "campaign 2, until: must be a time with its offset"),
        ({"until": '"2025-12-31T00:00Z"'}, "campaign 2, until: must not be before since"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_campaign_its_field_and_why(tmp_path, change, said):
    wrong = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(Stop) as told:
        campaigns.read(toml(tmp_path, {**GOOD, "campaign_id": '"first"'}, wrong))
    assert said in told.value.sentence
    assert told.value.hint == "docs/campaigns.md lists the fields of a campaign."


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["c,a,2026-01-01T00:00Z,2026-01-02T00:00Z,,x"], "6 cells, the header has 5"),
        (["c,a,,2026-01-02T00:00Z,"], "line 2, since: is missing"),
        (["c,,2026-01-01T00:00Z,2026-01-02T00:00Z,"], "line 2, sku: is missing"),
        (["c,a,2026-01-01T00:00Z,2026-01-02T00:00Z,", "c,b,2026-01-01T00:00Z,2026-01-03T00:00Z,"],
         "line 3, until: is not what the first row of campaign c says"),
        (["c,a,2026-01-01T00:00Z,2026-01-02T00:00Z,1", "c,b,2026-01-01T00:00Z,2026-01-02T00:00Z,2"],
         "campaign c, store: each of its SKUs must have the same stores"),
        (["c,a,2026-01-01T00:00Z,2026-01-02T00:00Z,1", "c,a,2026-01-01T00:00Z,2026-01-02T00:00Z,"],
         "campaign c, store: each of its SKUs must have the same stores"),
    ],
)  # fmt: skip
def test_a_fault_of_a_row_is_told_with_its_line(tmp_path, rows, said):
    file = tmp_path / "campaigns.csv"
    file.write_text("\n".join(["campaign_id,sku,since,until,store", *rows]) + "\n", "utf-8")
    with pytest.raises(Stop) as told:
        campaigns.read(file)
    assert said in told.value.sentence


def test_a_file_of_another_kind_or_without_campaigns_is_refused(tmp_path):
    for name, text, said in (
        ("c.ndjson", "{}", "is of a kind that is not known"), ("c.toml", "x = 1", "has no [[campaign]]"),
        ("c.toml", "[[", "is no TOML"), ("c.csv", "campaign_id,skus\n", "has no column sku, since, until"),
    ):  # fmt: skip
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(Stop) as told:
            campaigns.read(tmp_path / name)
        assert said in told.value.sentence


def test_one_that_no_message_takes_is_refused(tmp_path):
    names = ", ".join(f'"{number:0128}"' for number in range(33_000))
    with pytest.raises(Stop) as told:
        campaigns.read(toml(tmp_path, {**GOOD, "skus": f"[{names}]"}))
    assert "campaign 1, skus: are too many for a message: 33,000" in told.value.sentence


def test_a_message_of_the_feed_begins_as_it_is_looked_for():
    for one in TAUGHT:
        assert feed.encode(one).startswith(feed_log.head(Campaign))


def test_its_state_is_by_its_moments():
    one = Campaign(campaign_id="c", skus=["a"], since=10, until=20)
    assert [campaigns.state(one, now) for now in (9, 10, 19, 20)] == ["to come", "running", "running", "over"]
    assert campaigns.state(Campaign(campaign_id="c", skus=["a"], since=10, until=10), 5) == "cancelled"
