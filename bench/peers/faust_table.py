"""The peer of bench/restore.py: an ordinary Faust table over the very changelog that tillstream's worker has written.

Keys and values stay bytes, which is the least that Faust can do with them; its recovery, transport and buffers are its
own. Prints JSON: seconds from the assignment until Faust says that the table has recovered, and how many keys it has.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import faust

PARTITIONS = int(os.environ["TILLSTREAM_PARTITIONS"])

app = faust.App(
    os.environ["BENCH_GROUP"],
    broker=os.environ["TILLSTREAM_KAFKA_URL"],
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_allow_declare=False,
    topic_disable_leader=True,
    broker_session_timeout=10.0,
    web_enabled=False,
    loghandlers=[],
)
receipts = app.topic("pos.receipts", key_serializer="raw", value_serializer="raw")
table = app.Table("state", key_type=bytes, value_type=bytes, partitions=PARTITIONS)


@app.agent(receipts)
async def keep(stream):
    async for key, value in stream.items():
        table[key] = value


async def restore():
    found = {}
    recovered = asyncio.Event()

    @app.on_partitions_assigned.connect
    async def assigned(*_, **__):
        found["assigned"] = time.monotonic()

    @table.on_recover
    async def restored():
        found["seconds"] = time.monotonic() - found["assigned"]
        recovered.set()

    await app.start()
    await recovered.wait()
    keys = len(table)
    await app.stop()
    return {"seconds": found["seconds"], "keys": keys}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(restore())) + "\n")
