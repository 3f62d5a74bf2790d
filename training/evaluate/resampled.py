"""The metrics that are resampled: all but simple proportions, of images that count any number of times."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.evaluate.averages import class_rates, macro_averages
from training.evaluate.calibration import BinnedConfidence, log_losses, squared_errors, top_label
from training.evaluate.metrics import Floats, Ranking, Weights, divide
from training.evaluate.predictions import Predictions

Metric = Literal[
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "auroc",
    "average_precision",
    "brier",
    "ece",
    "accuracy",
    "two_class_accuracy",
    "balanced_accuracy",
    "macro_auroc",
    "macro_precision",
    "macro_recall",
    "macro_specificity",
    "macro_f1",
    "macro_f1_of_means",
    "micro_precision",
    "micro_recall",
    "micro_specificity",
    "micro_f1",
    "log_loss",
]
"""Every metric of an evaluation; those of `averages.py` and `calibration.py` are explained there."""

Key = tuple[str, Metric]
"""Label, empty for a metric over all classes, and metric."""


@dataclass(frozen=True, slots=True)
class ResampledMetrics:
    """What is the same under every resampling of N images, worked out once."""

    predictions: Predictions
    rankings: tuple[Ranking, ...]
    """Of each reported class."""
    confidences: tuple[BinnedConfidence, ...]
    """Of each reported class, then of the top label."""
    additive: Floats
    """(N, K * K + K + 1): each image's cell of the confusion matrix, squared errors by class, and log loss.
    What is made of these needs only their weighted sums."""

    @classmethod
    def of(cls, predictions: Predictions) -> "ResampledMetrics":
        """Rank and bin the images."""
        truth, probabilities, n_classes = (
            predictions.truth,
            predictions.probabilities,
            len(predictions.labels),
        )
        columns = [(probabilities[:, k], truth == k) for k in predictions.reported]
        additive = (
            np.eye(n_classes * n_classes)[truth * n_classes + predictions.decided],
            squared_errors(probabilities, truth),
            log_losses(probabilities, truth),
        )
        return cls(
            predictions,
            tuple(Ranking.of(scores, positive) for scores, positive in columns),
            tuple(BinnedConfidence.of(*pair) for pair in (*columns, top_label(probabilities, truth))),
            np.column_stack(additive),
        )

    def values(self, weights: Weights) -> dict[Key, Floats]:
        """Return (B,) values of every metric for (B, N) weights."""
        return self._metrics(weights) | self._calibration(BinnedConfidence.error, weights)

    def replicates(self, weights: Weights) -> dict[Key, Floats]:
        """Return, in the order of `values`, what their intervals are made of.

        That is the metrics of each resampling, but for calibration errors the noise of the resampling.
        """
        return self._metrics(weights) | self._calibration(BinnedConfidence.noise, weights)

    def _calibration(
        self, measure: Callable[[BinnedConfidence, Weights], Floats], weights: Weights
    ) -> dict[Key, Floats]:
        names = (*(self.predictions.labels[k] for k in self.predictions.reported), "")
        return {
            (name, "ece"): measure(confidence, weights)
            for name, confidence in zip(names, self.confidences, strict=True)
        }

    def _metrics(self, weights: Weights) -> dict[Key, Floats]:
        """Return every metric but calibration errors."""
        labels, reported = self.predictions.labels, self.predictions.reported
        n_classes, total = len(labels), weights.sum(axis=1)
        sums = weights @ self.additive
        cells, losses = sums[:, : n_classes**2], divide(sums[:, n_classes**2 :], total[:, None])
        confusion = cells.reshape(-1, n_classes, n_classes)
        f1 = class_rates(confusion)["f1"]
        values: dict[Key, Floats] = {}
        for k, ranking in zip(reported, self.rankings, strict=True):
            values[labels[k], "f1"] = f1[:, k]
            values[labels[k], "auroc"], values[labels[k], "average_precision"] = ranking.areas(weights)
            values[labels[k], "brier"] = losses[:, k]
        if n_classes > 2:
            values["", "macro_auroc"] = np.mean([values[label, "auroc"] for label in labels], axis=0)
        averages = macro_averages(confusion)
        values["", "balanced_accuracy"] = averages["macro_recall"]
        for name, average in averages.items():
            values["", name] = average
        values["", "brier"] = losses[:, :-1].sum(axis=1)
        values["", "log_loss"] = losses[:, -1]
        return values
