"""The simulation's ClickHouse shows what ClickHouse itself shows of the same inserts: keys, versions, views."""

from datetime import UTC

import pytest

from tests.simulation.clickhouse import MemoryClickHouse
from tests.simulation.histories import history
from tests.simulation.oracle import Widths
from tests.simulation.world import History, play
from tillstream import ch

pytestmark = pytest.mark.integration
# What must have happened, so that each rule of the views is used.
NEEDED = {"switches", "late that count", "sends of frozen workers landed", "sinks killed"}


@pytest.fixture
def inserted(monkeypatch):
    """The batches of a long history, with an epoch that takes the first one's place, and the world at its end."""
    batches = []
    write = MemoryClickHouse.write

    def noting(self, batch, tables=None):
        batches.append((batch, tables))
        write(self, batch, tables)

    monkeypatch.setattr(MemoryClickHouse, "write", noting)
    parts = [history(seed).events for seed in range(8)]
    events = [event for part in parts[:5] for event in part] + [("rebuild", 10, 5)]
    events += [event for part in parts[5:] for event in part] + [("switch",)]
    world = play(History(Widths(5, 10), events))
    assert {name for name in NEEDED if not world.seen[name]} == set()
    return batches, world


def test_both_show_the_same_rows_of_the_same_inserts(migrated, inserted):
    batches, world = inserted
    [live] = world.live()
    late = world.clickhouse.late_counted(live)
    with ch.connect(migrated) as client:

        def rows(query):
            return client.query(query).result_rows

        for batch, tables in batches:
            for table in batch.rows[:tables]:
                client.insert_arrow(table.table, table.data)
        assert rows("SELECT epoch FROM live_epochs") == [(live,)]
        sales = {
            (store, sku, currency, start.replace(tzinfo=UTC), day.isoformat()): list(figures)
            for store, sku, currency, start, day, *figures in rows(
                "SELECT store_id, sku, currency, window_start, business_date, sum(units), sum(returned), sum(revenue),"
                " sum(discount), sum(tax), sum(receipts) FROM sales_rows GROUP BY ALL"
            )
        }
        assert sales == world.clickhouse.sales(live, late)
        counts = {(store, at.replace(tzinfo=UTC)): many for store, at, many in rows("SELECT * FROM receipt_counts")}
        assert counts == world.clickhouse.receipt_counts(live, late)
        found = rows("SELECT partition, offset, position FROM late_counted ORDER BY ALL")
        assert found == sorted((row["partition"], row["offset"], row["position"]) for row in late)
        for epoch in world.computed():
            found = rows(f"SELECT partition, result, messages FROM partition_counts WHERE epoch = {epoch}")
            assert {(part, result): many for part, result, many in found} == world.clickhouse.partition_counts(epoch)
            found = rows(f"SELECT partition, offset FROM rejected FINAL WHERE epoch = {epoch} ORDER BY ALL")
            assert found == sorted((row["partition"], row["offset"]) for row in world.clickhouse.of("rejected", epoch))
        assert late, "a history without a late receipt that counts proves less"
