"""Alerts and positions from their topics to what the views show: written twice, older after newer, unreadable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaProducer

from schemas import alert as alerts
from schemas import position as positions
from schemas import topics
from schemas.alert import Alert
from schemas.position import PositionOrder
from sinks import alerts as alert_rows
from sinks import positions as position_rows
from sinks.store import ClickHouseStore
from tests.integration.test_sinks import query, sink, until
from tests.unit.schemas.restock import FIGURES, MOMENT, alert, position
from tests.unit.sinks.records import Record
from tillstream import ch, consumer_lag, kafka
from tillstream.local.journal import stale

pytestmark = pytest.mark.integration
# The client gives times in UTC without their zone.
AT = datetime(2026, 11, 23, 16, 5, 9, tzinfo=UTC).replace(tzinfo=None)


def encoded(one):
    """Topic and value of an alert, a position, or bytes in their place."""
    if isinstance(one, bytes):
        return topics.POSITIONS, one
    return (topics.ALERTS, alerts.encode(one)) if isinstance(one, Alert) else (topics.POSITIONS, positions.encode(one))


async def carried(settings, *sent, partition=0):
    """Through Kafka and a sink's loop, until both topics are committed."""
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all") as producer:
        for topic, value in map(encoded, sent):
            await producer.send_and_wait(settings.topic_prefix + topic, value, key=b"12", partition=partition)

    async def passed():
        lags = await consumer_lag.measure(settings, 1)
        return not any(lag.records for lag in lags if lag.topic.endswith((topics.ALERTS, topics.POSITIONS)))

    async with sink(settings):
        await until(passed)


def write(settings, *sent, partition=0, begin=0):
    """As a sink writes them, each a part of its own; offsets count from `begin`."""
    store = ClickHouseStore("clickhouse", lambda: ch.connect(settings))
    for offset, (topic, value) in enumerate(map(encoded, sent), begin):
        prepare = alert_rows.prepare if topic == topics.ALERTS else position_rows.prepare
        store.write(prepare([Record(topic, partition, offset, value=value)]))


async def test_an_alert_is_shown_in_its_latest_state_with_every_figure_exactly(migrated):
    raised = alert(snoozed_until=None, on_hand="-0.25", lost_revenue_per_day="1234.5678")
    snoozed = alert(
        sequence=2, state="snoozed", snoozed_until="2026-11-27T07:00:00Z", changed_at="2026-11-23T17:00:00.5Z"
    )
    await carried(migrated, raised, snoozed, raised, position(), partition=2)
    with ch.connect(migrated) as client:
        latest = list(client.query("SELECT * FROM alerts").named_results())
        states = list(client.query("SELECT * FROM alert_states ORDER BY sequence").named_results())
    assert [row["sequence"] for row in states] == [1, 2]
    assert latest == [states[1]]
    first, second = states
    assert (first["on_hand"], first["lost_revenue_per_day"]) == (Decimal("-0.25"), Decimal("1234.5678"))
    assert (first["reorder_point"], first["days_of_cover"], first["partition"]) == (Decimal("11.13"), 1.61, 2)
    assert first["figures"] == FIGURES
    assert (first["name"], first["brand"], first["snoozed_until"]) == ("Milk 1 l", "Fjord", None)
    assert first["raised_at"] == first["changed_at"] == AT
    assert second["changed_at"] == AT.replace(hour=17, minute=0, second=0, microsecond=500_000)
    assert second["snoozed_until"] == AT.replace(day=27, hour=7, minute=0, second=0)


def test_what_is_read_twice_and_what_is_older_changes_no_row(migrated):
    sent = [alert(), alert(sequence=2, state="resolved"), position(version=9, on_hand=1), position(version=5)]
    write(migrated, *sent)
    tables = ("restock_alerts FINAL", "stock_positions FINAL", "alerts", "stock_cover", "stock_orders")

    def shown():
        """Every row but for the place of its message, which is that of the last copy."""
        return [
            query(migrated, f"SELECT * {'EXCEPT (offset) ' * ('alerts' in table)}FROM {table} ORDER BY ALL")
            for table in tables
        ]

    before = shown()
    assert [len(rows) for rows in before] == [2, 1, 1, 1, 1]
    assert query(migrated, "SELECT on_hand FROM stock_cover") == [(Decimal("0.00001"),)]
    with ch.connect(migrated) as client:  # as a sink does that dies between writing and committing
        for name in ("restock_alerts", "stock_positions"):
            client.command(f"INSERT INTO {name} SELECT * FROM {name}")
    assert shown() == before
    write(migrated, *sent, begin=10)
    assert shown() == before


async def test_what_cannot_be_read_is_set_aside_with_its_reason_and_the_rest_goes_on(migrated):
    await carried(
        migrated,
        alert(on_hand="many"), alert(raised_at="yesterday", sequence=2), alert(sequence=3),
        b"{", position(), position(version=-1, sku="other"),
    )  # fmt: skip
    assert query(migrated, "SELECT sequence FROM alert_states") == [(3,)]
    assert query(migrated, "SELECT sku FROM stock_cover") == [("7038010055720",)]
    aside = query(migrated, "SELECT topic, offset, reason FROM rejected FINAL ORDER BY topic, offset")
    prefix = migrated.topic_prefix
    assert [(topic.removeprefix(prefix), offset) for topic, offset, _ in aside] == [
        ("restock.alerts", 0), ("restock.alerts", 1), ("stock.positions", 0), ("stock.positions", 2),
    ]  # fmt: skip
    assert aside[0][2].startswith("on_hand must be a number")
    assert aside[1][2].startswith("raised_at must be an RFC 3339 time")


def test_positions_show_orders_cover_and_how_much_is_sold(migrated):
    unknown = position(sku="new", counted=False, on_hand=None, orders=[], on_order=0, days_of_cover=None,
                       reorder_point=None, order_up_to=None, price=None)  # fmt: skip
    late = PositionOrder("o2", MOMENT, 5, None, "late")
    write(migrated, position(), unknown, position(sku="two", orders=[*position().orders, late]))
    with ch.connect(migrated) as client:
        for days, units in ((0, 7), (6, 8), (7, 100), (-1, 100)):
            client.command(
                "INSERT INTO rollup_days (epoch, store_id, sku, currency, window_start, units) VALUES"
                f" (1, '12', '7038010055720', 'NOK', '{(AT - timedelta(days=days)).date()} 00:00:00', {units})"
            )
        rows = {row["sku"]: row for row in client.query("SELECT * FROM stock_cover").named_results()}
        orders = client.query(
            "SELECT sku, stage, quantity, order_id, placed_at, expected_at FROM stock_orders ORDER BY sku, order_id"
        ).result_rows
    milk, new = rows["7038010055720"], rows["new"]
    assert (milk["on_hand"], milk["on_order"], milk["price"]) == (5, 12, Decimal("27.18"))
    assert (milk["reorder_point"], milk["order_up_to"]) == (Decimal("11.135"), Decimal("14.235"))
    assert (milk["demand_a_day"], milk["days_of_cover"], milk["updated_at"]) == (3.1, 1.61, AT)
    assert (milk["sold_7d"], milk["sell_through_7d"]) == (15, 0.75)
    assert (new["counted"], new["on_hand"], new["days_of_cover"], new["reorder_point"]) == (False, None, None, None)
    assert (new["sold_7d"], new["sell_through_7d"]) == (0, None)
    second = timedelta(seconds=1)
    assert orders == [
        ("7038010055720", "placed", 12, "o1", AT - second, AT + second),
        ("two", "placed", 12, "o1", AT - second, AT + second),
        ("two", "late", Decimal("0.00005"), "o2", AT, None),
    ]


def test_of_a_store_in_two_partitions_the_position_that_changed_last_is_shown(migrated):
    write(migrated, position(version=900, on_hand=100_000), partition=0)
    write(migrated, position(version=3, on_hand=200_000, updated_at=MOMENT + 1), partition=1)
    assert query(migrated, "SELECT on_hand FROM stock_cover") == [(2,)]
    assert query(migrated, "SELECT count() FROM stock_positions FINAL") == [(2,)]


def test_stockouts_are_what_is_out_now_by_what_it_costs_and_since_when(migrated):
    write(
        migrated,
        position(sku="cheap", on_hand=0, demand_a_day=1.0), position(sku="dear", on_hand=-100_000, demand_a_day=9.0),
        position(sku="there", on_hand=1), position(sku="unpriced", on_hand=0, price=None),
        position(sku="uncounted", on_hand=None),
        alert(alert_id="a" * 32, sku="dear", rule="stock_out"), alert(alert_id="b" * 32, sku="cheap"),
        alert(alert_id="c" * 32, sku="cheap", rule="stock_out", state="resolved"),
    )  # fmt: skip
    assert query(migrated, "SELECT sku, lost_revenue_per_day, since, alert_id FROM stockouts") == [
        ("dear", Decimal("244.62"), AT, "a" * 32), ("cheap", Decimal("27.18"), None, ""), ("unpriced", None, None, ""),
    ]  # fmt: skip


def test_open_alerts_suggest_orders_until_these_are_placed(migrated):
    write(
        migrated,
        alert(alert_id="a" * 32), alert(alert_id="b" * 32, sku="ordered"),
        alert(alert_id="b" * 32, sku="ordered", state="ordered", sequence=2),
        alert(alert_id="c" * 32, sku="nothing", suggested_order="0"),
        alert(alert_id="d" * 32, sku="unknown", suggested_order=None),
        alert(alert_id="e" * 32, sku="silent", rule="silent_shelf"),
        alert(alert_id="f" * 32, sku="gone", state="resolved"),
    )  # fmt: skip
    assert query(migrated, "SELECT sku, stage, quantity, order_id, placed_at, alert_id FROM stock_orders") == [
        ("7038010055720", "suggested", 12, "", None, "a" * 32)
    ]


def test_rows_of_messages_that_a_crash_took_go_and_the_rest_stays(migrated):
    write(migrated, alert(), alert(sequence=2), alert(alert_id="b" * 32))
    write(migrated, position(version=9), position(version=10, sku="lost"))
    write(migrated, position(version=3, sku="elsewhere"), partition=1)
    with ch.connect(migrated) as client:
        client.insert("migrations", [["journal", "j"]], column_names=["name", "sha256"])
        client.command("INSERT INTO rollup_passes (as_of) VALUES (now64(3))")
    prefix = migrated.topic_prefix
    ends = {
        (prefix + topics.ALERTS, 0): 2, (prefix + topics.FEED, 0): 10, (prefix + topics.FEED, 1): 9,
        (prefix + topics.EPOCHS, 0): 10,
    }  # fmt: skip
    assert stale.drop(migrated, "j", ends, [1]) == 2
    assert query(migrated, "SELECT alert_id, sequence FROM alert_states ORDER BY sequence") == [
        ("3f9a" + "0" * 28, 1), ("3f9a" + "0" * 28, 2),
    ]  # fmt: skip
    assert query(migrated, "SELECT sku FROM stock_cover ORDER BY sku") == [("7038010055720",), ("elsewhere",)]
    assert query(migrated, "SELECT count() FROM rollup_passes") == [(1,)], "no sales are gone"
