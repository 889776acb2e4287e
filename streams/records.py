"""The changelog's records: what stands in them and under which keys.

Keys are `partition | store | window_start | owner` for a StoreWindow and `partition | owner` for a
PartitionRecord, as JSON arrays, since a store's id may hold any character. Values are MessagePack.
"""

from __future__ import annotations

import hashlib

import msgspec

from streams.state import PartitionState


class PartitionRecord(msgspec.Struct, frozen=True, gc=False):
    """How far a partition is folded, durably; written after everything that it vouches for.

    `fingerprint` is that of the log's record at `applied`: another log under the same name shows by it.
    `watermarks` in microseconds, per store. `window` and `grace` (microseconds) are those of the epoch. `told` says
    whether restock was told of all that it vouches for.
    """

    applied: int
    fingerprint: int
    watermarks: dict[str, int]
    counts: dict[str, int]
    window: int
    grace: int
    told: bool = False


_key_encoder = msgspec.json.Encoder()
_encoder = msgspec.msgpack.Encoder()
_partition_decoder = msgspec.msgpack.Decoder(PartitionRecord)


def window_key(partition: int, store_id: str, start: int, owner: str) -> bytes:
    """Key of a StoreWindow."""
    return _key_encoder.encode((partition, store_id, start, owner))


def partition_key(partition: int, owner: str) -> bytes:
    """Key of a PartitionRecord."""
    return _key_encoder.encode((partition, owner))


def read_key(key: bytes) -> tuple[str | None, int, str]:
    """(store, window start, owner) of a StoreWindow, or (None, 0, owner) of a PartitionRecord."""
    _, *name, owner = msgspec.json.decode(key)
    if not name:
        return None, 0, owner
    store_id, start = name
    return store_id, start, owner


def encode_partition(state: PartitionState) -> bytes:
    """Value of the PartitionRecord of a state."""
    watermarks = {name: store.watermark for name, store in state.stores.items() if store.watermark is not None}
    return encode_record(
        PartitionRecord(
            state.applied,
            state.fingerprint,
            watermarks,
            state.counts,
            state.windows.width,
            state.windows.grace,
            state.told,
        )
    )


def encode_record(record: PartitionRecord) -> bytes:
    """Value of a PartitionRecord."""
    return _encoder.encode(record)


def decode_partition(value: bytes) -> PartitionRecord:
    """Read a PartitionRecord's value."""
    record: PartitionRecord = _partition_decoder.decode(value)
    return record


def fingerprint(offset: int, key: bytes | None, value: bytes | None) -> int:
    """64 bits that tell a record of this log from one of another log at the same offset (BLAKE2b)."""
    digest = hashlib.blake2b(offset.to_bytes(8, "little"), digest_size=8)
    digest.update(key or b"")
    digest.update(b"\0")
    digest.update(value or b"")
    return int.from_bytes(digest.digest(), "little")
