"""Which SKUs each store of a partition tracks: what restock knows by its feed, as the fold needs it."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.tracked import TrackedSkus


class Tracking:
    """Shared by a partition's fold and its restock task, which run in one thread.

    `log` numbers the life of `pos.receipts`. `ready` once restock has read its feed up to the end that it found at its
    start; what was folded before (`missed`) was told to nobody, and all SKUs are opened again.
    """

    def __init__(self, log: int, *, missed: bool) -> None:
        self.log = log
        self.ready = False
        self.missed = missed
        self._opened: dict[str, list[str]] = {}
        self._tables: dict[str, TrackedSkus] = {}
        self.to_open: dict[str, list[str]] = {}

    @property
    def complete(self) -> bool:
        """Whether restock has been told all that it must know of what was folded."""
        return self.ready and not self.missed

    def track(self, store_id: str, sku: str, *, opened: bool) -> None:
        """A SKU is tracked from here on; `opened` says whether its sales are told already."""
        if opened:
            self._open(store_id, [sku])
        else:
            self.to_open.setdefault(store_id, []).append(sku)

    def begin(self) -> None:
        """The feed is read: from here on sales are told."""
        if self.missed:
            for store_id, skus in self._opened.items():
                self.to_open.setdefault(store_id, []).extend(skus)
            self._opened.clear()
            self._tables.clear()
        self.ready = True

    def opened(self, store_id: str) -> TrackedSkus | None:
        """The SKUs of a store whose purchases are told, None where there are none."""
        skus = self._opened.get(store_id)
        if skus is None:
            return None
        table = self._tables.get(store_id)
        if table is None:
            table = self._tables[store_id] = TrackedSkus(skus)
        return table

    def take_to_open(self) -> Iterator[tuple[str, list[str]]]:
        """Each store with SKUs to be opened, which count as opened from here on."""
        waiting, self.to_open = self.to_open, {}
        self.missed = False
        for store_id, skus in waiting.items():
            self._open(store_id, skus)
            yield store_id, skus

    def put_back(self, store_id: str) -> None:
        """What was taken of a store could not be opened yet."""
        self.to_open[store_id] = self._opened.pop(store_id)
        self._tables.pop(store_id, None)

    def _open(self, store_id: str, skus: list[str]) -> None:
        self._opened.setdefault(store_id, []).extend(skus)
        self._tables.pop(store_id, None)
