"""The peer: Quix Streams as its documentation teaches it: state in RocksDB, its changelog topic.

Revenue per store, SKU and hour, in ten-thousandths. State is kept by the message's key, which is the store, so the
rest of a total's key is SKU and hour.
"""

from __future__ import annotations

import os
from decimal import Decimal

from quixstreams import Application

app = Application(
    broker_address=os.environ["TILLSTREAM_KAFKA_URL"].removeprefix("kafka://"),
    consumer_group="quix",
    auto_offset_reset="earliest",
    commit_interval=1.0,
    state_dir=os.environ["PEER_FOLDER"],
    loglevel="WARNING",
)
receipts = app.topic("pos.receipts", key_deserializer="string", value_deserializer="json")
said = []


def count(receipt, state):
    if not said:  # Quix has no public word for having its partitions
        print("ready", flush=True)
        said.append(True)
    hour = receipt["occurred_at"][:13]
    for line in receipt["lines"]:
        key = f"{line['sku']}|{hour}"
        state.set(key, state.get(key, 0) + int(Decimal(line["amount"]) * 10_000))


stream = app.dataframe(receipts)
stream.update(count, stateful=True)

if __name__ == "__main__":
    app.run()
