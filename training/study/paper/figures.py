"""Published numbers and ours in one picture for each table."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluate.intervals import Estimate
from training.evaluate.palette import COLOURS, DPI
from training.study.paper.compare import (
    Comparison,
    ConfusionComparison,
    MetricsComparison,
    ThresholdComparison,
)

PAPER, OURS = COLOURS[5], COLOURS[0]
"""One colour for each side; the marker differs too."""


def comparison_figure(comparison: Comparison) -> Figure:
    """Return the picture of a comparison."""
    if isinstance(comparison, MetricsComparison):
        return metrics_figure(comparison)
    if isinstance(comparison, ConfusionComparison):
        return confusions_figure(comparison)
    return thresholds_figure(comparison)


def metrics_figure(comparison: MetricsComparison) -> Figure:
    """Return each number of a table as two points on a line, with their intervals."""
    numbers = comparison.numbers
    figure = Figure(figsize=(7.2, 1.6 + 0.42 * len(numbers)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for row, number in enumerate(numbers):
        published = number.published
        if number.published_sd is not None and published.value is not None:
            bounds = (published.value - number.published_sd, published.value + number.published_sd)
            published = Estimate(published.value, *bounds, published.n, published.method)
        _interval(axes, published, row - 0.15, PAPER, "D")
        _interval(axes, number.ours, row + 0.15, OURS, "o")
    names = [f"{number.variant} {number.metric}".strip() for number in numbers]
    axes.set_yticks(range(len(numbers)), names)
    axes.invert_yaxis()
    axes.set(
        xlim=(-0.02, 1.02), xlabel="value, with 95 % interval (paper: or ± standard deviation over runs)"
    )
    _finish(axes, f"{comparison.table}: {comparison.title}")
    return figure


def confusions_figure(comparison: ConfusionComparison) -> Figure:
    """Return both confusion matrices: images, and their share of the true class in percent."""
    k = len(comparison.labels)
    figure = Figure(figsize=(3.4 + 2.2 * k, 1.6 + 1.1 * k), dpi=DPI, layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 2))
    sides = (("paper", comparison.published), ("ours", comparison.ours))
    for axes, (who, matrix) in zip(panels, sides, strict=True):
        counts = np.array(matrix)
        percent = 100 * counts / np.maximum(counts.sum(axis=1), 1)[:, None]
        axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if percent[row, column] > 55 else "black"
            text = f"{count}\n{percent[row, column]:.1f} %"
            axes.text(column, row, text, ha="center", va="center", color=colour)
        axes.set_xticks(range(k), comparison.labels, rotation=20)
        axes.set_yticks(range(k), comparison.labels)
        axes.set(xlabel="decided class", ylabel="true class", title=f"{who} (n = {counts.sum()})")
    figure.suptitle(f"{comparison.table}: {comparison.title}", fontsize="medium")
    return figure


def thresholds_figure(comparison: ThresholdComparison) -> Figure:
    """Return sensitivity against false positive rate: the paper's points, and ours at its sensitivities."""
    figure = Figure(figsize=(5.8, 5.8), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    sides = (
        (
            "paper",
            PAPER,
            "D",
            [(p.published_specificity, p.published_sensitivity) for p in comparison.points],
        ),
        ("ours", OURS, "o", [(p.specificity_there, p.same_sensitivity) for p in comparison.points]),
    )
    for who, colour, marker, points in sides:
        defined = [(x, y) for x, y in points if x.value is not None and y.value is not None]
        xs = [1 - float(x.value or 0) for x, _ in defined]
        ys = [float(y.value or 0) for _, y in defined]
        axes.plot(xs, ys, color=colour, marker=marker, linewidth=0.8, label=who)
        for (specificity, _), y in zip(defined, ys, strict=True):
            if specificity.lower is not None and specificity.upper is not None:
                axes.hlines(y, 1 - specificity.upper, 1 - specificity.lower, color=colour, alpha=0.5)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="false positive rate (1 - specificity), with 95 % interval", ylabel="sensitivity")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    axes.set_title(f"{comparison.table}: {comparison.title}", fontsize="medium")
    return figure


def _interval(axes: Axes, estimate: Estimate, height: float, colour: str, marker: str) -> None:
    """Draw a number as a point with its interval, where they are defined."""
    if estimate.value is None:
        return
    if estimate.lower is not None and estimate.upper is not None:
        axes.hlines(height, estimate.lower, estimate.upper, color=colour, linewidth=1.4)
    axes.plot(estimate.value, height, marker=marker, color=colour, linestyle="none", markersize=5)


def _finish(axes: Axes, title: str) -> None:
    for who, colour, marker in (("paper", PAPER, "D"), ("ours", OURS, "o")):
        axes.plot([], [], color=colour, marker=marker, linestyle="none", label=who)
    axes.legend(loc="best", fontsize="small")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, fontsize="medium")
