"""Evaluation metrics of weighted images, for many weightings at once.

The bootstrap asks for one metric under a thousand resamplings of the same images. A resampling only
changes how often each image counts, so every metric here takes weights (B, N), one row per resampling,
and sorts the scores once (`Ranking`). Sampling itself and the intervals are in `intervals.py`.

Letters: N images, K classes, B rows of weights, G distinct scores.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DataSetError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Weights = NDArray[Any]
"""(B, N) float64 or int32, 0 or more: how often each image counts. Counts stay integers, which sum faster."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The images in descending order of one class's score, images of equal score in one run.

    Every metric takes weights (B, N) in the order of the images as they were given, and is NaN for a row
    whose weights leave out one of the two classes.
    """

    order: Integers
    """(N,) image at each rank, highest score first."""
    run_starts: Integers
    """(G,) rank at which each run of equal scores begins."""
    positive: Booleans
    """(N,) by rank: whether the image belongs to the class."""
    negatives_above: Integers
    """For each image of the class, highest score first: how many others score higher."""
    negatives_down_to: Integers
    """Likewise: how many others score as high or higher."""
    last_tied: Integers
    """Likewise: the place among the images of the class of the last that scores as high."""

    @classmethod
    def of(cls, scores: Floats, positive: Booleans) -> "Ranking":
        """Rank N images by (N,) scores, one or more and without NaN."""
        order = np.argsort(-scores, kind="stable")
        descending, ranked = scores[order], positive[order]
        run_starts = np.flatnonzero(np.r_[True, descending[1:] != descending[:-1]])
        ascending, own = -descending[~ranked], -descending[ranked]
        return cls(
            order,
            run_starts,
            ranked,
            np.searchsorted(ascending, own, side="left"),
            np.searchsorted(ascending, own, side="right"),
            np.searchsorted(own, own, side="right") - 1,
        )

    def areas(self, weights: Weights) -> tuple[Floats, Floats]:
        """Return (B,) areas under the ROC curve and (B,) average precisions, which share most of the work.

        AUROC = sum_ij w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / (sum_i w_i sum_j w_j), i over the positive
        and j over the negative images: P(positive scores above negative) + P(tie) / 2 (Hanley and McNeil
        1982, the Mann-Whitney form).

        AP = sum_g (R_g - R_(g-1)) P_g over distinct scores, highest first, R_g and P_g being recall and
        precision of all images down to score g (Zhu 2004; no interpolation, as in scikit-learn).
        """
        positives = _columns(weights, self.order[self.positive])
        negatives = _reached(_columns(weights, self.order[~self.positive]))
        above = _columns(negatives, self.negatives_above)
        down_to = _columns(negatives, self.negatives_down_to)
        n_positive, n_negative = positives.sum(axis=1, dtype=np.float64), negatives[:, -1].astype(np.float64)
        pairs = n_positive * n_negative
        lost = np.einsum("bi,bi->b", positives, above, dtype=np.float64)
        lost += np.einsum("bi,bi->b", positives, down_to, dtype=np.float64)
        true_positives = _columns(_reached(positives)[:, 1:], self.last_tied)
        reported = true_positives + down_to
        precisions = np.divide(true_positives, reported, out=np.zeros(reported.shape), where=reported > 0)
        area = divide(np.einsum("bi,bi->b", positives, precisions), n_positive)
        return divide(pairs - lost / 2, pairs), np.where(n_negative > 0, area, np.nan)

    def auroc(self, weights: Weights) -> Floats:
        """Return the first of `areas`."""
        return self.areas(weights)[0]

    def average_precision(self, weights: Weights) -> Floats:
        """Return the second of `areas`."""
        return self.areas(weights)[1]

    def roc_curve(self, weights: Weights) -> tuple[Floats, Floats]:
        """Return (B, G + 1) false positive rates, from 0 up to 1, and the sensitivities reached at them."""
        positives, negatives = self._run_weights(weights)
        rates, sensitivities = _cumulative_share(negatives), _cumulative_share(positives)
        undefined = np.isnan(rates) | np.isnan(sensitivities)
        return np.where(undefined, np.nan, rates), np.where(undefined, np.nan, sensitivities)

    def precision_recall_curve(self, weights: Weights) -> tuple[Floats, Floats]:
        """Return (B, G) precisions and recalls of all images down to each distinct score, highest first.

        A precision is NaN where no image is counted yet.
        """
        positives, negatives = self._run_weights(weights)
        true_positives, false_positives = positives.cumsum(axis=1), negatives.cumsum(axis=1)
        precisions = divide(true_positives, true_positives + false_positives)
        return precisions, _cumulative_share(positives)[:, 1:]

    def _run_weights(self, weights: Weights) -> tuple[Floats, Floats]:
        """Return the positive and the negative weight (B, G) of each run."""
        ranked = _columns(weights, self.order).astype(np.float64)
        positives = np.add.reduceat(ranked * self.positive, self.run_starts, axis=1)
        negatives = np.add.reduceat(ranked * ~self.positive, self.run_starts, axis=1)
        return positives, negatives


def confusion_matrices(truth: Integers, decided: Integers, n_classes: int, weights: Weights) -> Floats:
    """Return (B, K, K) weights of images by true class (row) and decided class (column).

    Args:
        truth: (N,) in [0, K).
        decided: (N,) in [0, K).
        n_classes: K.
        weights: (B, N), 0 or more.
    """
    cells = np.eye(n_classes * n_classes)[truth * n_classes + decided]
    matrices: Floats = (weights @ cells).reshape(-1, n_classes, n_classes)
    return matrices


def youden_threshold(scores: NDArray[np.float32 | np.float64], positive: Booleans) -> float:
    """Return the threshold that maximises Youden's J, as far as possible from the scores on either side.

    J(t) = sensitivity(t) + specificity(t) - 1, an image being reported when its score is t or more
    (Youden 1950). J is constant between neighbouring scores; of its highest plateaus this takes the widest,
    and of that the middle, so that small changes of the scores change no decision. Scores and threshold are
    FP32 numbers: a served graph compares them in that precision.

    Args:
        scores: (N,) probabilities in [0, 1].
        positive: (N,) whether each image belongs to the class.

    Returns:
        A number strictly inside (0, 1).

    Raises:
        DataSetError: a score is not in [0, 1], or the images are all of one class.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        raise DataSetError(
            f"A threshold cannot be chosen from {n_positive} positive and {n_negative} negative images: "
            "both are needed. Choose it on a split that holds both."
        )
    if not np.all((scores >= 0) & (scores <= 1)):
        raise DataSetError(
            "A threshold can only be chosen from probabilities in [0, 1]; some are not, or are NaN."
        )
    highest_threshold = np.nextafter(np.float32(1), np.float32(0))
    scores = np.minimum(scores.astype(np.float32), highest_threshold)
    edges = np.unique(np.r_[np.float32(0), scores, highest_threshold])
    lower, upper = edges[:-1], edges[1:]  # thresholds in (lower, upper] decide alike
    reported = [
        n - np.searchsorted(np.sort(s), upper)
        for n, s in ((n_positive, scores[positive]), (n_negative, scores[~positive]))
    ]
    j = reported[0] * n_negative - reported[1] * n_positive  # J times both counts: exact in integers
    starts = np.flatnonzero(np.r_[True, j[1:] != j[:-1]])
    ends = np.r_[starts[1:], len(j)] - 1
    best = j[starts] == j.max()
    lower, upper = lower[starts[best]], upper[ends[best]]
    widest = int(np.argmax(upper - lower))
    middle = (lower[widest] + upper[widest]) / np.float32(2)
    return float(middle if middle > lower[widest] else upper[widest])


def _columns(weights: Weights, columns: Integers) -> Weights:
    """Return the named columns in that order; `take` is several times faster than indexing here."""
    return np.take(weights, columns, axis=1, mode="clip")


def _reached(weights: Weights) -> Weights:
    """Return (B, n + 1) running sums of (B, n) weights, beginning at 0."""
    sums = np.zeros((len(weights), weights.shape[1] + 1), dtype=weights.dtype)
    np.cumsum(weights, axis=1, dtype=weights.dtype, out=sums[:, 1:])
    return sums


def divide(numerator: Weights, denominator: Weights) -> Floats:
    """Divide element by element, in the shape of the numerator; NaN where the denominator is 0."""
    out = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def _cumulative_share(weights: Floats) -> Floats:
    """Return (B, G + 1) shares of each row's weight up to each run, beginning at 0."""
    reached = _reached(weights)
    return divide(reached, np.broadcast_to(reached[:, -1:], reached.shape))
