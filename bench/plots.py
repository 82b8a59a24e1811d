"""The curves and the shares as SVG, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measure import ROOT
from bench.scaling import Curve
from bench.shares import Share

PLOTS = ROOT / "bench/plots"

STYLE: Any = {
    "svg.hashsalt": "lamina",  # ids hang on it, and on nothing else
    "svg.fonttype": "none",  # text stays text
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.figsize": (5.2, 3.0),
    "figure.constrained_layout.use": True,
}


def draw(curves: Sequence[Curve], shares: Sequence[Share]) -> None:
    """One file for each curve, `NAME.svg`, and `shares.svg`. They replace those that are there."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    PLOTS.mkdir(exist_ok=True)
    with plt.rc_context(STYLE):
        for curve in curves:
            figure, axes = plt.subplots()
            _curve(axes, curve)
            _save(figure, PLOTS / f"{curve.name}.svg")
        if shares:
            figure, axes = plt.subplots(figsize=(5.2, 1.6))
            _shares(axes, shares)
            _save(figure, PLOTS / "shares.svg")
        plt.close("all")


def _curve(axes: Any, curve: Curve) -> None:
    amounts = [point.amount for point in curve.points]
    for command in curve.points[0].took:
        medians = [point.took[command].median for point in curve.points]
        low = [point.took[command].median - point.took[command].low for point in curve.points]
        high = [point.took[command].high - point.took[command].median for point in curve.points]
        axes.errorbar(amounts, medians, yerr=(low, high), marker="o", markersize=3, capsize=2, label=command)
    axes.set(xlabel=f"{curve.unit} ({curve.what})", ylabel="seconds", ylim=(0, None), xlim=(0, None))
    axes.legend(frameon=False)


def _shares(axes: Any, shares: Sequence[Share]) -> None:
    left = 0.0
    for share in shares:
        width = max(0.0, share.seconds)
        axes.barh(0, width, left=left, label=f"{share.step} {width:.2f} s")
        left += width
    axes.set(yticks=[], xlabel="seconds, one processor")
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    # No blanks at the ends of lines, which matplotlib writes.
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))
