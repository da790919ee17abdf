"""Draw how recall grows: p95 over the number of memories, both on a log scale, with the goals.

matplotlib is no part of the node. It is imported here and nowhere else, when a picture is wanted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aimem_node.gateways.operator.bench.scale.page import Sized
from aimem_node.gateways.operator.bench.scale.sizes import Goals

INSTALL = "python -m pip install 'aimem-node[bench]'"
LINES = (
    ("recall keyword, questions, everywhere", "keyword", "#1b6ca8", "-", "o"),
    ("recall keyword, questions, in 1 %", "keyword, in 1 % of them", "#1b6ca8", ":", "o"),
    ("recall keyword, frequent words, everywhere", "keyword, frequent words", "#1b6ca8", "--", "^"),
    ("recall hybrid, questions, everywhere", "hybrid", "#c2571a", "-", "s"),
    ("recall hybrid, questions, in 1 %", "hybrid, in 1 % of them", "#c2571a", ":", "s"),
    ("recall hybrid, frequent words, everywhere", "hybrid, frequent words", "#c2571a", "--", "v"),
)
"""What is drawn, its name, colour, line and mark. Everybody can tell blue from orange."""
INK, PALE = "#222222", "#dddddd"
INCHES = (8.0, 5.0)
DOTS_PER_INCH = 130
TICKS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class NoPlot(Exception):  # noqa: N818 - nothing is wrong; something is not installed
    """matplotlib is not here; says how to get it."""


def drawing() -> Any:
    """matplotlib's figure class, without a screen. Raises NoPlot."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NoPlot(f"the plot needs matplotlib; install it with: {INSTALL}") from None
    return Figure


def draw(measured: Sequence[Sized], target: Path) -> None:
    """Write the picture. Raises NoPlot."""
    figure = drawing()(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    sizes = [one.size for one in measured]
    for what, name, colour, line, mark in LINES:
        points = [
            (one.size, found.spread.p95_ms)
            for one in measured
            for found in one.figures
            if found.what == what and found.spread is not None
        ]
        if points:
            across, up = zip(*points, strict=True)
            axes.plot(across, up, color=colour, linestyle=line, marker=mark, label=name,
                      linewidth=1.8, markersize=5)  # fmt: skip
    goals = [(size, goal) for size in sizes if (goal := Goals.of(size).recall_p95_ms) is not None]
    if goals:
        across, up = zip(*goals, strict=True)
        axes.plot(across, up, color=INK, linestyle="none", marker="_", markersize=34,
                  markeredgewidth=2.2)  # fmt: skip
        for size, goal in goals:
            axes.annotate(f"goal: {goal:g} ms", (size, goal), xytext=(0, 6), ha="center",
                          textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    _dress(axes, sizes)
    figure.savefig(target)


def _dress(axes: Any, sizes: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_facecolor("white")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [tick for tick in TICKS_MS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick} ms" for tick in ticks])
    axes.set_xlim(sizes[0] / 2, sizes[-1] * 2)
    axes.set_ylim(low, high * 1.25)
    axes.set_xlabel("memories in the store")
    axes.set_ylabel("95th percentile of one recall, at the client")
    axes.set_title("Recall over the number of memories", loc="left", color=INK)
    axes.grid(visible=True, color=PALE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="upper left")
