"""The two curves: lost sales over average stock, and precision over recall of silent_shelf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from lib.chart import INK, OURS

from restock.figures import Judged, Point

mpl.use("svg")
COLOURS = ("#b8c0c8", "#d9822b", OURS)


def draw(
    curves: Mapping[str, Sequence[Point]], thresholds: Sequence[float], silent: Sequence[Judged], chosen: float,
    file: Path,
) -> None:  # fmt: skip
    """Draw an SVG whose text is text."""
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tillstream", "font.family": "sans-serif"}):
        figure, (lost, found) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
        for (name, points), colour in zip(curves.items(), COLOURS, strict=True):
            xs, ys = [point.stock for point in points], [100 * point.lost for point in points]
            lost.plot(xs, ys, color=colour, marker="o", markersize=3.5, label=name)
        lost.set_title("lost sales, % of the units wanted, over average stock", fontsize=10, loc="left")
        lost.set_xlabel("units in stock, average of the evenings")
        lost.set_ylim(bottom=0)
        lost.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        lost.legend(frameon=False, fontsize=9)
        known = [(at, one) for at, one in zip(thresholds, silent, strict=True) if one.precision is not None]
        recalls = [one.of_units or 0 for _, one in known]
        precisions = [one.precision or 0 for _, one in known]
        found.plot(recalls, precisions, color=OURS, marker="o", markersize=3.5)
        for (at, _), x, y in zip(known, recalls, precisions, strict=True):
            found.annotate(f"{at:g}", (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7, color=INK)
            if at == chosen:
                found.plot([x], [y], "o", color=COLOURS[1], markersize=8, zorder=0)
        found.set_title("silent_shelf: precision over recall, by threshold", fontsize=10, loc="left")
        found.set_xlabel("recall: share of the units lost at hidden empty shelves")
        found.set_xlim(0, 1)
        found.set_ylim(0, 1)
        for axes in (lost, found):
            axes.spines[["top", "right"]].set_visible(False)
        # A background of its own: the page may be dark.
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
        plt.close(figure)
