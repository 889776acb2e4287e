"""What people write down for restock: tables of one name in TOML, rows of CSV or Parquet, and what is wrong in them."""

from __future__ import annotations

import difflib
import sys
import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import Refused, Stop
from schemas.fields import identifier
from tillstream import files

_TOLD = 10


class Fault(NamedTuple):
    """What is wrong with which field of what: `rule 2`, `campaign easter`."""

    what: str
    field: str
    reason: str

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.what}, {self.field}: {self.reason}"


def read(
    path: str | Path, table: str, of_rows: Callable[[str | Path], Iterable[Any]], hint: str = ""
) -> tuple[str, list[Any]]:
    """What to call the file, and its `[[table]]`s, or what `of_rows` makes of its rows; `-` is TOML. Raises Stop.

    `hint` is for a file without any.
    """
    if str(path) == files.STDIN:
        return "standard input", _of_toml("standard input", sys.stdin.buffer.read(), table, hint)
    if Path(path).suffix.lower() != ".toml":
        if not files.is_table(path):
            raise Stop(f"{path} is of a kind that is not known.", "Name it .toml, .csv or .parquet.")
        return str(path), list(of_rows(path))
    try:
        return str(path), _of_toml(str(path), Path(path).read_bytes(), table, hint)
    except OSError as fault:
        raise Stop(f"{path} cannot be read: {fault.strerror}.") from None


def _of_toml(name: str, text: bytes, table: str, hint: str) -> list[Any]:
    try:
        # Floats as they are written: a decimal must not pass through binary.
        found = tomllib.loads(text.decode("utf-8-sig"), parse_float=str)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Stop(f"{name} is no TOML: {fault}.") from None
    tables = found.get(table)
    if not isinstance(tables, list):
        raise Stop(f"{name} has no [[{table}]].", hint)
    return tables


def rows(
    path: str | Path, names: Collection[str], required: Sequence[str] = ()
) -> Iterable[tuple[int, dict[str, Any]]]:
    """The rows of a CSV or Parquet file with their lines: what is not empty, by column. Raises Stop."""
    with files.open_rows(path, names) as found:
        found.require(required, str(path))
        for line, cells in found.cells:
            if len(cells) != len(found.names):
                raise Stop(f"{path}, line {line}: {len(cells)} cells, the header has {len(found.names)}.")
            yield line, {name: cell for name, cell in zip(found.names, cells, strict=True) if cell not in (None, "")}


def refuse(name: str, faults: Sequence[Fault], hint: str) -> None:
    """Raise Stop that names the first faults, where there are any."""
    if faults:
        more = f"; and {len(faults) - _TOLD:,} more" if len(faults) > _TOLD else ""
        raise Stop(f"{name}: {'; '.join(map(str, faults[:_TOLD]))}{more}.", hint)


def is_no_field(name: str, names: Collection[str]) -> str:
    """The reason against a field that is not known, with the nearest that is."""
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return "is no field" + (f"; did you mean {nearest[0]}?" if nearest else "")


def identified(value: Any) -> str:
    """A text that names a store, a SKU, or a campaign; raises ValueError with the reason."""
    if not isinstance(value, str):
        raise ValueError("must be a text: put it into quotes")  # noqa: TRY004  # a fault of the field, as the others
    try:
        return identifier("$", value)
    except Refused as fault:
        raise ValueError(fault.reason) from None
