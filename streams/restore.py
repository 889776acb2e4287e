"""From the changelog back to a partition's state: of each window and of the partition, the largest `applied`.

Several owners may have left records of the same window, and the last one written is not always the newest:
a frozen owner may wake up and write long after its successor. Each is a function of the log up to its
`applied`, so the largest is the truth.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.records import PartitionRecord, decode_partition, read_key
from streams.state import PartitionState, Store, StoreWindow, WindowRecord, decode_window
from streams.windows import Windows


class Restore:
    """Collects one partition's changelog, record by record, in the order of the log."""

    def __init__(self) -> None:
        self._partition: PartitionRecord | None = None
        self._windows: dict[tuple[str, int], dict[str, bytes]] = {}

    def take(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take (key, value) pairs; a value of None is a tombstone."""
        for key, value in records:
            store_id, start, owner = read_key(key)
            if store_id is None:
                if value is not None:
                    self._take_partition(decode_partition(value))
                continue
            if value is not None:
                self._windows.setdefault((store_id, start), {})[owner] = value
                continue
            owners = self._windows.get((store_id, start))
            if owners is not None:
                owners.pop(owner, None)
                if not owners:
                    del self._windows[store_id, start]

    def take_partitions(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take PartitionRecords alone, for whoever asks only how far a partition was counted."""
        self.take(pair for pair in records if read_key(pair[0])[0] is None)

    def _take_partition(self, record: PartitionRecord) -> None:
        if self._partition is None or record.applied >= self._partition.applied:
            self._partition = record

    @property
    def partition(self) -> PartitionRecord | None:
        """The newest PartitionRecord so far, or None where none was ever written."""
        return self._partition

    def finish(self, epoch: int, partition: int, owner: str, windows: Windows) -> PartitionState:
        """Build the state, as it was when the log had been folded up to the PartitionRecord's `applied`.

        Windows that the durable watermark has closed are not taken up: their keys wait for tombstones.
        """
        state = PartitionState(epoch, partition, owner, windows)
        vouched = self._partition
        if vouched is not None:
            state.applied = vouched.applied
            state.fingerprint = vouched.fingerprint
            state.told = vouched.told
            state.counts.update(vouched.counts)
            state.stores = {name: Store(watermark) for name, watermark in vouched.watermarks.items()}
        seen: dict[str, tuple[list[int], list[int]]] = {}
        for (store_id, start), owners in self._windows.items():
            window = StoreWindow(store_id, start)
            window.owners = frozenset(owners)
            store = state.stores.get(store_id)
            if store is not None and not windows.is_open(start, store.watermark):
                state.close(window, state.applied)
                continue
            if store is None:
                store = state.stores[store_id] = Store()
            record = _fill(window, owners.values())
            store.add(window)
            hashes, starts = seen.setdefault(store_id, ([], []))
            for receipt, offset in record.ids.items():
                if offset <= state.applied:
                    hashes.append(receipt)
                    starts.append(start)
                else:
                    state.ahead.add(offset)
        for store_id, receipts in seen.items():
            state.stores[store_id].seen.note(*receipts)
        self._windows = {}
        return state


def _fill(window: StoreWindow, values: Iterable[bytes]) -> WindowRecord:
    """Give a window the largest of what its owners left; returns what it says."""
    newest: WindowRecord | None = None
    for value in values:
        record = decode_window(value)
        if newest is None or record.applied > newest.applied:
            newest, window.value = record, value
    assert newest is not None, "a window without records is none"
    return newest
