"""Roll-ups show what `sales` shows, by the hour and by the day, whatever came twice, late, or in the wrong order."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product

import pyarrow as pa
import pytest

from schemas.errors import Unavailable
from sinks import columns
from sinks.batch import Batch, Rows
from sinks.store import ClickHouseStore
from tillstream import ch, migrate
from tillstream.local.journal import stale
from tillstream.rebuilding import remove
from tillstream.rollups import passes

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = date(2026, 11, 23)
FIGURES = ("units", "returned", "revenue", "discount", "tax", "receipts")
KEY = "store_id, sku, currency"
SUMS = ", ".join(f"sum(s.{name})" for name in FIGURES)


@pytest.fixture
def client(migrated):
    with ch.connect(migrated) as found:
        yield found


@pytest.fixture
def store(migrated):
    return ClickHouseStore("clickhouse", lambda: ch.connect(migrated))


def row(version=1, units=1, store="12", sku="a", start=NOON, day=DAY, partition=0, epoch=1):
    return {
        "store_id": store, "sku": sku, "currency": "NOK", "window_start": start, "business_date": day,
        "partition": partition, "epoch": epoch, "version": version, "units": Decimal(units), "returned": Decimal(0),
        "revenue": Decimal(units) / 4, "discount": Decimal("0.10"), "tax": Decimal("0.20"), "receipts": 1,
    }  # fmt: skip


def late_line(offset, units=1, start=NOON, transaction="t", epoch=1):
    return {
        "epoch": epoch, "partition": 0, "offset": offset, "position": 1, "store_id": "12",
        "transaction_id": transaction, "reversal": False, "occurred_at": start, "window_start": start,
        "watermark": start + timedelta(days=9), "currency": "NOK", "business_date": DAY, "store_receipts": 1,
        "sku": "a", "units": Decimal(units), "returned": Decimal(0), "revenue": Decimal("1.00"),
        "discount": Decimal(0), "tax": Decimal(0), "receipts": 1,
    }  # fmt: skip


def receipt(offset, at=NOON, transaction="t", epoch=1):
    return {
        "store_id": "12", "transaction_id": transaction, "epoch": epoch, "partition": 0, "offset": offset,
        "reversal": False, "type": "sale", "occurred_at": at, "published_at": at, "business_date": DAY,
        "currency": "NOK", "lines": 1, "amount": Decimal("1.00"),
    }  # fmt: skip


TYPES = {
    "window_start": pa.timestamp("s", tz="UTC"), "occurred_at": pa.timestamp("us", tz="UTC"),
    "published_at": pa.timestamp("ms", tz="UTC"), "watermark": pa.timestamp("us", tz="UTC"), "epoch": pa.uint32(),
}  # fmt: skip


def write(store, table, *rows):
    """As the sink does: the rows, then that their days are touched."""
    named = {}
    for name in rows[0]:
        values = [one[name] for one in rows]
        scale = {"units": columns.quantity, "returned": columns.quantity}.get(name, columns.money)
        if isinstance(values[0], Decimal):
            places = 5 if scale is columns.quantity else 4
            named[name] = scale([int(value.scaleb(places)) for value in values])
        else:
            named[name] = pa.array(values, TYPES.get(name))
    store.write(Batch([Rows(table, pa.table(named), [None] * len(rows))]))


def live(client, epoch, version, state="live", replaces=()):
    names = ["epoch", "state", "window_seconds", "grace_seconds", "replaces", "version"]
    client.insert("epochs", [[epoch, state, 300, 60, list(replaces), version]], column_names=names)


def differences(client):
    """Rows in which a roll-up and `sales` differ."""
    found = []
    for view, start in (("sales_hourly", "toStartOfHour"), ("sales_daily", "toStartOfDay")):
        here = f"SELECT {KEY}, window_start, {SUMS} FROM {view} AS s GROUP BY ALL"
        there = f"SELECT {KEY}, {start}(s.window_start) AS at, {SUMS} FROM sales AS s GROUP BY ALL"
        for one, other in ((here, there), (there, here)):
            found += client.query(f"{one} EXCEPT {other}").result_rows
    return found


def units(client, view="sales_daily"):
    return client.query(f"SELECT sum(units) FROM {view}").result_rows[0][0]


def computed(client):
    """Days computed by a pass."""
    return passes.roll_up(client).days


def test_a_day_is_computed_once_and_again_when_rows_have_come(client, store):
    write(store, "sales_windows", row(), row(start=NOON + timedelta(minutes=55)), row(start=NOON + timedelta(hours=1)))
    assert units(client) == 0
    assert computed(client) == 1
    assert differences(client) == []
    assert units(client) == units(client, "sales_hourly") == 3
    assert client.query("SELECT count() FROM sales_hourly").result_rows == [(2,)]
    assert computed(client) == 0
    write(store, "sales_windows", row(5, units=10))
    write(store, "sales_windows", row(2, units=7, start=NOON + timedelta(days=1)))
    assert computed(client) == 2
    assert differences(client) == []
    assert units(client) == 19


def test_hours_and_days_are_those_of_utc(client, store):
    write(store, "sales_windows", row(), row(start=NOON + timedelta(minutes=55)), row(start=NOON + timedelta(hours=1)),
          row(start=NOON + timedelta(hours=12)))  # fmt: skip
    passes.roll_up(client)

    def starts(view):
        rows = client.query(f"SELECT window_start, units FROM {view} ORDER BY window_start").result_rows
        return [(start.replace(tzinfo=UTC), many) for start, many in rows]

    midnight = NOON + timedelta(hours=12)
    assert starts("sales_hourly") == [(NOON, 2), (NOON + timedelta(hours=1), 1), (midnight, 1)]
    assert starts("sales_daily") == [(midnight - timedelta(days=1), 3), (midnight, 1)]


def test_as_of_is_before_the_pass_and_everything_finished_by_then_is_in(client, store):
    assert client.query("SELECT max(as_of) FROM rollup_passes").result_rows[0][0].year == 1970
    write(store, "sales_windows", row())
    before, done = passes.age(client), passes.roll_up(client)
    assert before > 60
    assert passes.age(client) < 60
    found = client.query("SELECT as_of FROM sales_daily UNION DISTINCT SELECT as_of FROM sales_hourly").result_rows
    assert [moment.replace(tzinfo=UTC) for (moment,) in found] == [done.as_of]


def test_rows_written_twice_in_the_wrong_order_and_in_two_partitions_are_right(client, store):
    write(store, "sales_windows", row(7, units=3), row(7, units=2, partition=1))
    assert computed(client) == 1
    write(store, "sales_windows", row(5, units=100))
    write(store, "sales_windows", row(7, units=3), row(7, units=2, partition=1))
    assert computed(client) == 1  # touched; it may have changed
    assert differences(client) == []
    assert units(client) == 5


def test_a_late_receipt_counts_once_the_ledger_knows_it(client, store):
    write(store, "sales_windows", row(units=10))
    write(store, "late_lines", late_line(9))
    assert computed(client) == 1
    assert units(client) == 10
    write(store, "receipts", receipt(9))
    assert computed(client) == 1
    assert units(client) == 11
    assert differences(client) == []
    write(store, "receipts", receipt(4))  # a copy that came before
    assert computed(client) == 1
    assert units(client) == 10
    assert differences(client) == []


def test_another_epoch_takes_the_place_at_once_since_it_was_rolled_up_before(client, store):
    write(store, "sales_windows", row(units=10))
    live(client, 2, 1, "building")
    write(store, "sales_windows", row(units=20, epoch=2))
    write(store, "late_lines", late_line(9, epoch=2))
    write(store, "receipts", receipt(9, epoch=2))
    assert computed(client) == 2
    assert units(client) == 10
    live(client, 2, 2, "live", [1])
    assert units(client) == 21
    assert differences(client) == []
    live(client, 2, 3, "live", [])  # beside the first
    assert units(client) == 31
    assert differences(client) == []


def test_a_day_computed_earlier_and_written_later_is_computed_again(client, store, monkeypatch):
    write(store, "sales_windows", row(units=1))
    hours_of = passes.hours_of

    def then_frozen(part, table):
        """The rows are read; until the roll-up is written, another sink writes newer ones and rolls them up."""
        monkeypatch.setattr(passes, "hours_of", hours_of)
        client.command(hours_of(part, table))
        write(store, "sales_windows", row(9, units=5))
        assert computed(client) == 1
        assert units(client) == 5
        return f"INSERT INTO {table} SELECT * FROM {table} WHERE 0"

    monkeypatch.setattr(passes, "hours_of", then_frozen)
    passes.roll_up(client)
    assert units(client) == 1  # the older one has landed
    assert computed(client) == 1
    assert units(client) == 5
    assert differences(client) == []


class Killed(Exception):
    """In the place of SIGKILL."""


class Dying:
    """A client whose process dies before it sends a statement, or once that is done."""

    def __init__(self, client, statement, *, landed):
        self._client, self._statement, self._landed = client, statement, landed
        self.dead = False

    def __getattr__(self, name):
        return getattr(self._client, name)

    def _until(self, text, call):
        if self.dead:
            raise Killed
        self.dead = self._statement in text
        if not self.dead or self._landed:
            call()
        if self.dead:
            raise Killed

    def command(self, text, **more):
        self._until(text, lambda: self._client.command(text, **more))

    def insert(self, table, *rest, **more):
        self._until(table, lambda: self._client.insert(table, *rest, **more))


def test_a_pass_killed_at_any_statement_is_mended_by_the_next(migrated, client, store):
    statements = ("CREATE TABLE", "INSERT INTO rollup_hours_", "INSERT INTO rollup_days_", "ALTER TABLE rollup_hours",
                  "ALTER TABLE rollup_days", "DROP TABLE", "rollup_passes")  # fmt: skip
    for version, (statement, landed) in enumerate(product(statements, (False, True)), 1):
        write(
            store,
            "sales_windows",
            row(version, units=version),
            row(version, 2 * version, start=NOON + timedelta(days=40)),
        )
        with ch.connect(migrated) as other:
            dying = Dying(other, statement, landed=landed)
            with pytest.raises(Killed):
                passes.roll_up(dying)
        assert dying.dead
        passes.roll_up(client)
        assert differences(client) == []
        assert units(client) == 3 * version
        assert computed(client) == 0


def test_tables_aside_that_someone_left_are_dropped_in_the_end(client, monkeypatch):
    client.command("CREATE TABLE rollup_days_0123abcd AS rollup_days")
    passes.roll_up(client)
    assert client.query("SELECT count() FROM rollup_days_0123abcd").result_rows == [(0,)]  # it may be in use
    monkeypatch.setattr(passes, "LEFT_BEHIND_SECONDS", -60)
    passes.roll_up(client)
    assert client.query("SHOW TABLES LIKE 'rollup_days_%'").result_rows == []
    assert client.query("SHOW TABLES LIKE 'rollup_days'").result_rows == [("rollup_days",)]


def test_rows_of_receipts_that_a_crash_took_leave_the_roll_ups_too(migrated, client, store):
    settings = migrated
    client.insert("migrations", [["journal", "j"]], column_names=["name", "sha256"])
    write(store, "sales_windows", row(5, units=1), row(50, units=3, start=NOON + timedelta(days=1)))
    assert computed(client) == 2
    ends = {(settings.topic_prefix + "pos.receipts", 0): 10, (settings.topic_prefix + "tillstream.epochs", 0): 10}
    assert stale.drop(settings, "j", ends, [1]) == 1
    passes.roll_up(client)
    assert units(client) == 1
    assert differences(client) == []
    assert computed(client) == 0  # a day without rows is done too
    write(store, "sales_windows", row(50, units=4, start=NOON + timedelta(days=1)))
    assert computed(client) == 1
    assert units(client) == 5


def test_removing_an_epoch_removes_its_roll_ups(migrated, client, store):
    write(store, "sales_windows", row(), row(epoch=2))
    passes.roll_up(client)
    removed = remove._remove_rows(migrated, 2)
    assert removed["rollup_hours"] == removed["rollup_days"] == 1
    assert computed(client) == 0
    assert client.query("SELECT DISTINCT epoch FROM rollup_days").result_rows == [(1,)]


async def test_rows_from_before_there_were_roll_ups_are_rolled_up_and_keep_their_figures(migrated, client, store):
    write(store, "sales_windows", row(units=3), row(5, units=4, start=NOON + timedelta(days=1)))
    write(store, "late_lines", late_line(9, start=NOON + timedelta(days=2)))
    write(store, "receipts", receipt(9))
    for table in ("touches", "hours", "days", "empty", "passes"):
        client.command(f"DROP TABLE rollup_{table} SYNC")
    client.command("ALTER TABLE migrations DELETE WHERE name IN ('0004_rollups.sql', '0005_codecs.sql')",
                   settings={"mutations_sync": 2})  # fmt: skip
    report = await migrate.migrate(migrated)
    assert report.applied == ["0004_rollups.sql", "0005_codecs.sql"]
    client.command("OPTIMIZE TABLE sales_windows FINAL")
    assert computed(client) == 3
    assert units(client) == 8
    assert differences(client) == []


def test_random_histories_end_as_sales_does(migrated, client):
    """Several sinks, rows older and newer, repeated, late, in three epochs, rolled up at any time."""
    draw = random.Random(20261126)
    sinks = [ClickHouseStore("clickhouse", lambda: ch.connect(migrated)) for _ in range(3)]
    for step in range(60):
        starts = [NOON + timedelta(minutes=5 * draw.randrange(900)) for _ in range(draw.randrange(1, 30))]
        sink = draw.choice(sinks)
        match draw.randrange(10):
            case 0:
                write(sink, "late_lines", *[late_line(n, start=at, transaction=str(n)) for n, at in enumerate(starts)])
            case 1:
                write(sink, "receipts", *[receipt(n, at, str(n)) for n, at in enumerate(starts)])
            case 2:
                live(client, draw.randrange(1, 4), step + 10, draw.choice(["live", "live", "retired"]))
            case 3 | 4:
                passes.roll_up(client)
            case _:
                rows = []
                for at in starts:
                    version = draw.randrange(1_000)
                    key = {"sku": draw.choice("abc"), "store": draw.choice("12"), "partition": draw.randrange(2),
                           "epoch": draw.randrange(1, 4), "start": at}  # fmt: skip
                    rows.append(row(version, units=version % 7, **key))
                write(sink, "sales_windows", *rows)
    passes.roll_up(client)
    assert units(client) > 0
    assert differences(client) == []


def test_a_sink_that_cannot_say_what_it_touched_has_not_written_its_batch(client, store):
    client.command("RENAME TABLE rollup_touches TO elsewhere")
    client.command("CREATE TABLE rollup_touches AS elsewhere")
    client.command("ALTER TABLE rollup_touches ADD CONSTRAINT never CHECK touches > 1000")
    with pytest.raises(Unavailable):
        write(store, "sales_windows", row())
    client.command("ALTER TABLE rollup_touches DROP CONSTRAINT never")
    write(store, "sales_windows", row())
    assert computed(client) == 1
    assert units(client) == 1


@pytest.mark.parametrize(
    ("query", "served_by"),
    [
        ("SELECT toDate(window_start) AS day, sum(revenue) FROM sales_daily GROUP BY day", "by_store"),
        ("SELECT store_id, sum(revenue) FROM sales_hourly WHERE window_start >= '2026-11-20' GROUP BY store_id",
         "by_store"),
        ("SELECT window_start, sum(units) FROM sales_daily WHERE sku = '7' GROUP BY window_start", "by_sku"),
        ("SELECT sku, currency, sum(revenue) AS r FROM sales_daily GROUP BY ALL ORDER BY r DESC LIMIT 20", "by_sku"),
    ],
)  # fmt: skip
def test_sums_over_the_chain_are_answered_from_projections(client, store, query, served_by):
    skus = [str(number) for number in range(3_000)]
    write(store, "sales_windows", *[row(store=str(n % 3), sku=sku) for n, sku in enumerate(skus)])
    passes.roll_up(client)
    plan = "\n".join(line for (line,) in client.query(f"EXPLAIN {query}").result_rows)
    assert f"ReadFromMergeTree ({served_by})" in plan
