"""What befalls sinks and ClickHouse."""

from __future__ import annotations

from tests.simulation.stage import Stage


class Delivery(Stage):
    """Events of sinks and ClickHouse."""

    def sink(self, which: int, operations: int) -> None:
        sink = self.sinks[which % len(self.sinks)]
        done = 0
        while done < operations and sink.member.step():
            done += 1
        self.tell(f"{sink.name} sink: {done} operations")

    def crash_sink(self, which: int, tables: int) -> None:
        sink = self.sinks[which % len(self.sinks)]
        sink.crash(tables)
        self.seen["sinks killed"] += 1
        self.tell(f"{sink.name} sink: killed, {tables} tables of its batch written")

    def freeze_sink(self, which: int) -> None:
        sink = self.sinks[which % len(self.sinks)]
        self.frozen_sinks.append(sink.freeze())
        self.tell(f"{sink.name} sink: frozen, another takes over")

    def wake_sink(self, which: int, operations: int) -> None:
        if self.frozen_sinks:
            member = self.frozen_sinks[which % len(self.frozen_sinks)]
            for _ in range(operations):
                member.step()
            self.tell(f"a frozen sink goes on for {operations} operations")

    def lose_clickhouse(self, tables: int) -> None:
        """The next batch is written into so many tables, and no answer comes: the sink tries again."""
        self.clickhouse.away = tables
        self.seen["ClickHouse away"] += 1
        self.tell(f"ClickHouse goes away in the next batch, after {tables} tables")

    def merge(self, which: int, at: int) -> None:
        tables = list(self.clickhouse.tables.values())
        tables[which % len(tables)].merge(at)
        self.tell(f"{tables[which % len(tables)].name}: a merge")
