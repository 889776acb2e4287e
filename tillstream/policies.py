"""Restock policies as people write them, checked and made into those of `restock.feed`.

[[policy]] in TOML, or a row of CSV or Parquet, with the fields of schemas.feed.PolicySetting: times as `2d`, `36h` or a
number of days, quantities and money as decimals. Every fault is told, with the rule's number and its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from schemas.feed import PolicySetting
from schemas.numbers import MONEY, QUANTITY, NumberFault
from tillstream import written
from tillstream.units import parse_duration
from tillstream.written import Fault, identified

NAMES = PolicySetting.__struct_fields__
PLACES = ("store", "sku", "category")
LONGEST_DAYS = 365.0
_LEAST_SERVICE = 0.5
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_HINT = "docs/policies.md lists the fields of a policy."


def read(path: str | Path) -> list[PolicySetting]:
    """The policies of a file; `-` is TOML from standard input. Raises Stop."""
    hint = "To go back to what holds without any, write `policy = []`."
    return checked(*written.read(path, "policy", lambda file: [row for _, row in written.rows(file, NAMES)], hint))


def checked(name: str, rules: Iterable[Mapping[str, Any]]) -> list[PolicySetting]:
    """Rules in their order; raises Stop that names the first faults."""
    faults: list[Fault] = []
    found = [_rule(f"rule {number}", rule, faults) for number, rule in enumerate(rules, 1)]
    written.refuse(name, faults, _HINT)
    return found


def _rule(what: str, rule: Any, faults: list[Fault]) -> PolicySetting:
    if not isinstance(rule, Mapping):
        faults.append(Fault(what, "policy", "must be a table of fields"))
        return PolicySetting()
    values: dict[str, Any] = {}
    for name, value in rule.items():
        if name not in NAMES:
            faults.append(Fault(what, name, written.is_no_field(name, NAMES)))
            continue
        try:
            values[name] = _READ[name](value)
        except ValueError as fault:
            faults.append(Fault(what, name, str(fault)))
    found = PolicySetting(**values)
    if not any(name in rule for name in NAMES if name not in PLACES):
        faults.append(Fault(what, "policy", "sets nothing"))
    faults += [Fault(what, field, reason) for field, reason in _contradictions(found)]
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
    return "" if value == "" else identified(value)


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
