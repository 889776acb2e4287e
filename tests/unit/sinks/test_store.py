"""Which answers of ClickHouse wait, stop, or stand a bad row alone. The client is a fake: no server has such moods."""

from __future__ import annotations

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from schemas.errors import Stop, Unavailable
from sinks import store as store_module
from sinks.batch import Batch, Rows, Source
from sinks.store import ClickHouseStore


def database_error(code):
    fault = DatabaseError(f"Code: {code}. DB::Exception: it says why")
    fault.code = code
    return fault


class Client:
    """Refuses tables that hold a bad value, with a code; keeps the rest."""

    def __init__(self, bad=(), code=53, fault=None):
        self.bad, self.code, self.fault = set(bad), code, fault
        self.rows: dict[str, list] = {}

    def insert_arrow(self, table, data, settings):
        assert settings["async_insert"] == 0
        assert settings["deduplicate_insert"] == "disable"
        if self.fault is not None:
            raise self.fault
        if table not in ("rejected", "rollup_touches") and self.bad & set(data.column("a").to_pylist()):
            raise database_error(self.code)
        self.rows.setdefault(table, []).extend(data.to_pylist())


def batch(values, **more):
    sources = [Source("sales.windows", 3, offset) for offset, _ in enumerate(values)]
    return Batch([Rows("t", pa.table({"a": list(values)}), sources)], **more)


def written(client, values, **more):
    ClickHouseStore("clickhouse", lambda: client).write(batch(values, **more))
    return [row["a"] for row in client.rows.get("t", [])]


def test_bad_rows_stand_alone_and_the_others_are_written_in_their_order():
    client = Client(bad=[3, 7])
    assert written(client, range(10)) == [0, 1, 2, 4, 5, 6, 8, 9]
    aside = client.rows["rejected"]
    assert [(row["topic"], row["partition"], row["offset"]) for row in aside] == [
        ("sales.windows", 3, 3), ("sales.windows", 3, 7),
    ]  # fmt: skip
    assert all("it says why" in row["reason"] for row in aside)


def test_what_could_not_be_read_is_set_aside_with_its_reason():
    client = Client()
    written(client, [], unreadable=[(Source("pos.late", 1, 2), "no such message")])
    assert [row["reason"] for row in client.rows["rejected"]] == ["no such message"]


# Timeouts, memory, disks that cannot be written, quotas, a server's own mistakes, and codes of times to come.
@pytest.mark.parametrize("code", [159, 202, 241, 252, 285, 999, 75, 76, 201, 49, 1001, 9_999])
def test_what_is_no_fault_of_a_row_is_waited_out_and_sets_no_row_aside(code):
    client = Client(bad=[1], code=code)
    with pytest.raises(Unavailable):
        written(client, [0, 1, 2])
    assert client.rows == {}


@pytest.mark.parametrize("code", [53, 69, 117, 321, 349, 407, 469, 691])
def test_what_is_a_rows_fault_sets_that_row_aside(code):
    assert written(Client(bad=[1], code=code), [0, 1, 2]) == [0, 2]


@pytest.mark.parametrize("fault", [OperationalError("refused"), OSError("reset"), DatabaseError("no code at all")])
def test_a_server_that_is_away_is_waited_out_with_a_new_client(fault):
    made = []

    def connect():
        made.append(Client(fault=fault if not made else None))
        return made[-1]

    store = ClickHouseStore("clickhouse", connect)
    with pytest.raises(Unavailable):
        store.write(batch([1]))
    if not isinstance(fault, DatabaseError):
        store.write(batch([1]))
        assert made[1].rows["t"] == [{"a": 1}]


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (60, "migrate"), (81, "migrate"), (16, "migrate"), (516, "password"), (193, "password"), (497, "Grant"),
        (164, "Grant"), (115, "newer"),
    ],
)  # fmt: skip
def test_what_no_retry_mends_stops_with_what_mends_it(code, mend):
    with pytest.raises(Stop) as stopped:
        written(Client(bad=[1], code=code), [1])
    assert mend in stopped.value.hint


def test_a_bad_deploy_stops_instead_of_setting_everything_aside(monkeypatch):
    monkeypatch.setattr(store_module, "MOST_SET_ASIDE", 20)
    store = ClickHouseStore("clickhouse", lambda: Client(bad=range(100)))
    store.write(batch(range(10)))
    with pytest.raises(Stop, match="20 rows aside"):
        store.write(batch(range(10)))


def test_a_good_batch_between_starts_the_count_anew(monkeypatch):
    monkeypatch.setattr(store_module, "MOST_SET_ASIDE", 20)
    client = Client(bad=range(10))
    store = ClickHouseStore("clickhouse", lambda: client)
    for _ in range(5):
        store.write(batch(range(10)))
        store.write(batch([50]))
    assert len(client.rows["rejected"]) == 50


def test_a_batch_of_bad_rows_alone_stops_after_a_thousand_and_not_after_each_was_tried():
    client = Client(bad=range(50_000))
    tried = 0
    insert = client.insert_arrow

    def counted(*arguments, **named):
        nonlocal tried
        tried += 1
        return insert(*arguments, **named)

    client.insert_arrow = counted
    with pytest.raises(Stop, match="1000 rows aside"):
        written(client, range(50_000))
    assert tried < 3_000
    assert len(client.rows["rejected"]) == store_module.MOST_SET_ASIDE


def test_a_table_rejected_that_refuses_rows_stops_with_a_sentence():
    client = Client(bad=[1])

    def refuse_all(*_, **__):
        raise database_error(469)

    client.insert_arrow = refuse_all
    with pytest.raises(Stop, match="set aside"):
        written(client, [1])


def test_a_row_that_is_set_aside_again_after_an_outage_counts_once(monkeypatch):
    monkeypatch.setattr(store_module, "MOST_SET_ASIDE", 20)
    client = Client(bad=[1])
    insert, away = client.insert_arrow, True

    def flapping(table, data, settings):
        if table == "rejected" and away:
            raise OperationalError("refused")
        insert(table, data, settings)

    client.insert_arrow = flapping
    store = ClickHouseStore("clickhouse", lambda: client)
    for _ in range(50):
        with pytest.raises(Unavailable):
            store.write(batch([1]))
    away = False
    store.write(batch([1]))
    assert len(client.rows["rejected"]) == 1


DAYS = pa.table({
    "a": [1, 2], "epoch": pa.array([1, 1], pa.uint32()),
    "window_start": pa.array([1_700_000_000, 1_700_100_000], pa.timestamp("s", tz="UTC")),
})  # fmt: skip


def test_days_are_touched_after_their_rows_are_written_and_once_more_each_time():
    client = Client()
    store = ClickHouseStore("clickhouse", lambda: client)
    sales = Batch([Rows("sales_windows", DAYS, [Source("sales.windows", 0, n) for n in range(2)])])
    for _ in range(2):
        store.write(sales)
    assert list(client.rows) == ["sales_windows", "rollup_touches"]
    assert [row["touches"] for row in client.rows["rollup_touches"]] == [1, 1, 2, 2]


def test_a_batch_whose_days_could_not_be_touched_is_written_again_as_a_whole():
    client = Client()
    insert, away = client.insert_arrow, True

    def flapping(table, data, settings):
        if table == "rollup_touches" and away:
            raise database_error(469)
        insert(table, data, settings)

    client.insert_arrow = flapping
    store = ClickHouseStore("clickhouse", lambda: client)
    sales = Batch([Rows("sales_windows", DAYS, [Source("sales.windows", 0, n) for n in range(2)])])
    with pytest.raises(Unavailable):
        store.write(sales)
    away = False
    store.write(sales)
    assert client.rows.keys() == {"sales_windows", "rollup_touches"}
