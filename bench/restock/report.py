"""What was found, as tables: for the terminal and, from the same cells, for docs/restock.md."""

from __future__ import annotations

import dataclasses
from typing import Any

from lib import machine, page
from lib.render import markdown

from restock import picture
from restock.chain import OPEN_HOURS
from restock.course import AVERAGE, CROSTON, REVIEWED, THRESHOLDS, TILLSTREAM, USUAL, Found, Plan
from restock.figures import Judged, Point, days_of_silence, lost_at
from streams.restock.rules import SILENCE

PAGE = page.PAGE.parent / "restock.md"
PICTURE = page.PAGE.parent / "restock.svg"
Cells = list[list[str]]
ASTRAY = {0.5: "half as likely", 1.0: "as drawn", 2.0: "twice as likely"}


def policies(found: Found) -> Cells:
    """Each step against the moving average at the very stock that it comes to."""
    usual = next(one for one in found.curves[AVERAGE] if one.level == USUAL)
    return _against(found, {AVERAGE: usual, **found.steps})


def parts(found: Found) -> Cells:
    """The estimate of demand with a part taken away, likewise."""
    return _against(found, {REVIEWED: found.steps[REVIEWED], **found.parts})


def _against(found: Found, points: dict[str, Point]) -> Cells:
    rows = []
    for name, one in points.items():
        base = lost_at(found.curves[AVERAGE], one.stock)
        less = "—" if base is None else f"{round(100 * (1 - one.lost / base))} %"
        rows.append(
            [
                name, f"{one.stock:,.0f}", f"{one.orders:,.0f}", f"{100 * (1 - one.lost):.2f} %", _percent(one.lost),
                _percent(base), less,
            ]
        )  # fmt: skip
    head = [
        "policy, at a service level of 95 %", "average stock, units", "orders", "units served", "lost sales",
        "the moving average's at that stock", "fewer",
    ]  # fmt: skip
    return [head, *rows]


def curves(found: Found) -> Cells:
    """Every point that was run."""
    rows = [
        [
            name, f"{100 * one.level:g} %", f"{one.stock:,.0f}", _percent(one.lost), _percent(one.lost_hidden),
            _percent(one.lost_revenue), f"{one.orders:,.0f}", f"{one.looks:,.0f}",
        ]
        for name, points in found.curves.items()
        for one in points
    ]  # fmt: skip
    head = [
        "policy",
        "level asked for",
        "average stock",
        "lost, units",
        "of these hidden",
        "lost, revenue",
        "orders",
        "looks",
    ]
    return [head, *rows]


def alerts(found: Found) -> Cells:
    """How the alerts fare where somebody goes and looks."""
    rows = [
        [f"silent_shelf, goods go astray {ASTRAY[times]}", *_judged(one)]
        for times, one in sorted(found.deployed.items())
    ]
    rows.append(["stock_out", *_judged(found.stock_out)])
    return [["alert", "raised", "precision", "recall of spells", "recall of lost units"], *rows]


def thresholds(found: Found) -> Cells:
    """Precision and recall by threshold, nobody acting on them."""
    rows = [
        [f"{at:g}" + (" (the product's)" if at == SILENCE else ""), *_judged(one)]
        for at, one in zip(THRESHOLDS, found.silent, strict=True)
    ]
    rows += [[f"{SILENCE:g}, SKUs bought {name}", *_judged(one)] for name, one in found.speeds.items()]
    return [["threshold", "raised", "precision", "recall of spells", "recall of lost units"], *rows]


def silences() -> Cells:
    """How long a shelf must be silent until it is suspected."""
    rows = []
    for name, a_day in (("10 a day", 10), ("5 a day", 5), ("2 a day", 2), ("1 a day", 1), ("3 a week", 3 / 7),
                        ("1 a week", 1 / 7), ("1 a month", 1 / 30)):  # fmt: skip
        days = [days_of_silence(a_day, OPEN_HOURS, at) for at in (0.01, 0.001, SILENCE)]
        rows.append([name, *(f"{one:,.1f}" if one < 1e4 else "never" for one in days)])
    return [["bought", "days until 0.01", "until 0.001", f"until {SILENCE:g}, the product's"], *rows]


def tables(found: Found) -> dict[str, Cells]:
    """All of them, by what they tell."""
    return {
        "policies": policies(found), "silent": alerts(found), "thresholds": thresholds(found), "parts": parts(found),
        "silences": silences(), "curves": curves(found),
    }  # fmt: skip


def conditions(plan: Plan, found: Found) -> str:
    """On what it was measured."""
    size = plan.size
    return (
        f"Test seeds {', '.join(map(str, plan.seeds))}: {size.stores} stores, {size.skus} SKUs each, {size.days} days "
        f"after {size.warm_days} in which all learn; {found.looks_a_day:.2f} looks at a shelf a store and day."
    )


def write(plan: Plan, found: Found) -> None:
    """The tables between their marks in docs/restock.md, and the picture beside it."""
    shown = {name: found.curves[name] for name in (AVERAGE, CROSTON, TILLSTREAM)}
    picture.draw(shown, THRESHOLDS, found.silent, SILENCE, PICTURE)
    for name, cells in tables(found).items():
        text = markdown(cells)
        page.write(name, f"{text}\n\n{conditions(plan, found)}" if name == "policies" else text, PAGE)


def document(plan: Plan, found: Found) -> dict[str, Any]:
    """As JSON."""
    return {
        "machine": machine.machine(), "plan": dataclasses.asdict(plan), "silence": SILENCE,
        "found": dataclasses.asdict(found),
        "tables": {
            name: [dict(zip(head, row, strict=True)) for row in rows] for name, (head, *rows) in tables(found).items()
        },
    }  # fmt: skip


def _judged(one: Judged) -> list[str]:
    return [f"{one.alerts:,}", _share(one.precision), _share(one.recall), _share(one.of_units)]


def _share(share: float | None) -> str:
    return "—" if share is None else f"{share:.2f}"


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.2f} %"
