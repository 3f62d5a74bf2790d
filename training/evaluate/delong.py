"""DeLong's test of two AUROCs on the same images.

Sums over all pairs of a positive and a negative image come from mid-ranks, so that N images take O(N log N)
(Sun and Xu 2014, IEEE Signal Processing Letters 21:1389). Images count as independent of each other: where
patients have several, variances are too small and the patient bootstrap of `intervals.py` is the one to read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from training.errors import DataSetError
from training.evaluate.intervals import CONFIDENCE
from training.evaluate.metrics import Booleans, Floats
from training.evaluate.paired_test import UNTESTED, PairedTest

MIN_IMAGES = 2
"""Fewest images of the class, and of the rest, from which a variance follows."""

_NO_SPREAD = 1e-12
"""Standard errors below this are rounding: the rankings agree, or both separate the classes wholly."""


@dataclass(frozen=True, slots=True)
class DelongAuroc:
    """An AUROC, or the mean of several on the same images, with what each image adds to its variance."""

    value: float
    """In [0, 1]."""
    components: Floats
    """(N,) shares of the images: the sum of their squares is the variance, the sum of their products with
    another AUROC's on the same images is the covariance of the two."""

    @classmethod
    def of(cls, scores: Floats, positive: Booleans) -> "DelongAuroc":
        """Return the AUROC of N images by their scores.

        A positive image's placement is the share of the m_0 negative images that score below it (ties: half),
        V_i = (T_i - T1_i) / m_0, T being its mid-rank among all and T1 among the positive images; a negative
        image's is 1 - (T_j - T0_j) / m_1, the share of the m_1 positive ones above it (Sun and Xu 2014).
        AUROC = mean V, variance = S_1 / m_1 + S_0 / m_0 with S the sample variance of the placements
        (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837).

        Args:
            scores: (N,) without NaN.
            positive: (N,) whether each image belongs to the class.

        Raises:
            DataSetError: there are fewer than two images of the class, or of the rest.
        """
        n_positive = int(positive.sum())
        n_negative = len(positive) - n_positive
        if min(n_positive, n_negative) < MIN_IMAGES:
            raise DataSetError(
                f"DeLong's variance needs {MIN_IMAGES} or more images of the class and of the rest; got "
                f"{n_positive} and {n_negative}. Compare on more images."
            )
        ranks = rankdata(scores)
        placements = np.empty(len(scores))
        placements[positive] = (ranks[positive] - rankdata(scores[positive])) / n_negative
        placements[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / n_positive
        value = float(placements[positive].mean())
        pairs = np.where(positive, n_positive * (n_positive - 1), n_negative * (n_negative - 1))
        return cls(value, (placements - value) / np.sqrt(pairs))

    @classmethod
    def mean(cls, aurocs: Sequence["DelongAuroc"]) -> "DelongAuroc":
        """Return the unweighted mean of one or more AUROCs of the same images, as the macro AUROC is.

        The component of an image is the mean of its components, so that the covariances between the classes
        count (the influence curve of a mean is the mean of the influence curves; for an AUROC: LeDell,
        Petersen and van der Laan 2015, Electronic Journal of Statistics 9:1583).
        """
        value = float(np.mean([auroc.value for auroc in aurocs]))
        return cls(value, np.mean([auroc.components for auroc in aurocs], axis=0))

    @property
    def variance(self) -> float:
        """Variance of the AUROC."""
        return self.covariance(self)

    def covariance(self, other: "DelongAuroc") -> float:
        """Return the covariance with another AUROC of the same images."""
        return float(self.components @ other.components)


def delong_test(a: DelongAuroc, b: DelongAuroc, *, confidence: float = CONFIDENCE) -> PairedTest:
    """Return the normal interval and the two-sided p value of the difference b - a.

    z = (b - a) / sqrt(Var a + Var b - 2 Cov) (DeLong, DeLong and Clarke-Pearson 1988). Where that root is 0,
    there are neither interval nor p value: these images show no spread to judge by.

    Args:
        a: AUROC of the first network.
        b: AUROC of the second, on the same images in the same order.
        confidence: of the interval.
    """
    value = b.value - a.value
    error = float(np.linalg.norm(b.components - a.components))
    if error < _NO_SPREAD:
        return UNTESTED
    margin = float(norm.ppf((1 + confidence) / 2)) * error
    p_value = float(2 * norm.sf(abs(value) / error))
    return PairedTest(max(value - margin, -1.0), min(value + margin, 1.0), p_value)
