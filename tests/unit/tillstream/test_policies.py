"""Policies as people write them: exact, from TOML, CSV and settings alike, each fault with its rule and field."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from schemas import feed
from schemas.errors import Stop
from schemas.feed import PoliciesSet, PolicySetting
from tillstream import feed_log, policies, policy_log, settings
from tillstream.policies import checked

DATA = Path(__file__).parents[2] / "data/policies.toml"
TAUGHT = [
    PolicySetting(lead_time=2.0, service_level=0.95),
    PolicySetting(category="Milk", lead_time=1.0, pack=600_000),
    PolicySetting(store="12", sku="7038010055720", reorder_point=1_150_000, critical_per_day=2_500_000),
]
CSV = """store,sku,category,lead_time,service_level,pack,reorder_point,critical_per_day
,,,2d,0.95,,,
,,Milk,1,,6,,
12,7038010055720,,,,,11.5,250.00
"""


def test_toml_csv_and_settings_give_the_same(tmp_path, monkeypatch):
    table = tmp_path / "policies.csv"
    table.write_text(CSV, "utf-8")
    assert policies.read(DATA) == policies.read(table) == TAUGHT
    monkeypatch.setenv("TILLSTREAM_CONFIG", str(DATA))
    assert checked("[[policy]]", settings.load().policy) == TAUGHT
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DATA.read_bytes())))
    assert policies.read("-") == TAUGHT


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("lead_time", "36h", 1.5), ("lead_time", 2, 2.0), ("lead_time", 0.5, 0.5), ("lead_time", "0", 0.0),
        ("lead_time_sd", "12h", 0.5), ("review_period", "7d", 7.0), ("service_level", 0.99, 0.99),
        ("pack", "0.1", 10_000), ("pack", 0.1, 10_000), ("minimum_order", 0, 0), ("shelf_capacity", 40, 4_000_000),
        ("order_up_to", "12.5", 1_250_000), ("warning_per_day", "0.0001", 1), ("critical_per_day", 1e5, 1_000_000_000),
    ],
)  # fmt: skip
def test_each_field_is_read_exactly(name, value, read):
    (rule,) = checked("f", [{name: value}])
    assert getattr(rule, name) == read


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"lead_tme": 2}, "rule 2, lead_tme: is no field; did you mean lead_time?"),
        ({"lead_time": "soon"}, "rule 2, lead_time: is no duration"),
        ({"lead_time": "400d"}, "rule 2, lead_time: must be 0 to 365 days"),
        ({"lead_time": "-1d"}, "rule 2, lead_time: must be 0 to 365 days"),
        ({"service_level": 95}, "rule 2, service_level: must be 0.5 or more and below 1"),
        ({"service_level": 1}, "rule 2, service_level: must be"),
        ({"pack": 0}, "rule 2, pack: must be above 0"),
        ({"pack": "-6"}, "rule 2, pack: must be a number such as"),
        ({"pack": True}, "rule 2, pack: must be a number or a text"),
        ({"reorder_point": "1.123456"}, "rule 2, reorder_point: has more than 5 decimal places"),
        ({"critical_per_day": [1]}, "rule 2, critical_per_day: must be a number or a text"),
        ({"store": 12, "pack": 6}, "rule 2, store: must be a text: put it into quotes"),
        ({"sku": "a\nb", "pack": 6}, "rule 2, sku: holds a control character"),
        ({"store": "12"}, "rule 2, policy: sets nothing"),
        ({"reorder_point": 9, "order_up_to": 8}, "rule 2, order_up_to: must not be below reorder_point"),
        ({"warning_per_day": 9, "critical_per_day": 8}, "rule 2, critical_per_day: must not be below warning_per_day"),
        (7, "rule 2, policy: must be a table of fields"),
    ],
)
def test_a_fault_is_told_with_rule_and_field(rule, said):
    with pytest.raises(Stop) as stop:
        checked("policies.toml", [{"pack": 6}, rule])
    assert stop.value.sentence.startswith(f"policies.toml: {said}")


def test_all_faults_are_told_at_once():
    with pytest.raises(Stop) as stop:
        checked("f", [{"pack": 0, "lead_time": "x"}, *[{"pack": 0}] * 10])
    assert "rule 1, pack" in stop.value.sentence
    assert "rule 1, lead_time" in stop.value.sentence
    assert stop.value.sentence.endswith("; and 2 more.")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "[[polices]]\npack = 6", "has no [[policy]]"),
        ("a.toml", "[[policy]\n", "is no TOML"),
        ("a.csv", "pack,colour\n6,red\n", "rule 1, colour: is no field"),
        ("a.csv", "pack,store\n6\n", "line 2: 1 cells, the header has 2"),
        ("a.ndjson", "{}", "is of a kind that is not known"),
    ],
)
def test_a_file_that_holds_no_policies_is_a_sentence(tmp_path, name, text, said):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(Stop) as stop:
        policies.read(tmp_path / name)
    assert said in stop.value.sentence


def test_no_rules_at_all_can_be_asked_for(tmp_path):
    (tmp_path / "a.toml").write_text("policy = []\n", "utf-8")
    assert policies.read(tmp_path / "a.toml") == []


def test_a_version_is_told_by_its_rules_and_its_moment():
    one = policy_log.version(TAUGHT, 5)
    assert one == policy_log.version(list(TAUGHT), 5)
    assert len({one.version, policy_log.version(TAUGHT, 6).version, policy_log.version(TAUGHT[:2], 5).version}) == 3
    assert feed.encode(one).startswith(feed_log.head(PoliciesSet))


def test_the_latest_moment_that_has_come_holds_and_of_equal_ones_what_was_applied_last():
    first, second, planned = (policy_log.version(TAUGHT[:n], since) for n, since in ((1, 10), (2, 20), (3, 30)))
    again = policy_log.version([], 20)
    log = [planned, second, first, again]
    assert policy_log.in_force(log, 9) == (None, [first, second, again, planned])
    assert policy_log.in_force(log, 19) == (first, [second, again, planned])
    assert policy_log.in_force(log, 20) == (again, [planned])
    assert policy_log.in_force(log, 99) == (planned, [])
