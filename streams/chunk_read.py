"""A chunk of the log as it is decided upon: read into columns, store by store, with what is known of each receipt."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from kernel.reading import COUNTED, NOTHING, REVERSAL, VOID, Reading, group_of
from kernel.records import LogRecord, Records
from kernel.seen import NOWHERE, Stores
from schemas.admission import admit
from schemas.currency import CODES
from schemas.errors import Refused
from schemas.receipt import Receipt
from streams.state import PartitionState, Store, receipt_hash


class ReadAhead(Records):
    """Records whose receipts were read where they arrived: in another thread, while the chunk before is folded."""

    __slots__ = ("reading",)

    def __init__(self, records: Records, max_skew: int) -> None:
        super().__init__(records.text, records.places)
        self.reading = Reading(records, max_skew, CODES)


class ChunkRead:
    """Records of a partition, and what was read of them.

    `refused` says what is wrong with those that are no receipts, by their place in the chunk. Of each receipt `numbers`
    has its store; `names`, `keys` and `stores` are by that number. `starts` gets the window in which a receipt was
    folded, `window_stores` the store of each window that was touched, in their order.
    """

    def __init__(self, state: PartitionState, records: Sequence[LogRecord], topic: str, max_skew: int) -> None:
        if not isinstance(records, ReadAhead):
            records = ReadAhead(Records.of(records), max_skew)
        self.records, self.reading, self.topic, self.max_skew = records, records.reading, topic, max_skew
        self.offsets, self.timestamps = self.records.offsets(), self.records.timestamps()
        self.refused: dict[int, Refused] = {}
        self._read_rest(state.applied)
        self._stores = Stores(self.reading)
        self.numbers, self._twins, self.keys = self._stores.numbers, self._stores.twins, self._stores.names
        self.names = [key.decode() for key in self.keys]
        self.stores = [state.stores.get(name) for name in self.names]
        # Where each receipt stands already, from before this chunk.
        self._known = self._stores.find([None if store is None else store.seen for store in self.stores])
        self.starts = array("q", [NOWHERE]) * self.reading.many
        self.window_stores: list[int] = []
        self._starts: dict[int, int] = {}

    def _read_rest(self, already: int) -> None:
        """Read what the kernel leaves to Python, but for what was folded already."""
        for at in self.reading.left_over():
            record = self.records[at]
            if record.offset <= already:
                continue
            try:
                receipt = admit(record.key, record.value, record.timestamp, self.max_skew)
            except Refused as fault:
                self.refused[at] = fault
                continue
            self.reading.put(
                at,
                COUNTED
                | (REVERSAL if receipt.reversal else 0)
                | (VOID if receipt.type == "void" else 0)
                | (NOTHING if receipt.counts_nothing else 0),
                receipt_hash(receipt.transaction_id, reversal=receipt.reversal),
                receipt.occurred_at,
                [line[1:] for line in signed_lines(receipt)],
                len(receipt.lines.sku),
                group_of(receipt.currency, receipt.business_date),
            )

    def open_store(self, state: PartitionState, number: int) -> Store:
        """Begin with a store of which nothing was known."""
        store = self.stores[number] = state.stores[self.names[number]] = Store()
        return store

    def same(self, start: int) -> int:
        """The one object for this start: windows live for days, and stores open theirs at the same times."""
        return self._starts.setdefault(start, start)

    def is_known(self, at: int) -> bool:
        """Whether a receipt may have been counted already; where it says no, it was not."""
        return self._known[at] != NOWHERE or self._twins[at] >= 0

    def stands_in(self, at: int) -> int:
        """The start of the window in which a receipt was folded last, NOWHERE where it never was."""
        twin = self._twins[at]
        while twin >= 0:
            if self.starts[twin] != NOWHERE:
                return self.starts[twin]
            twin = self._twins[twin]
        return self._known[at]

    def note_seen(self, state: PartitionState) -> None:
        """Have the stores know the receipts that were folded."""
        for store, many in zip(self.stores, self._stores.counts, strict=True):
            if store is not None:
                store.seen.make_room(many, state.windows.oldest(store.watermark))
        self._stores.note([None if store is None else store.seen for store in self.stores], self.starts)


def signed_lines(receipt: Receipt) -> list[tuple[int, str, int, int, int, int, int, int]]:
    """(position, SKU, units, returned, revenue, discount, tax, restocked) of each line that is not void, signed.

    A return line adds to `returned`, lowers revenue, discount and tax, and leaves units alone; a post_void
    takes away what its lines would add. `restocked` is what of `returned` stands on the shelf again.
    """
    lines = receipt.lines
    turn = -1 if receipt.reversal else 1
    signed = []
    for at, sku in enumerate(lines.sku):
        if lines.void is not None and lines.void[at]:
            continue
        back = lines.returned is not None and lines.returned[at]
        units, returned = (0, lines.quantity[at]) if back else (lines.quantity[at], 0)
        money = -turn if back else turn
        signed.append(
            (
                at + 1,
                sku,
                turn * units,
                turn * returned,
                money * lines.amount[at],
                money * lines.discount[at],
                money * lines.tax[at],
                turn * returned if lines.restocked is not None and lines.restocked[at] else 0,
            )
        )
    return signed
