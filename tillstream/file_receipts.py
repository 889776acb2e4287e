"""From rows (one a line of the receipt) to receipts as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.errors import Refused
from schemas.receipt import MAX_LINES, LineMessage, ReceiptMessage
from tillstream.file_rows import Cells, Rows

REQUIRED = ("transaction_id", "store_id", "occurred_at", "currency", "sku", "quantity", "amount")

RECEIPT_FIELDS = frozenset(ReceiptMessage.__struct_fields__) - {"lines"}
FIELDS = RECEIPT_FIELDS | frozenset(LineMessage.__struct_fields__)

_ABSENT = (None, "")
_FLAGS = {"true": True, "false": False}
# The fields that are no text in JSON. What does not look like one stays text, and decode says what is wrong with it.
_INTEGERS = frozenset({"sequence"})
_BOOLEANS = frozenset({"void", "restocked"})
# Ids are remembered in two generations, so that memory stays bounded: about 100 MB at the most.
_REMEMBERED = 500_000

_Id = tuple[str, str, bool]


class _Group:
    """The rows of one receipt so far."""

    def __init__(self, line: int, receipt_id: _Id) -> None:
        self.line = line
        self.id = receipt_id
        self.fields: dict[str, Any] = {}
        self.lines: list[dict[str, Any]] = []
        self.fault: Refused | None = None

    def finish(self) -> tuple[int, bytes | Refused]:
        if self.fault is not None:
            return self.line, self.fault
        return self.line, msgspec.json.encode({**self.fields, "lines": self.lines})


class _Seen:
    """The ids of the last half to whole million receipts."""

    def __init__(self) -> None:
        self._new: dict[_Id, int] = {}
        self._old: dict[_Id, int] = {}

    def first_line(self, receipt_id: _Id, line: int) -> int | None:
        """The line where this id was seen before, or None, and remember it now."""
        before = self._new.get(receipt_id) or self._old.get(receipt_id)
        if before is None:
            if len(self._new) >= _REMEMBERED:
                self._old, self._new = self._new, {}
            self._new[receipt_id] = line
        return before


def receipts_of_rows(rows: Rows, name: str) -> Iterator[tuple[int, bytes | Refused]]:
    """Put rows together that follow each other and have the same store, transaction id, and reversal or not.

    A receipt's field may stand in each of its rows or only in some; where rows differ in it, the receipt is refused.
    So is one whose id comes again after other rows: its parts would pass as duplicates of each other and be lost.
    Raises Stop where a required column is missing.
    """
    rows.require(REQUIRED, name)
    shape = _Shape(rows.names)
    seen = _Seen()
    group: _Group | None = None
    # A row whose ids cannot be told may belong to the receipt before it or to the one after it.
    stray: Refused | None = None
    for line, cells in rows.cells:
        fault = shape.fault_of(cells, line)
        receipt_id = shape.id_of(cells)
        if receipt_id is None:
            stray = fault
            if group is None:
                yield line, fault or Refused("$", "this row is empty")
            else:
                group.fault = group.fault or fault
            continue
        if group is None or group.id != receipt_id:
            if group is not None:
                yield group.finish()
            group = _Group(line, receipt_id)
            group.fault = stray
            stray = None
            before = seen.first_line(receipt_id, line) if receipt_id[1] else None
            if before is not None:
                group.fault = Refused(
                    "$.transaction_id",
                    f"rows of this receipt stand at line {before} already, with others between",
                    "Sort the file by store_id and transaction_id, so that a receipt's rows follow each other",
                )
        if fault is None:
            shape.add(group, line, cells)
        else:
            group.fault = group.fault or fault
    if group is not None:
        yield group.finish()


class _Shape:
    """Which column holds which field."""

    def __init__(self, names: list[str]) -> None:
        self._width = len(names)
        self._store = names.index("store_id")
        self._transaction = names.index("transaction_id")
        self._type = names.index("type") if "type" in names else None
        columns = list(enumerate(names))
        self._receipt = [(index, field) for index, field in columns if field in RECEIPT_FIELDS]
        self._line = [(index, field) for index, field in columns if field not in RECEIPT_FIELDS]

    def fault_of(self, cells: Cells, line: int) -> Refused | None:
        """What is wrong with a row by its shape."""
        if len(cells) == self._width:
            return None
        return Refused(
            "$", f"line {line} has {len(cells)} cells, the header has {self._width}", "Quote cells with commas"
        )

    def id_of(self, cells: Cells) -> _Id | None:
        """The receipt that a row belongs to, as far as it can be told."""
        if len(cells) <= max(self._store, self._transaction, self._type or 0):
            return None
        reversal = self._type is not None and cells[self._type] == "post_void"
        return cells[self._store] or "", cells[self._transaction] or "", reversal

    def add(self, group: _Group, line: int, cells: Cells) -> None:
        """Put a row into its receipt."""
        fields = group.fields
        for index, field in self._receipt:
            cell = cells[index]
            if not cell:
                continue
            value = _typed(field, cell)
            if fields.setdefault(field, value) != value and group.fault is None:
                group.fault = Refused(
                    f"$.{field}",
                    f"line {line} says something else than the receipt's rows before it",
                    "Give a receipt's rows the same value, or leave it out in all but one",
                )
        # One line more than a receipt may have is enough for decode to refuse it, and keeps memory bounded.
        if len(group.lines) <= MAX_LINES:
            group.lines.append(
                {field: _typed(field, cells[index]) for index, field in self._line if cells[index] not in _ABSENT}
            )


def _typed(field: str, cell: Any) -> Any:
    if field in _BOOLEANS:
        return _FLAGS.get(cell.lower(), cell)
    if field in _INTEGERS and re.fullmatch(r"-?[0-9]{1,18}", cell):
        return int(cell)
    return cell
