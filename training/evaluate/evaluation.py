"""From predictions to an evaluation: each metric with its interval, per class, per source and per kind.

Everything here is arithmetic on records; running a network and logging to MLflow are left to the command.
With two classes the second is the positive one and the only one reported (the filter's `valid`); with
more, each class is compared with the rest.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats.contingency import association

from hilum.errors import UsageError
from training.evaluate.intervals import (
    Estimate,
    bootstrap_estimate,
    bootstrap_replicates,
    newcombe_estimate,
    wilson_estimate,
)
from training.evaluate.metrics import Floats, Integers, Ranking, balanced_accuracy, confusion_matrices
from training.evaluate.predictions import Predictions

CONFOUNDED_FROM = 0.5
"""Cramer's V from which the source is said to give the class away (a large effect: Cohen 1988, ch. 7)."""

MIN_BOOTSTRAP = 100
"""Fewest resamplings that still leave two beyond each bound of a 95 % interval."""

Metric = Literal[
    "sensitivity",
    "specificity",
    "precision",
    "auroc",
    "average_precision",
    "macro_auroc",
    "balanced_accuracy",
    "accuracy",
]


@dataclass(frozen=True, slots=True)
class Scope:
    """The metrics of one set of images: the whole split, one source or one kind."""

    counts: Mapping[str, int]
    """Images of each class."""
    overall: Mapping[Metric, Estimate]
    """Accuracy and balanced accuracy; with more than two classes also the macro AUROC."""
    per_class: Mapping[str, Mapping[Metric, Estimate]]
    """For each reported class against the rest: sensitivity, specificity, precision, AUROC and average
    precision."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured on one split."""

    labels: tuple[str, ...]
    """Names of the K classes."""
    n_images: int
    """Images evaluated."""
    n_patients: int
    """Patients they come from."""
    n_bootstrap: int
    """Resamplings of the bootstrap."""
    seed: int
    """Seed of the bootstrap."""
    confusion: tuple[tuple[int, ...], ...]
    """(K, K) images by true class (row) and decided class (column)."""
    whole: Scope
    """All images together."""
    groups: Mapping[str, Mapping[str, Scope]]
    """By column, `source` and for two classes `kind`, then by its value."""
    source_label_association: float | None
    """Cramer's V between source and true class, 0 (unrelated) to 1 (each source holds one class); None with
    fewer than two sources or classes."""
    warnings: tuple[str, ...]
    """Sentences that a reader of the numbers must know."""

    @property
    def headline(self) -> Estimate:
        """The one number to compare networks by: the AUROC of the positive class, or the macro AUROC."""
        if len(self.labels) == 2:
            return self.whole.per_class[self.labels[1]]["auroc"]
        return self.whole.overall["macro_auroc"]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, and the headline, as objects that JSON can carry."""
        return asdict(self) | {"headline": asdict(self.headline)}


def evaluate(predictions: Predictions, *, n_bootstrap: int = 1000, seed: int = 0) -> Evaluation:
    """Measure predictions on the whole split, per source, and per kind where there are two classes.

    Args:
        predictions: of N images.
        n_bootstrap: resamplings of the patients, 100 or more.
        seed: of the resamplings; the same seed gives the same intervals.

    Raises:
        UsageError: too few resamplings.
    """
    if n_bootstrap < MIN_BOOTSTRAP:
        raise UsageError(f"Give {MIN_BOOTSTRAP} or more bootstrap resamplings, got {n_bootstrap}.")
    frame, labels = predictions.frame, predictions.labels
    columns = ("source", "kind") if len(labels) == 2 else ("source",)
    groups = {
        column: {
            str(value): _measure(predictions.take(frame[column] == value), n_bootstrap=n_bootstrap, seed=seed)
            for value in sorted(frame[column].unique())
        }
        for column in columns
    }
    strength = _source_label_association(predictions)
    return Evaluation(
        labels=labels,
        n_images=len(frame),
        n_patients=int(frame["patient_id"].nunique()),
        n_bootstrap=n_bootstrap,
        seed=seed,
        confusion=tuple(tuple(int(n) for n in row) for row in _confusion(predictions)),
        whole=_measure(predictions, n_bootstrap=n_bootstrap, seed=seed),
        groups=groups,
        source_label_association=strength,
        warnings=_warnings(predictions, strength),
    )


def _measure(predictions: Predictions, *, n_bootstrap: int, seed: int) -> Scope:
    """Return the metrics of one set of images."""
    truth, labels = predictions.truth, predictions.labels
    rankings = [Ranking.of(predictions.probabilities[:, k], truth == k) for k in predictions.reported]

    def resampled(weights: Floats) -> Floats:
        aurocs = [ranking.auroc(weights) for ranking in rankings]
        precisions = [ranking.average_precision(weights) for ranking in rankings]
        balanced = balanced_accuracy(confusion_matrices(truth, predictions.decided, len(labels), weights))
        return np.stack([*aurocs, *precisions, np.mean(aurocs, axis=0), balanced], axis=1)

    n = len(truth)
    patients = predictions.frame["patient_id"].astype(str).to_numpy()
    values = resampled(np.ones((1, n)))[0]
    replicates = bootstrap_replicates(resampled, patients, n_bootstrap=n_bootstrap, seed=seed)
    n_patients = [len(np.unique(patients[truth == k])) for k in range(len(labels))]
    confusion = _confusion(predictions)

    def estimate(column: int, rarest: int) -> Estimate:
        return bootstrap_estimate(values[column], replicates[:, column], n, n_patients=rarest)

    per_class: dict[str, Mapping[Metric, Estimate]] = {}
    for column, k in enumerate(predictions.reported):
        n_others = len(np.unique(patients[truth != k]))
        rarest = min(n_patients[k], n_others)
        auroc = estimate(column, rarest)
        if auroc.value is not None and auroc.method == "none":
            auroc = newcombe_estimate(auroc.value, n, n_positive=n_patients[k], n_negative=n_others)
        per_class[labels[k]] = {
            **_proportions(confusion, k),
            "auroc": auroc,
            "average_precision": estimate(len(rankings) + column, rarest),
        }
    overall: dict[Metric, Estimate] = {
        "accuracy": wilson_estimate(int(np.trace(confusion)), n),
        "balanced_accuracy": estimate(-1, min(n_patients)),
    }
    if len(labels) > 2:
        overall["macro_auroc"] = estimate(-2, min(n_patients))
    counts = {label: int((truth == k).sum()) for k, label in enumerate(labels)}
    return Scope(counts, overall, per_class)


def _confusion(predictions: Predictions) -> Integers:
    """Return (K, K) images by true and decided class."""
    weights = np.ones((1, len(predictions.truth)))
    matrices = confusion_matrices(predictions.truth, predictions.decided, len(predictions.labels), weights)
    counts: Integers = matrices[0].astype(np.int64)
    return counts


def _proportions(confusion: Integers, k: int) -> dict[Metric, Estimate]:
    """Return class `k` against the rest, from TP, FN, FP and TN of a (K, K) confusion matrix.

    Sensitivity = TP / (TP + FN), specificity = TN / (TN + FP), precision = TP / (TP + FP) (Altman and
    Bland 1994).
    """
    true_positive, positive, reported = (
        int(confusion[k, k]),
        int(confusion[k].sum()),
        int(confusion[:, k].sum()),
    )
    negative = int(confusion.sum()) - positive
    true_negative = negative - (reported - true_positive)
    return {
        "sensitivity": wilson_estimate(true_positive, positive),
        "specificity": wilson_estimate(true_negative, negative),
        "precision": wilson_estimate(true_positive, reported),
    }


def _source_label_association(predictions: Predictions) -> float | None:
    """Return Cramer's V between source and true class.

    V = sqrt(chi^2 / (N min(rows - 1, columns - 1))) of their contingency table (Cramer 1946, section 21.9).
    """
    table = pd.crosstab(predictions.frame["source"].to_numpy(), predictions.truth)
    return float(association(table.to_numpy(), method="cramer")) if min(table.shape) > 1 else None


def _warnings(predictions: Predictions, strength: float | None) -> tuple[str, ...]:
    """Return what makes the numbers weaker than they look."""
    counts = np.bincount(predictions.truth, minlength=len(predictions.labels))
    absent = [label for label, n in zip(predictions.labels, counts, strict=True) if n == 0]
    warnings = [
        f"No image is labelled {label}: what compares it with the rest is not defined." for label in absent
    ]
    if strength is not None and strength >= CONFOUNDED_FROM:
        warnings.append(
            f"The source nearly gives the class away (Cramer's V {strength:.2f}): a network that only "
            "recognised the source would also score high. Read the rows per source before trusting the whole."
        )
    return tuple(warnings)
