"""Calibration: whether probabilities mean what they say, and the temperature that mends them.

A temperature is fitted on validation logits, kept as a tag of the training run, and divides the logits
wherever probabilities are made of them: in an evaluation, for thresholds, and in the exported graph.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from hilum.console import stderr
from training.errors import DataSetError
from training.evaluate.intervals import Estimate, wilson_estimate
from training.evaluate.metrics import Booleans, Floats, Integers, Weights, divide

N_BINS = 15
"""Bins of a reliability diagram, as in Guo et al. 2017, table 1."""

TEMPERATURE_RANGE = (0.01, 100.0)
"""Where a temperature is looked for; an optimum outside it comes from too few or from broken logits."""

MIN_IMAGES = 30
"""Fewest images that a temperature is fitted on."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose confidence lies in (lower, upper]."""

    lower: float
    upper: float
    n: int
    """Images in the bin."""
    confidence: float | None
    """Their mean confidence; None where there is no image."""
    share: Estimate
    """The accuracy of the top label, or the share of the class, with its interval."""


def calibrated_probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return softmax(logits / temperature), (N, K) (Guo et al. 2017, eq. 9).

    Raises:
        DataSetError: a logit is NaN or infinite.
    """
    _check_logits(logits)
    probabilities: Floats = softmax(logits / temperature, axis=1)
    return probabilities


def fit_temperature(logits: Floats, truth: Integers) -> float:
    """Return the temperature T that minimises the negative log-likelihood of softmax(logits / T).

    NLL(T) = -sum_i log softmax(z_i / T)[y_i] (Guo et al. 2017, section 4.2). It is convex in 1 / T, so the
    zero of its slope there, sum_i (sum_k p_ik z_ik - z_iy), is the one optimum. Where there is none (every
    image is already put right, or the logits are no better than chance), or there are fewer than
    `MIN_IMAGES` images, T is 1 and a sentence on stderr says so.

    Args:
        logits: (N, K) of images that the network was not trained on.
        truth: (N,) their classes, in [0, K).

    Returns:
        A number in `TEMPERATURE_RANGE`.

    Raises:
        DataSetError: a logit is NaN or infinite.
    """
    _check_logits(logits)
    excess = logits - logits[np.arange(len(truth)), truth][:, None]  # over the logit of the true class

    def slope(log_temperature: float) -> float:
        return float((softmax(excess * exp(-log_temperature), axis=1) * excess).sum())

    coldest, hottest = (log(bound) for bound in TEMPERATURE_RANGE)
    if len(truth) < MIN_IMAGES:
        reason = f"{len(truth)} validation images are too few to fit one, {MIN_IMAGES} are needed"
    elif slope(coldest) <= 0:
        reason = f"all {len(truth)} validation images are put right, so that any sharper scale fits better"
    elif slope(hottest) >= 0:
        reason = f"on {len(truth)} validation images the network is no better than chance"
    else:
        return exp(float(brentq(slope, coldest, hottest, xtol=1e-12)))
    stderr.print(f"The probabilities stay as they are (temperature 1): {reason}.")
    return 1.0


def top_label(probabilities: Floats, truth: Integers) -> tuple[Floats, Booleans]:
    """Return (N,) the highest probability of each image, and whether its class is the true one."""
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == truth


@dataclass(frozen=True, slots=True)
class BinnedConfidence:
    """N images in M bins of equal width over their confidence, ((m - 1) / M, m / M] (Guo et al. 2017).

    The confidence is the highest probability of each image (`top_label`), or its probability of one class.
    """

    n_bins: int
    """M."""
    order: Integers
    """(N,) the images bin by bin."""
    bins: Integers
    """(N,) the bin of each, in that order, from 0; a confidence of 0 is in the first."""
    confidence: Floats
    """(N,) likewise."""
    correct: Booleans
    """(N,) likewise: whether the image is of the class that the confidence is about."""

    @classmethod
    def of(cls, confidence: Floats, correct: Booleans, n_bins: int = N_BINS) -> "BinnedConfidence":
        """Bin N images, one or more, by (N,) confidences in [0, 1]."""
        bins = np.searchsorted(np.arange(1, n_bins) / n_bins, confidence, side="left")
        order = np.argsort(bins, kind="stable")
        return cls(n_bins, order, bins[order], confidence[order], correct[order])

    def error(self, weights: Weights) -> Floats:
        """Return (B,) expected calibration errors, in [0, 1], of images with (B, N) weights.

        ECE = sum_m (n_m / N) |accuracy_m - confidence_m| (Guo et al. 2017, eq. 3); with the probabilities of
        one class it is the class-wise form (Kull et al. 2019, eq. 3). It grows with noise: even a perfectly
        calibrated network has an ECE above 0 on few images.
        """
        errors: Floats = np.abs(self._gaps(weights)).sum(axis=1)
        return errors

    def noise(self, weights: Weights) -> Floats:
        """Return (B,) how far each weighting's gaps lie from those of the images, summed over the bins."""
        once = np.ones((1, len(self.order)))
        distances: Floats = np.abs(self._gaps(weights) - self._gaps(once)).sum(axis=1)
        return distances

    def _gaps(self, weights: Weights) -> Floats:
        """Return (n_m / N) (accuracy_m - confidence_m) of each bin that is not empty, for each weighting."""
        starts = np.flatnonzero(np.r_[True, self.bins[1:] != self.bins[:-1]])
        gaps = np.take(weights, self.order, axis=1) * (self.correct - self.confidence)
        return divide(np.add.reduceat(gaps, starts, axis=1), weights.sum(axis=1, keepdims=True))

    def reliability(self) -> tuple[ReliabilityBin, ...]:
        """Return the M bins of a reliability diagram (Guo et al. 2017, eq. 2 and figure 1)."""
        n = np.bincount(self.bins, minlength=self.n_bins)
        correct = np.bincount(self.bins[self.correct], minlength=self.n_bins)
        confidence = np.bincount(self.bins, weights=self.confidence, minlength=self.n_bins).astype(np.float64)
        return tuple(
            ReliabilityBin(
                lower=m / self.n_bins,
                upper=(m + 1) / self.n_bins,
                n=int(n[m]),
                confidence=float(confidence[m] / n[m]) if n[m] else None,
                share=wilson_estimate(int(correct[m]), int(n[m])),
            )
            for m in range(self.n_bins)
        )


def squared_errors(probabilities: Floats, truth: Integers) -> Floats:
    """Return (N, K) squared distances of probabilities from what happened; Brier scores are means of these.

    The mean over images of one column is the Brier score of that class against the rest, in [0, 1]; of the
    sum over columns, the score of all classes as Brier (1950, eq. 2) has it, in [0, 2].
    """
    happened = np.eye(probabilities.shape[1])[truth]
    errors: Floats = np.square(probabilities - happened)
    return errors


def log_losses(probabilities: Floats, truth: Integers) -> Floats:
    """Return (N,) -log of the probability of each image's true class, at least the smallest float's.

    Their mean is the negative log-likelihood (cross-entropy) per image, in nats.
    """
    given = probabilities[np.arange(len(truth)), truth]
    losses: Floats = -np.log(np.maximum(given, np.finfo(np.float64).eps))
    return losses


def _check_logits(logits: Floats) -> None:
    wrong = ~np.isfinite(logits).all(axis=1)
    if wrong.any():
        raise DataSetError(
            f"The logits of {int(wrong.sum())} of {len(logits)} images are NaN or infinite: the network has "
            "diverged. Train it again with a lower learning rate, or choose another checkpoint."
        )
