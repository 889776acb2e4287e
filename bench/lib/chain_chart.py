"""A worker along a synthetic chain as a picture: CPU of a line, resident memory and open windows, by lines folded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from lib import samples as seen
from lib.chart import INK, OURS
from lib.samples import Course, Sample

mpl.use("svg")
WINDOWS = "#d9822b"
_PARTS = 60
_MILLION = 1e6


def draw(samples: Sequence[Sample], course: Course, grace_days: float, file: Path) -> None:
    """Draw an SVG whose text is text."""
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tillstream", "font.family": "sans-serif"}):
        figure, (cost, memory) = plt.subplots(2, 1, figsize=(8.6, 5.2), sharex=True, layout="constrained")
        at, spent = seen.costs(samples, _PARTS)
        cost.plot([lines / _MILLION for lines in at], spent, color=OURS)
        cost.set_ylim(0, max(spent) * 1.15)
        cost.set_title("CPU of the worker, µs a line", fontsize=10, loc="left")
        lines = [sample.lines / _MILLION for sample in samples]
        memory.plot(lines, [sample.memory / 1024**2 for sample in samples], color=OURS)
        memory.set_ylim(0, course.most_memory * 1.15)
        memory.set_title("resident memory, MiB", fontsize=10, loc="left", color=OURS)
        windows = memory.twinx()
        windows.plot(lines, [sample.open_windows for sample in samples], color=WINDOWS, linewidth=1)
        windows.set_ylim(0, course.most_windows * 1.3)
        windows.set_title("open windows", fontsize=10, loc="right", color=WINDOWS)
        if course.graced_lines is not None:
            for axes in (cost, memory):
                axes.axvline(course.graced_lines / _MILLION, color=INK, linewidth=0.8, linestyle=":")
            memory.text(
                course.graced_lines / _MILLION, 0, f" {grace_days:g} days: windows close", va="bottom", color=INK
            )
        memory.set_xlabel("million lines folded")
        for axes in (cost, memory, windows):
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.{0 if value >= 10 or value == 0 else 1}f}")
            axes.spines["top"].set_visible(False)
        cost.spines["right"].set_visible(False)
        # A background of its own: the page may be dark.
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
        plt.close(figure)
