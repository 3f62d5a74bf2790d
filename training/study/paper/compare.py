"""Published numbers and ours, side by side: plain records that tables, figures and files are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.errors import DataSetError
from training.evaluate.calibration import calibrated_probabilities
from training.evaluate.intervals import Estimate, normal_estimate, wilson_estimate
from training.evaluate.metrics import Booleans, Floats, Integers
from training.evaluate.thresholds import Constraint, choose_threshold, threshold_table
from training.study.measures import counted_once
from training.study.paper.plan import OTHER, Network
from training.study.pooled import Spread, Summary
from training.train.published import (
    Published,
    PublishedConfusion,
    PublishedMetrics,
    PublishedThresholds,
)


@dataclass(frozen=True, slots=True)
class Number:
    """One published number and ours."""

    variant: str
    metric: str
    """As in `measure_names`."""
    published: Estimate
    """With the interval that follows from the paper's own number of images, where it says that."""
    published_sd: float | None
    """Standard deviation over the paper's runs; `published` is then their mean."""
    ours: Estimate
    """Pooled over the networks of the study."""
    spread: Spread
    """Over those networks."""
    difference: float | None
    """Ours less theirs: of the means where the paper prints a mean, else of the pooled value."""


@dataclass(frozen=True, slots=True)
class MetricsComparison:
    """A published table of metrics beside ours."""

    table: str
    title: str
    numbers: tuple[Number, ...]
    kind: Literal["metrics"] = "metrics"


@dataclass(frozen=True, slots=True)
class ConfusionComparison:
    """A published confusion matrix beside ours, classes in the paper's order."""

    table: str
    title: str
    variant: str
    labels: tuple[str, ...]
    published: tuple[tuple[int, ...], ...]
    """(K, K) images by true (row) and decided class (column)."""
    ours: tuple[tuple[int, ...], ...]
    """Likewise, summed over the networks of the study."""
    kind: Literal["confusion"] = "confusion"


@dataclass(frozen=True, slots=True)
class Point:
    """One published threshold, and what ours gives there and at the same sensitivity."""

    threshold: float
    published_sensitivity: Estimate
    published_specificity: Estimate
    sensitivity: Estimate
    """Ours at the paper's threshold, on probabilities that are not recalibrated, as in the paper."""
    specificity: Estimate
    """Likewise."""
    same_sensitivity: Estimate
    """Ours at the threshold that just reaches the paper's sensitivity on our test images."""
    specificity_there: Estimate
    """Ours at that threshold: the number to compare. Chosen on the images it is measured on, as in the paper,
    it is somewhat too good."""


@dataclass(frozen=True, slots=True)
class ThresholdComparison:
    """A published table of thresholds beside ours."""

    table: str
    title: str
    variant: str
    label: str
    points: tuple[Point, ...]
    kind: Literal["thresholds"] = "thresholds"


Comparison = MetricsComparison | ConfusionComparison | ThresholdComparison
"""Any table beside ours."""


def compare(table: Published, results: Mapping[Network, Summary]) -> Comparison | None:
    """Return a published table beside the results of the networks that it shows; None where there are none.

    Args:
        table: as the paper prints it.
        results: by variant and model; rows of other networks are left out.
    """
    if table.kind == "metrics":
        numbers = [
            _number(table, variant, metric, printed, results[variant, table.model])
            for variant, row in table.rows.items()
            if (variant, table.model) in results
            for metric, printed in row.items()
        ]
        return MetricsComparison(table.table, table.title, tuple(numbers)) if numbers else None
    summary = results.get((table.variant, table.model))
    if summary is None:
        return None
    return _confusion(table, summary) if table.kind == "confusion" else _thresholds(table, summary)


def _number(
    table: PublishedMetrics,
    variant: str,
    metric: str,
    printed: float | tuple[float, float],
    summary: Summary,
) -> Number:
    value, sd = printed if isinstance(printed, tuple) else (printed, None)
    n = images_behind(metric, table.images, summary.evaluation.labels) if sd is None else 0
    ours, spread = summary.estimates[metric], summary.spreads[metric]
    compared = ours.value if sd is None else spread.mean
    return Number(
        variant,
        metric,
        published_estimate(value, n, table),
        sd,
        ours,
        spread,
        None if compared is None else compared - value,
    )


def images_behind(metric: str, images: Mapping[str, int], labels: tuple[str, ...]) -> int:
    """Return how many images a published proportion is of; 0 where the paper does not say, or it is none.

    A precision's are those decided as the class, which only a confusion matrix tells.

    Args:
        metric: as in `measure_names`.
        images: of each class, as the paper counts them; empty where it does not.
        labels: the network's classes.
    """
    if metric.startswith("accuracy"):
        return sum(images.values())
    label, _, rate = metric.rpartition(".")
    label = label or labels[1]
    own = images.get(label, 0)
    return {"sensitivity": own, "specificity": sum(images.values()) - own}.get(rate, 0) if own else 0


def published_estimate(value: float, n: int, table: Published) -> Estimate:
    """Return a published proportion with the interval that its number of images gives; none for n = 0."""
    if n == 0:
        return Estimate(value, None, None, 0, "none")
    make = normal_estimate if table.interval == "normal" else wilson_estimate
    counted = make(round(value * n), n)
    return Estimate(value, counted.lower, counted.upper, n, counted.method)


def _confusion(table: PublishedConfusion, summary: Summary) -> ConfusionComparison:
    ours = merged_confusion(np.array(summary.evaluation.confusion), summary.evaluation.labels, table.labels)
    counts = tuple(tuple(int(n) for n in row) for row in ours)
    return ConfusionComparison(table.table, table.title, table.variant, table.labels, table.counts, counts)


def merged_confusion(
    confusion: Integers,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
) -> Integers:
    """Return a (K, K) confusion matrix in another order of classes, those not named summed up as `other`."""
    place = [theirs.index(label) if label in theirs else theirs.index(OTHER) for label in ours]
    merge = np.eye(len(theirs), dtype=np.int64)[place]
    merged: Integers = merge.T @ confusion @ merge
    return merged


def _thresholds(table: PublishedThresholds, summary: Summary) -> ThresholdComparison:
    predictions = summary.predictions
    k = predictions.labels.index(table.label)
    logits = predictions.logits
    probabilities = predictions.probabilities if logits is None else calibrated_probabilities(logits)
    scores, positive = probabilities[:, k], predictions.truth == k
    n_own = table.images.get(table.label, 0)
    n_others = sum(table.images.values()) - n_own
    points = []
    for threshold, sensitivity, specificity in table.points:
        there = threshold_table(scores, positive, [threshold])[0]
        rates = (there.sensitivity, there.specificity, *_at_sensitivity(scores, positive, sensitivity))
        ours = (counted_once("proportion", rate, summary.share) for rate in rates)
        points.append(
            Point(
                threshold,
                published_estimate(sensitivity, n_own, table),
                published_estimate(specificity, n_others, table),
                *ours,
            )
        )
    return ThresholdComparison(table.table, table.title, table.variant, table.label, tuple(points))


def _at_sensitivity(scores: Floats, positive: Booleans, sensitivity: float) -> tuple[Estimate, Estimate]:
    """Return sensitivity and specificity at the threshold that just reaches a sensitivity.

    Both are undefined where none does: a network that puts images of the class at exactly 0.
    """
    try:
        row = choose_threshold(scores, positive, Constraint("sensitivity", max(sensitivity, 1e-9)))
    except DataSetError:
        undefined = Estimate(None, None, None, 0, "none")
        return undefined, undefined
    return row.sensitivity, row.specificity
