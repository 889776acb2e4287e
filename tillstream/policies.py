"""Restock policies as people write them, checked and made into those of `restock.feed`.

[[policy]] in TOML, or a row of CSV or Parquet, with the fields of schemas.feed.PolicySetting: times as `2d`, `36h` or a
number of days, quantities and money as decimals. Every fault is told, with the rule's number and its field.
"""

from __future__ import annotations

import difflib
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import Refused, Stop
from schemas.feed import PolicySetting
from schemas.fields import identifier
from schemas.numbers import MONEY, QUANTITY, NumberFault
from tillstream import files
from tillstream.units import parse_duration

NAMES = PolicySetting.__struct_fields__
PLACES = ("store", "sku", "category")
LONGEST_DAYS = 365.0
_LEAST_SERVICE = 0.5
_TOLD = 10
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_HINT = "docs/policies.md lists the fields of a policy."


class Fault(NamedTuple):
    """What is wrong with which field of which rule; rules count from 1."""

    rule: int
    field: str
    reason: str

    def __str__(self) -> str:
        """As a person reads it."""
        return f"rule {self.rule}, {self.field}: {self.reason}"


def read(path: str | Path) -> list[PolicySetting]:
    """The policies of a file; `-` is TOML from standard input. Raises Stop."""
    if str(path) == files.STDIN:
        return checked("standard input", _of_toml("standard input", sys.stdin.buffer.read()))
    if Path(path).suffix.lower() != ".toml":
        return checked(str(path), _of_table(path))
    try:
        return checked(str(path), _of_toml(str(path), Path(path).read_bytes()))
    except OSError as fault:
        raise Stop(f"{path} cannot be read: {fault.strerror}.") from None


def checked(name: str, rules: Iterable[Mapping[str, Any]]) -> list[PolicySetting]:
    """Rules in their order; raises Stop that names the first faults."""
    faults: list[Fault] = []
    found = [_rule(number, rule, faults) for number, rule in enumerate(rules, 1)]
    if faults:
        more = f"; and {len(faults) - _TOLD:,} more" if len(faults) > _TOLD else ""
        raise Stop(f"{name}: {'; '.join(map(str, faults[:_TOLD]))}{more}.", _HINT)
    return found


def _of_toml(name: str, text: bytes) -> list[Any]:
    try:
        # Floats as they are written: a decimal must not pass through binary.
        found = tomllib.loads(text.decode("utf-8-sig"), parse_float=str)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Stop(f"{name} is no TOML: {fault}.") from None
    rules = found.get("policy")
    if not isinstance(rules, list):
        raise Stop(f"{name} has no [[policy]].", "To go back to what holds without any, write `policy = []`.")
    return rules


def _of_table(path: str | Path) -> list[dict[str, Any]]:
    if not files.is_table(path):
        raise Stop(f"{path} is of a kind that is not known.", "Name it .toml, .csv or .parquet.")
    with files.open_rows(path, NAMES) as rows:
        found = []
        for line, cells in rows.cells:
            if len(cells) != len(rows.names):
                raise Stop(f"{path}, line {line}: {len(cells)} cells, the header has {len(rows.names)}.")
            found.append({name: cell for name, cell in zip(rows.names, cells, strict=True) if cell not in (None, "")})
    return found


def _rule(number: int, rule: Any, faults: list[Fault]) -> PolicySetting:
    if not isinstance(rule, Mapping):
        faults.append(Fault(number, "policy", "must be a table of fields"))
        return PolicySetting()
    values: dict[str, Any] = {}
    for name, value in rule.items():
        if name not in NAMES:
            nearest = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
            faults.append(Fault(number, name, "is no field" + (f"; did you mean {nearest[0]}?" if nearest else "")))
            continue
        try:
            values[name] = _READ[name](value)
        except ValueError as fault:
            faults.append(Fault(number, name, str(fault)))
    found = PolicySetting(**values)
    if not any(name in rule for name in NAMES if name not in PLACES):
        faults.append(Fault(number, "policy", "sets nothing"))
    faults += [Fault(number, field, reason) for field, reason in _contradictions(found)]
    return found


def _contradictions(rule: PolicySetting) -> Iterable[tuple[str, str]]:
    for low, high in (("reorder_point", "order_up_to"), ("warning_per_day", "critical_per_day")):
        least, most = getattr(rule, low), getattr(rule, high)
        if least is not None and most is not None and most < least:
            yield high, f"must not be below {low}"


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a number or a text")  # noqa: TRY004  # a fault of the field, as the others
    return str(value).strip()


def _place(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text: put it into quotes")  # noqa: TRY004  # likewise
    if value == "":
        return ""
    try:
        return identifier("$", value)
    except Refused as fault:
        raise ValueError(fault.reason) from None


def _days(value: Any) -> float:
    """Days, 0 to LONGEST_DAYS."""
    text = _text(value)
    if _NUMBER.fullmatch(text):
        days = float(text)
    else:
        try:
            days = parse_duration(text) / timedelta(days=1)
        except ValueError:
            raise ValueError("is no duration: write 2d, 36h, or a number of days") from None
    if not 0 <= days <= LONGEST_DAYS:
        raise ValueError(f"must be 0 to {LONGEST_DAYS:.0f} days")
    return days


def _level(value: Any) -> float:
    text = _text(value)
    if not _NUMBER.fullmatch(text) or not _LEAST_SERVICE <= float(text) < 1:
        raise ValueError(f"must be {_LEAST_SERVICE} or more and below 1: 0.95 is 95 %")
    return float(text)


def _decimal(scale: Any, *, positive: bool = False) -> Callable[[Any], int]:
    def read_decimal(value: Any) -> int:
        try:
            number: int = scale.parse(_text(value))
        except NumberFault as fault:
            raise ValueError(str(fault)) from None
        if positive and number == 0:
            raise ValueError("must be above 0")
        return number

    return read_decimal


_READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(PLACES, _place),
    **dict.fromkeys(("lead_time", "lead_time_sd", "review_period"), _days),
    "service_level": _level,
    **dict.fromkeys(("pack", "shelf_capacity"), _decimal(QUANTITY, positive=True)),
    **dict.fromkeys(("minimum_order", "reorder_point", "order_up_to"), _decimal(QUANTITY)),
    **dict.fromkeys(("critical_per_day", "warning_per_day"), _decimal(MONEY)),
}
