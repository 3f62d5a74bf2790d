"""The metrics of one set of images, each with its interval.

With two classes the second is the positive one and the only one reported (the filter's `valid`); with
more, each class is compared with the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.contract import LABELS
from training.evaluate.intervals import (
    Estimate,
    bootstrap_estimate,
    bootstrap_replicates,
    calibration_estimate,
    f1_estimate,
    newcombe_estimate,
    wilson_estimate,
)
from training.evaluate.metrics import Floats, Integers, confusion_matrices
from training.evaluate.predictions import Predictions
from training.evaluate.resampled import Metric, ResampledMetrics

COVID19 = LABELS[2]
"""The class that two-class accuracy is about."""

_OF_EVERY_IMAGE = ("brier", "log_loss", "ece")
"""Metrics that are defined whatever the classes of the images."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The metrics of one set of images: the whole split, one source, or another group."""

    counts: Mapping[str, int]
    """Images of each class."""
    overall: Mapping[Metric, Estimate]
    """Over all classes: accuracy, micro and macro averages, Brier score, log loss and calibration error; with
    more than two classes also the macro AUROC and, where COVID-19 is one, the two-class accuracy."""
    per_class: Mapping[str, Mapping[Metric, Estimate]]
    """For each reported class against the rest: sensitivity, specificity, precision, F1, AUROC, average
    precision, Brier score and calibration error."""


def measure(predictions: Predictions, *, n_bootstrap: int, seed: int) -> Scope:
    """Return the metrics of one set of images.

    Args:
        predictions: of N images.
        n_bootstrap: resamplings of the patients.
        seed: of the resamplings.
    """
    truth, labels = predictions.truth, predictions.labels
    confusion = confusion_counts(predictions)
    overall = _overall_proportions(confusion, labels)
    per_class = {labels[k]: _proportions(confusion, k) for k in predictions.reported}

    resampled = ResampledMetrics.of(predictions)
    patients = predictions.frame["patient_id"].astype(str).to_numpy()
    replicates = bootstrap_replicates(
        lambda weights: np.stack(list(resampled.replicates(weights).values()), axis=1),
        patients,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    values = resampled.values(np.ones((1, len(truth)), dtype=np.int32))
    bases = _bases(predictions, confusion, patients)
    for ((label, metric), value), drawn in zip(values.items(), replicates.T, strict=True):
        into = per_class[label] if label else overall
        into[metric] = _estimate(metric, float(value[0]), drawn, bases[label])
    return Scope({label: int((truth == k).sum()) for k, label in enumerate(labels)}, overall, per_class)


def confusion_counts(predictions: Predictions) -> Integers:
    """Return (K, K) images by true class (row) and decided class (column)."""
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


def _overall_proportions(confusion: Integers, labels: tuple[str, ...]) -> dict[Metric, Estimate]:
    """Return the proportions over all K classes of a (K, K) confusion matrix.

    Two-class accuracy is (TP + TN) / N of COVID-19: an image on the right side of the line between COVID-19
    and the rest is right, even if it is decided as a wrong class of the rest (Apostolopoulos and Mpesiana
    2020, section "Metrics", eq. 1).

    Micro specificity is sum_c TN_c / sum_c (TN_c + FP_c). Of the N (K - 1) pairs of an image and a class that
    is not its own, each wrong decision spoils one: so it is 1 - (1 - accuracy) / (K - 1), and its interval
    follows.
    """
    n, rest = int(confusion.sum()), len(labels) - 1
    accuracy = wilson_estimate(int(np.trace(confusion)), n)
    value, lower, upper = (
        None if share is None else 1 - (1 - share) / rest
        for share in (accuracy.value, accuracy.lower, accuracy.upper)
    )
    estimates: dict[Metric, Estimate] = {
        "accuracy": accuracy,
        "micro_precision": accuracy,
        "micro_recall": accuracy,
        "micro_f1": accuracy,
        "micro_specificity": Estimate(value, lower, upper, n * rest, accuracy.method),
    }
    if COVID19 in labels and rest > 1:
        k = labels.index(COVID19)
        crossed = int(confusion[k].sum() + confusion[:, k].sum() - 2 * confusion[k, k])
        estimates["two_class_accuracy"] = wilson_estimate(n - crossed, n)
    return estimates


@dataclass(frozen=True, slots=True)
class _Basis:
    """What an interval rests on."""

    n: int
    """Images."""
    n_patients: int
    """Patients with any image."""
    n_positive: int
    """Patients with an image of the class; over all classes, of the rarest."""
    n_negative: int
    """Patients with an image of another class; over all classes, as `n_positive`."""
    counted: int
    """TP + FP + FN of the class; 0 over all classes."""


def _bases(predictions: Predictions, confusion: Integers, patients: NDArray[np.str_]) -> dict[str, _Basis]:
    """Return what the intervals of each reported class, and of all classes (empty label), rest on."""
    truth, n_patients = predictions.truth, len(np.unique(patients))
    of_class = [len(np.unique(patients[truth == k])) for k in range(len(predictions.labels))]
    bases = {"": _Basis(len(truth), n_patients, min(of_class), min(of_class), 0)}
    for k in predictions.reported:
        others = len(np.unique(patients[truth != k]))
        counted = int(confusion[k].sum() + confusion[:, k].sum() - confusion[k, k])
        bases[predictions.labels[k]] = _Basis(len(truth), n_patients, of_class[k], others, counted)
    return bases


def _estimate(metric: Metric, value: float, replicates: Floats, basis: _Basis) -> Estimate:
    """Return a resampled metric with the interval that fits it."""
    rarest = min(basis.n_positive, basis.n_negative)
    n_patients = basis.n_patients if metric in _OF_EVERY_IMAGE else rarest
    if metric == "ece":
        return calibration_estimate(value, replicates, basis.n, n_patients=n_patients)
    estimate = bootstrap_estimate(value, replicates, basis.n, n_patients=n_patients)
    if estimate.value is not None and estimate.method == "none":
        if metric == "auroc":
            counts = {"n_positive": basis.n_positive, "n_negative": basis.n_negative}
            return newcombe_estimate(value, basis.n, **counts)
        if metric == "f1" and rarest > 1:  # Wilson's counts images, which of a single patient say nothing
            return f1_estimate(value, basis.n, counted=basis.counted)
    return estimate
