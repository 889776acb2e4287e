"""The peer: a Faust agent as Faust's documentation teaches it, one table write a line. Revenue per store, SKU, hour.

It sums one figure where tillstream sums six, and its table is in memory, so the comparison is kind to it.
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal

import faust

app = faust.App(
    "textbook",
    broker=os.environ["TILLSTREAM_KAFKA_URL"],
    store="memory://",
    topic_partitions=int(os.environ["TILLSTREAM_PARTITIONS"]),
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=1.0,
    web_enabled=False,
)


class Line(faust.Record, coerce=True):
    sku: str
    quantity: str
    amount: Decimal


class Receipt(faust.Record, coerce=True):
    transaction_id: str
    store_id: str
    occurred_at: str
    lines: list[Line]


receipts = app.topic("pos.receipts", value_type=Receipt)
revenue = app.Table("revenue", default=Decimal, partitions=int(os.environ["TILLSTREAM_PARTITIONS"]))


@app.agent(receipts)
async def count(stream):
    first = True
    async for receipt in stream:
        if first:
            sys.stdout.write("counting\n")
            sys.stdout.flush()
            first = False
        hour = receipt.occurred_at[:13]
        for line in receipt.lines:
            revenue[f"{receipt.store_id}|{line.sku}|{hour}"] += line.amount


if __name__ == "__main__":
    app.main()
