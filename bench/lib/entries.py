"""Who takes part in the contest, and how each is started, told to be ready, and read back.

When the clock starts, by contestant. tillstream: its log line that names the partitions it folds. Kafka Streams: its
state becomes RUNNING, after the assignment and before the first record. Flink: its source logs the splits that it was
given. Textbook Faust and Quix have no public word for their assignment: their first record, which is later, in their
favour.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from lib import fetched, totals
from lib.log import all_records, last_values
from lib.race import Contestant, tillstream_worker
from schemas import topics, window
from tillstream.local.launch import settings_environment
from tillstream.settings import Settings

HOUR = timedelta(hours=1)
KAFKA_STREAMS = "Kafka Streams, in memory"
TEXTBOOK = "textbook Faust"


@dataclass(frozen=True, slots=True)
class Entry:
    """A contestant by name: how it is started on a broker, and how its totals are read back.

    `slow` ones get the first of the receipts only. `topics` are made for it before it starts.
    """

    name: str
    key: str
    start: Callable[[Settings], Contestant]
    found: Callable[[Settings], Awaitable[dict[str, int]]]
    width: timedelta = HOUR
    slow: bool = False
    topics: tuple[str, ...] = ()


def entries(names: list[str] | None) -> tuple[list[Entry], list[str]]:
    """(those who can take part here, sentences on the rest); `names` are the keys of those who shall, None for all."""
    present, absent = [], []
    for key, make in MAKERS.items():
        if names and key not in names:
            continue
        entry = make(key)
        if entry is None:
            absent.append(f"{key} is left out: it {fetched.NO_JAVA}.")
        else:
            present.append(entry)
    return present, absent


async def ours_found(settings: Settings) -> dict[str, int]:
    """What stands in sales.windows, of each row the newest version; its windows added up to hours."""
    rows: dict[tuple[str, int, str, str, str], tuple[int, int]] = {}
    async for record in all_records(settings, settings.topic_prefix + topics.WINDOWS):
        message = window.decode(record.value)
        if isinstance(message, window.CountsMessage):
            continue
        for currency, days in message.rows.items():
            for day, skus in days.items():
                for sku, row in skus.items():
                    key = (message.store_id, message.window_start, currency, day, sku)
                    sums = window.Totals(*row)
                    if sums.version >= rows.get(key, (-1, 0))[0]:
                        rows[key] = (sums.version, sums.revenue)
    found: dict[str, int] = {}
    for (store, start, _, _, sku), (_, revenue) in rows.items():
        name = f"{store}|{sku}|{totals.hour_of(start)}"
        found[name] = found.get(name, 0) + revenue
    return found


def _ours(key: str) -> Entry:
    width = timedelta(minutes=5) if key == "tillstream-5m" else HOUR
    name = "tillstream, 5-minute windows" if key == "tillstream-5m" else "tillstream, 1-hour windows"
    return Entry(name, key, tillstream_worker, ours_found, width)


def _textbook(key: str) -> Entry:
    def start(settings: Settings) -> Contestant:
        return Contestant(
            [sys.executable, str(fetched.PEERS / "textbook_faust.py"), "worker", "--without-web", "-l", "warn"],
            {**settings_environment(settings), "APP_DATADIR": str(settings.data_dir)},
            "textbook", lambda line: "counting" in line,
        )  # fmt: skip

    return Entry(TEXTBOOK, key, start, _read_back("textbook-revenue-changelog", totals.read_textbook_faust), slow=True)


def _quix(key: str) -> Entry:
    python = fetched.quix()

    def start(settings: Settings) -> Contestant:
        return Contestant(
            [str(python), str(fetched.PEERS / "quix" / "totals.py")],
            {**settings_environment(settings), "PEER_FOLDER": str(settings.data_dir)},
            "quix", _says_ready,
        )  # fmt: skip

    changelog = "changelog__quix--pos.receipts--default"
    return Entry("Quix Streams, RocksDB", key, start, _read_back(changelog, totals.read_quix))


def _kafka_streams(key: str) -> Entry | None:
    path = fetched.java_program("kafka_streams")
    if path is None:
        return None
    store = "memory" if key == "kafka-streams-memory" else "rocksdb"

    def start(settings: Settings) -> Contestant:
        argv = ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path, "Totals",
                _bootstrap(settings), str(settings.data_dir), store]  # fmt: skip
        return Contestant(argv, {}, "kafka-streams", _says_ready)

    name = KAFKA_STREAMS if store == "memory" else "Kafka Streams, RocksDB"
    return Entry(name, key, start, _read_back("kafka-streams-revenue-changelog", totals.read_kafka_streams))


def _flink(key: str) -> Entry | None:
    path = fetched.java_program("flink_sql")
    if path is None:
        return None
    reader = "org.apache.flink.connector.base.source.reader.SourceReaderBase"
    # Flink on Java 17 wants these; its own scripts pass them.
    opened = [
        f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.lang", "java.util", "java.time", "java.nio")
    ]

    def start(settings: Settings) -> Contestant:
        argv = ["java", *opened, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                f"-Dorg.slf4j.simpleLogger.log.{reader}=info", "-cp", path, "Totals",
                _bootstrap(settings), str(settings.data_dir), "1"]  # fmt: skip
        return Contestant(argv, {}, "flink-sql", lambda line: "Adding split(s) to reader" in line)

    topic = "flink-totals"
    return Entry("Flink SQL, state in the heap", key, start, _read_back(topic, totals.read_flink), topics=(topic,))


def _read_back(
    topic: str, read: Callable[[bytes, bytes], tuple[str, int]]
) -> Callable[[Settings], Awaitable[dict[str, int]]]:
    return lambda settings: last_values(settings, topic, read)


def _bootstrap(settings: Settings) -> str:
    return ",".join(settings.kafka_servers)


def _says_ready(line: str) -> bool:
    return line.strip() == "ready"


MAKERS: dict[str, Callable[[str], Entry | None]] = {
    "tillstream-5m": _ours,
    "tillstream-1h": _ours,
    "kafka-streams-memory": _kafka_streams,
    "kafka-streams-rocksdb": _kafka_streams,
    "flink-sql": _flink,
    "quix": _quix,
    "textbook-faust": _textbook,
}
