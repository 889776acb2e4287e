"""The contest as a picture: a bar a contestant, as long as its median, with its spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from lib.figures import Result

mpl.use("svg")
OURS, THEIRS, INK = "#1f77b4", "#b8c0c8", "#24292f"


def label(result: Result, rival: str) -> str:
    """The median, and how many times the rival that is, where it took part."""
    times = result.times.get(rival)
    return f"{result.rate.median:,.0f}" + (
        "" if times is None else f"  ({times.median:.{1 if times.median >= 1 else 2}f} times)"
    )


def draw(results: Sequence[Result], rival: str, file: Path) -> None:
    """Draw an SVG whose text is text: the reader's own font, and a diff that can be read."""
    from matplotlib import pyplot as plt

    # Without a fixed salt and date, each drawing would differ from the last one.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tillstream", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(8.6, 0.9 + 0.45 * len(results)), layout="constrained")
        ranked = list(reversed(results))
        rates = [result.rate for result in ranked]
        bars = axes.barh(
            [result.name for result in ranked],
            [rate.median for rate in rates],
            xerr=[[rate.median - rate.low for rate in rates], [rate.high - rate.median for rate in rates]],
            color=[OURS if result.name.startswith("tillstream") else THEIRS for result in ranked],
            error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 3}, height=0.62,
        )  # fmt: skip
        longest = max(rate.high for rate in rates)
        for bar, result in zip(bars, ranked, strict=True):
            middle = bar.get_y() + bar.get_height() / 2
            axes.text(result.rate.high + longest * 0.015, middle, label(result, rival), va="center", color=INK)
        compared = f"; in brackets: of {rival}" if any(rival in result.times for result in results) else ""
        axes.set_title(f"lines/s until all is durable: median, min to max{compared}", fontsize=10, loc="left")
        axes.set_xlim(0, longest * 1.28)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        # A background of its own: the page may be dark.
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
        plt.close(figure)
