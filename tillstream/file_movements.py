"""Stock movements in files: NDJSON one a line, handed on byte for byte; CSV and Parquet one row a movement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from schemas import stock
from schemas.errors import Refused
from schemas.stock import StockMessage
from tillstream import files
from tillstream.file_rows import Cells, Rows
from tillstream.outgoing import Outgoing

FIELDS = StockMessage.__struct_fields__
REQUIRED = tuple(field.name for field in msgspec.structs.fields(StockMessage) if field.required)


def read_movements(path: str | Path) -> Iterator[tuple[int, bytes | Refused]]:
    """Each movement's JSON with its line of the file (in Parquet: the row, from 1); columns are named as the fields.

    Refused stands for a row that is none by its shape. Raises Stop as tillstream.files does.
    """
    if not files.is_table(path):
        yield from files.read_lines(path)
        return
    with files.open_rows(path, FIELDS) as rows:
        rows.require(REQUIRED, str(path))
        for line, cells in rows.cells:
            yield line, _movement(rows, line, cells)


def _movement(rows: Rows, line: int, cells: Cells) -> bytes | Refused:
    if len(cells) != len(rows.names):
        reason = f"line {line} has {len(cells)} cells, the header has {len(rows.names)}"
        return Refused("$", reason, "Quote cells with commas")
    known = zip(rows.names, cells, strict=True)
    # Empty is absent; nothing is inferred from text, so leading zeros stay.
    return msgspec.json.encode({name: cell for name, cell in known if name in FIELDS and cell not in (None, "")})


def checked(value: bytes) -> Outgoing:
    """A movement that will be taken up, ready to publish; raises Refused."""
    movement = stock.decode(value)
    return Outgoing(movement.store_id, movement.occurred_at, value)
