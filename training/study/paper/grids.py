"""Comparisons as grids of text, which a terminal and a Markdown file both show."""

from dataclasses import dataclass

import numpy as np

from training.evaluate.intervals import Estimate
from training.study.paper.compare import (
    Comparison,
    ConfusionComparison,
    MetricsComparison,
    ThresholdComparison,
)

DASH = "-"
"""What stands where the paper or we have no number."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    """What the columns mean."""


def grid_of(comparison: Comparison) -> Grid:
    """Return a comparison as a table of text."""
    if isinstance(comparison, MetricsComparison):
        return _metrics(comparison)
    if isinstance(comparison, ConfusionComparison):
        return _confusion(comparison)
    return _thresholds(comparison)


def _metrics(comparison: MetricsComparison) -> Grid:
    rows = []
    for number in comparison.numbers:
        theirs = _counted(number.published)
        if number.published_sd is not None:
            theirs = f"{theirs} ± {number.published_sd:.3f}"
        rows.append(
            (
                f"{number.variant}: {number.metric}" if number.variant else number.metric,
                theirs,
                _counted(number.ours),
                str(number.spread) if number.spread.n > 1 else DASH,
                DASH if number.difference is None else f"{number.difference:+.3f}",
            )
        )
    headings = ("network: metric", "paper", "ours", "ours by network", "ours - paper")
    note = (
        "In brackets 95 % intervals; n: images that the number is about. Paper: what it prints, the interval "
        "from its number of images where it tells that, or ± its standard deviation over runs. By network: "
        "mean ± standard deviation over ours. The difference is one of means where the paper prints a mean."
    )
    return Grid(f"{comparison.table}: {comparison.title}", headings, tuple(rows), note)


def _confusion(comparison: ConfusionComparison) -> Grid:
    rows = []
    matrices = (np.array(comparison.published), np.array(comparison.ours))
    for k, label in enumerate(comparison.labels):
        cells = [_cell(int(n), int(matrix[k].sum())) for matrix in matrices for n in matrix[k]]
        rows.append((label, *cells))
    whose = [f"{who}: {label}" for who in ("paper", "ours") for label in comparison.labels]
    note = "Rows are true classes, columns decided ones: images, and their share of the true class."
    return Grid(_title(comparison), ("true class", *whose), tuple(rows), note)


def _thresholds(comparison: ThresholdComparison) -> Grid:
    rows = [
        (
            f"{point.threshold:g}",
            _shown(point.published_sensitivity),
            _shown(point.published_specificity),
            _shown(point.sensitivity),
            _shown(point.specificity),
            DASH
            if point.same_sensitivity.value is None
            else f"{point.specificity_there}, at {point.same_sensitivity.value:.3f}",
        )
        for point in comparison.points
    ]
    headings = (
        "threshold",
        "paper: sensitivity",
        "paper: specificity",
        "ours: sensitivity",
        "ours: specificity",
        "ours: specificity, at its sensitivity",
    )
    note = (
        f"Of {comparison.label}, in brackets 95 % intervals. First ours at the same threshold; then at the "
        "threshold that just reaches the paper's sensitivity, with what it reaches. That one is chosen on "
        "the tested images themselves, which flatters, as it does in the paper."
    )
    return Grid(_title(comparison), headings, tuple(rows), note)


def _title(comparison: ConfusionComparison | ThresholdComparison) -> str:
    variant = f" ({comparison.variant})" if comparison.variant else ""
    return f"{comparison.table}: {comparison.title}{variant}"


def _shown(estimate: Estimate) -> str:
    return DASH if estimate.value is None else str(estimate)


def _counted(estimate: Estimate) -> str:
    """Return value, interval and number of images."""
    return f"{_shown(estimate)}, n {estimate.n}" if estimate.n else _shown(estimate)


def _cell(images: int, of: int) -> str:
    return f"{images} ({images / of:.1%})" if of else str(images)
