"""Decision curves: what acting on a probability is worth, over the thresholds a reader might act at.

A threshold t says how a reader weighs errors: acting at t means to accept (1 - t) / t needless actions for
one case found. Net benefit counts cases found and charges needless actions at that rate, so that a network
can be set against acting on everybody and on nobody. It judges probabilities as they are: miscalibrated ones
lose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.evaluation import MIN_BOOTSTRAP
from training.evaluate.intervals import CONFIDENCE, bootstrap_replicates
from training.evaluate.metrics import Booleans, Floats, Integers, Weights, divide
from training.evaluate.predictions import Predictions

THRESHOLDS: Floats = np.arange(1, 100) / 100
"""The thresholds of a curve where none are given: 0.01, 0.02 to 0.99."""


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit of acting on one class's probability, in true positives per image."""

    thresholds: Floats
    """(T,) rising, in (0, 1): an image is acted on when its probability is the threshold or more."""
    net_benefit: Floats
    """(T,) of the network; never above the prevalence, and below 0 where it does harm."""
    lower: Floats
    """(T,) lower bounds of pointwise 95 % intervals; NaN where none can be given."""
    upper: Floats
    """(T,) upper bounds of pointwise 95 % intervals; NaN where none can be given."""
    treat_all: Floats
    """(T,) of acting on every image; acting on none is worth 0."""
    prevalence: float
    """Share of the class that the curve is for, in (0, 1)."""
    is_sample_prevalence: bool
    """Whether that is the share among these images, which resampling then varies; else it was stated."""
    n_images: int
    """Images."""
    n_positive: int
    """Images of the class."""

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as objects that JSON can carry; a missing bound is None."""
        bounds = {
            name: [None if np.isnan(bound) else float(bound) for bound in values]
            for name, values in (("lower", self.lower), ("upper", self.upper))
        }
        return {
            "thresholds": self.thresholds.tolist(),
            "net_benefit": self.net_benefit.tolist(),
            **bounds,
            "treat_all": self.treat_all.tolist(),
            "prevalence": self.prevalence,
            "is_sample_prevalence": self.is_sample_prevalence,
            "n_images": self.n_images,
            "n_positive": self.n_positive,
        }


def decision_curves(
    predictions: Predictions,
    *,
    prevalences: Mapping[str, float] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, DecisionCurve]:
    """Return the decision curve of each reported class against the rest, by its name.

    A class of which there is no image, or nothing else, is left out.

    Args:
        predictions: of N images.
        prevalences: by class, where the share among those a network would meet is known and is not the
            share among these images.
        n_bootstrap: resamplings of the patients, 100 or more.
        seed: of the resamplings.

    Raises:
        UsageError: a stated prevalence is not in (0, 1), or there are too few resamplings.
    """
    stated = prevalences or {}
    positives = {k: predictions.truth == k for k in predictions.reported}
    return {
        predictions.labels[k]: decision_curve(
            predictions.probabilities[:, k],
            positive,
            predictions.frame["patient_id"].astype(str),
            prevalence=stated.get(predictions.labels[k]),
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        for k, positive in positives.items()
        if 0 < positive.sum() < len(positive)
    }


def decision_curve(
    probabilities: Floats,
    positive: Booleans,
    patients: ArrayLike,
    *,
    thresholds: Floats = THRESHOLDS,
    prevalence: float | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> DecisionCurve:
    """Return the net benefit of acting on a probability, with the bootstrap's pointwise 95 % band.

    NB(t) = TP / n - FP / n * t / (1 - t) (Vickers and Elkin 2006, Medical Decision Making 26:565). At a
    stated prevalence pi the rates take the place of the counts:
    NB(t) = sensitivity pi - (1 - specificity) (1 - pi) t / (1 - t). Acting on all is sensitivity 1 and
    specificity 0. The band comes from resampling patients. A stated prevalence reweighs the images only: the
    probabilities stay those that the network gives, and were calibrated where the class was as common as in
    its validation split.

    Args:
        probabilities: (N,) of the class, in [0, 1].
        positive: (N,) whether each image belongs to it.
        patients: (N,) patient of each image.
        thresholds: (T,) rising, in (0, 1).
        prevalence: in (0, 1); None takes the share among these images.
        n_bootstrap: resamplings, 100 or more.
        seed: of the resamplings.

    Raises:
        UsageError: thresholds or prevalence are not in (0, 1), or there are too few resamplings.
        DataSetError: there is no image of the class, or none of the rest.
    """
    _check(thresholds, prevalence, n_bootstrap)
    n, n_positive = len(positive), int(positive.sum())
    if not 0 < n_positive < n:
        raise DataSetError(
            "A decision curve needs images of the class and of the rest; "
            f"got {n_positive} and {n - n_positive}."
        )
    reached = np.searchsorted(thresholds, probabilities, side="right")  # thresholds that act on the image
    cells = positive * (len(thresholds) + 1) + reached
    odds = thresholds / (1 - thresholds)

    def net_benefits(weights: Weights) -> Floats:
        return _net_benefits(weights, cells, odds, prevalence)

    names = np.asarray(patients)
    replicates = bootstrap_replicates(net_benefits, names, n_bootstrap=n_bootstrap, seed=seed)
    lower = upper = np.full(len(thresholds), np.nan)
    if min(len(np.unique(names[positive])), len(np.unique(names[~positive]))) > 1:
        tail = 100 * (1 - CONFIDENCE) / 2
        lower, upper = np.nanpercentile(replicates, [tail, 100 - tail], axis=0)
    share = n_positive / n if prevalence is None else prevalence
    return DecisionCurve(
        thresholds=thresholds,
        net_benefit=net_benefits(np.ones((1, n)))[0],
        lower=lower,
        upper=upper,
        treat_all=share - (1 - share) * odds,
        prevalence=share,
        is_sample_prevalence=prevalence is None,
        n_images=n,
        n_positive=n_positive,
    )


def _net_benefits(weights: Weights, cells: Integers, odds: Floats, prevalence: float | None) -> Floats:
    """Return (b, T) net benefits of weighted images.

    Args:
        weights: (b, N).
        cells: (N,) how many of the T thresholds act on the image, plus T + 1 for images of the class.
        odds: (T,) t / (1 - t).
        prevalence: stated, or None.
    """
    n_cells = 2 * (len(odds) + 1)
    counts = np.stack([np.bincount(cells, weights=row, minlength=n_cells) for row in weights])
    acted_on = counts.reshape(len(weights), 2, -1)[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    totals, (false, true) = acted_on[:, :, 0], np.moveaxis(acted_on[:, :, 1:], 1, 0)
    if prevalence is None:
        worth = np.ones((len(weights), 2)) / totals.sum(axis=1, keepdims=True)
    else:
        worth = divide(np.broadcast_to([1 - prevalence, prevalence], totals.shape), totals)
    benefits: Floats = true * worth[:, 1:] - false * worth[:, :1] * odds
    return benefits


def _check(thresholds: Floats, prevalence: float | None, n_bootstrap: int) -> None:
    """Refuse what no net benefit follows from."""
    if not len(thresholds) or np.any(np.diff(thresholds) <= 0) or thresholds[0] <= 0 or thresholds[-1] >= 1:
        raise UsageError("The thresholds of a decision curve must rise within (0, 1), without its ends.")
    if prevalence is not None and not 0 < prevalence < 1:
        raise UsageError(f"A stated prevalence must lie in (0, 1), without its ends; got {prevalence}.")
    if n_bootstrap < MIN_BOOTSTRAP:
        raise UsageError(f"Give {MIN_BOOTSTRAP} or more bootstrap resamplings, got {n_bootstrap}.")
