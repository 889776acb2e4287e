"""What every benchmark that meets a broker shares, by one import: brokers, the log, the stopwatch, the machine."""

from __future__ import annotations

from lib.broker import fresh_broker
from lib.log import all_records, ends_of, last_values, preload
from lib.machine import machine
from lib.race import POLL, Contestant, Run, tillstream_worker

__all__ = [
    "POLL",
    "Contestant",
    "Run",
    "all_records",
    "ends_of",
    "fresh_broker",
    "last_values",
    "machine",
    "preload",
    "tillstream_worker",
]
