"""From predictions to an evaluation: each metric with its interval, per class and per group of images.

Everything here is arithmetic on records; running a network and logging to MLflow are left to the command.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.errors import UsageError
from training.data.association import CONFOUNDED_FROM, source_label_association
from training.evaluate.calibration import BinnedConfidence, ReliabilityBin, top_label
from training.evaluate.intervals import Estimate
from training.evaluate.predictions import Predictions
from training.evaluate.resampled import Metric
from training.evaluate.scope import Scope, confusion_counts, measure
from training.evaluate.subgroups import UNKNOWN, subgroups

__all__ = ["MIN_BOOTSTRAP", "TOP_LABEL", "Evaluation", "Metric", "Scope", "evaluate"]

MIN_BOOTSTRAP = 100
"""Fewest resamplings that still leave two beyond each bound of a 95 % interval."""

TOP_LABEL = "top_label"
"""The reliability of the most probable class, beside those of single classes."""


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
    """By column (`source`; `view`, `sex`, `age` and `kind` where they are known), then by its value."""
    reliability: Mapping[str, tuple[ReliabilityBin, ...]]
    """Bins of the reliability diagram of each reported class, and of the `top_label`."""
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
    """Measure predictions on the whole split and per group of images, however small the group.

    Args:
        predictions: of N images.
        n_bootstrap: resamplings of the patients, 100 or more.
        seed: of the resamplings; the same seed gives the same intervals.

    Raises:
        UsageError: too few resamplings.
    """
    if n_bootstrap < MIN_BOOTSTRAP:
        raise UsageError(f"Give {MIN_BOOTSTRAP} or more bootstrap resamplings, got {n_bootstrap}.")
    frame = predictions.frame
    groups = {
        column: {
            str(value): measure(predictions.take(group == value), n_bootstrap=n_bootstrap, seed=seed)
            for value in sorted(group.unique(), key=lambda value: (value == UNKNOWN, value))
        }
        for column, group in subgroups(frame).items()
    }
    strength = source_label_association(frame["source"], predictions.truth)
    return Evaluation(
        labels=predictions.labels,
        n_images=len(frame),
        n_patients=int(frame["patient_id"].nunique()),
        n_bootstrap=n_bootstrap,
        seed=seed,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion_counts(predictions)),
        whole=measure(predictions, n_bootstrap=n_bootstrap, seed=seed),
        groups=groups,
        reliability=_reliability(predictions),
        source_label_association=strength,
        warnings=tuple(_warnings(predictions, strength)),
    )


def _reliability(predictions: Predictions) -> dict[str, tuple[ReliabilityBin, ...]]:
    """Return the reliability bins of the top label and of each reported class."""
    truth, probabilities = predictions.truth, predictions.probabilities
    columns = {TOP_LABEL: top_label(probabilities, truth)} | {
        predictions.labels[k]: (probabilities[:, k], truth == k) for k in predictions.reported
    }
    return {name: BinnedConfidence.of(*column).reliability() for name, column in columns.items()}


def _warnings(predictions: Predictions, strength: float | None) -> Iterator[str]:
    """Yield what makes the numbers weaker than they look."""
    patients = predictions.frame["patient_id"].to_numpy()
    for k, label in enumerate(predictions.labels):
        own = patients[predictions.truth == k]
        if not len(own):
            yield f"No image is labelled {label}: what compares it with the rest is not defined."
        elif len(own) > 1 and len(np.unique(own)) == 1:
            yield (
                f"All {len(own)} images labelled {label} are of one patient: they say nothing about other "
                "patients. Evaluate on a split with more of them."
            )
    if strength is not None and strength >= CONFOUNDED_FROM:
        yield (
            f"The source nearly gives the class away (Cramer's V {strength:.2f}): a network that only "
            "recognised the source would also score high. Read the rows per source before trusting the whole."
        )
