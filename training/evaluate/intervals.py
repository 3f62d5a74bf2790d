"""95 % intervals of evaluation metrics.

- Proportions (sensitivity, specificity, precision, accuracy): Wilson's score interval. It counts images
  as independent, so where patients have several images it is somewhat too narrow.
- AUROC, average precision, F1, Brier scores and means over classes: percentile bootstrap that draws whole
  patients, since images of one patient resemble each other. For the AUROC alone DeLong's variance would be
  faster, but it counts images as independent; the bootstrap is one method for all of these, macro AUROC
  included, and equals DeLong's within its noise where each patient has one image.
- Calibration errors, which grow with noise: a bound on that noise from the same bootstrap.
- What the bootstrap cannot judge because every resampling agrees, or a class comes from a single patient:
  for an AUROC Newcombe's score interval on the numbers of patients, for F1 Wilson's on what it is made of.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm

from training.evaluate.metrics import Floats, Weights

CONFIDENCE = 0.95
"""Share of such intervals that hold the true value."""

Method = Literal["wilson", "patient_bootstrap", "noise_bootstrap", "newcombe", "normal", "none"]
"""How an interval was made; `none` where it, or the value too, is not defined."""

_WEIGHTS_PER_CHUNK = 800_000
"""Weights held at a time while resampling: 3 MB, which a core's own cache holds, for any number of images."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value with its 95 % interval."""

    value: float | None
    """None where the metric is not defined: no image of a class, or nothing reported."""
    lower: float | None
    """Lower bound; None where no interval can be given."""
    upper: float | None
    """Upper bound; None where no interval can be given."""
    n: int
    """Images that the metric is about: its denominator for a proportion, else all images compared."""
    method: Method
    """How the interval was made."""

    def __str__(self) -> str:
        """Return the value and its interval to three decimals, as `0.994 (0.988-0.998)`."""
        if self.value is None:
            return "not defined"
        if self.lower is None or self.upper is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.lower:.3f}-{self.upper:.3f})"


def wilson_estimate(successes: int, n: int) -> Estimate:
    """Return the proportion `successes / n` and its score interval (Wilson 1927); undefined for n = 0."""
    if n == 0:
        return Estimate(None, None, None, 0, "none")
    return Estimate(successes / n, *wilson_bounds(successes, n), n, "wilson")


def wilson_bounds(successes: float, n: float, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the bounds of Wilson's score interval of `successes / n`, n being 1 or more.

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n) (Wilson 1927). Counts that are no
    integers are effective ones, of images that are not independent of each other.
    """
    z, p = float(norm.ppf((1 + confidence) / 2)), successes / n
    centre, margin = p + z**2 / (2 * n), z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    lower = 0.0 if successes == 0 else (centre - margin) / scale
    return lower, 1.0 if successes == n else (centre + margin) / scale


def f1_estimate(f1: float, n: int, *, counted: int) -> Estimate:
    """Return an F1 score with the interval that follows from Wilson's.

    F1 = 2 J / (1 + J) rises with J = TP / (TP + FP + FN), a proportion: of the images of the class or decided
    as it, those that are both. The bounds of J's interval become those of F1.

    Args:
        f1: in [0, 1].
        n: images.
        counted: TP + FP + FN, 1 or more.
    """
    bounds = wilson_bounds(round(counted * f1 / (2 - f1)), counted)
    lower, upper = (2 * bound / (1 + bound) for bound in bounds)
    return Estimate(f1, lower, upper, n, "wilson")


def normal_estimate(successes: int, n: int) -> Estimate:
    """Return the proportion p = `successes / n` and p +- z sqrt(p (1 - p) / n), undefined for n = 0.

    This is how Deep-COVID (Minaee et al. 2020, eq. 3) makes its intervals; it is here to stand beside them.
    Near 0 and 1 it leaves [0, 1], and at 0 and 1 themselves it has no width: use Wilson's.
    """
    if n == 0:
        return Estimate(None, None, None, 0, "none")
    p = successes / n
    margin = float(norm.ppf((1 + CONFIDENCE) / 2)) * sqrt(p * (1 - p) / n)
    return Estimate(p, p - margin, p + margin, n, "normal")


def bootstrap_estimate(
    value: float, replicates: Floats, n: int, *, n_patients: int, confidence: float = CONFIDENCE
) -> Estimate:
    """Return `value` with the percentiles of its bootstrap replicates (Efron and Tibshirani 1993, ch. 13).

    Args:
        value: the metric on the images themselves; NaN where it is not defined.
        replicates: (B,) the metric on each resampling; NaN (a class was not drawn) is left out.
        n: images.
        n_patients: patients of the rarest class. From fewer than two, or where all replicates agree, no
            interval follows: the resamplings do not show what other patients would have given.
        confidence: share of such intervals that hold the true value.
    """
    if np.isnan(value):
        return Estimate(None, None, None, n, "none")
    drawn = replicates[~np.isnan(replicates)]
    if n_patients < 2 or not len(drawn) or np.ptp(drawn) < 1e-12:
        return Estimate(float(value), None, None, n, "none")
    tail = 100 * (1 - confidence) / 2
    lower, upper = np.percentile(drawn, [tail, 100 - tail])
    return Estimate(float(value), float(lower), float(upper), n, "patient_bootstrap")


def calibration_estimate(value: float, noise: Floats, n: int, *, n_patients: int) -> Estimate:
    """Return a calibration error with an interval that allows for what noise adds to it.

    An ECE is sum_m |gap_m + noise_m|: larger than that of the true gaps, and a resampling's is larger still,
    so that percentiles of replicates would rule out the true value. But by the triangle inequality noise
    moves it by sum_m |noise_m| at most. The bounds are that far on either side, at the 95 % percentile of the
    bootstrap's noise; they hold at least as often as they say.

    Args:
        value: in [0, 1].
        noise: (B,) sum over the bins of |gap of the resampling - gap of the images|.
        n: images.
        n_patients: patients; from fewer than two no interval follows.
    """
    if n_patients < 2:
        return Estimate(value, None, None, n, "none")
    margin = float(np.percentile(noise, 100 * CONFIDENCE))
    return Estimate(value, max(value - margin, 0.0), min(value + margin, 1.0), n, "noise_bootstrap")


def newcombe_estimate(auroc: float, n: int, *, n_positive: int, n_negative: int) -> Estimate:
    """Return an AUROC with a score interval, which stays informative at 0 and 1.

    The bounds are the solutions theta of (auroc - theta)^2 = z^2 V(theta), with Hanley and McNeil's
    V = theta (1 - theta) (1 + h ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (n_positive n_negative)
    and h = (n_positive + n_negative) / 2 - 1 (Newcombe 2006, Statistics in Medicine 25:559, method 5).

    Args:
        auroc: in [0, 1].
        n: images.
        n_positive: patients with an image of the class, 1 or more.
        n_negative: patients with an image of another class, 1 or more.
    """
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    spread = (n_positive + n_negative) / 2 - 1

    def excess(theta: float) -> float:
        share = 1 + spread * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (auroc - theta) ** 2 - z**2 * theta * (1 - theta) * share / (n_positive * n_negative)

    margin = 1e-9  # `excess` is 0 at an AUROC of 0 or 1 itself, which is not the bound looked for
    lower = 0.0 if auroc <= margin else float(brentq(excess, 0, auroc - margin))
    upper = 1.0 if auroc >= 1 - margin else float(brentq(excess, auroc + margin, 1))
    return Estimate(float(auroc), lower, upper, n, "newcombe")


def resampled_weights(patients: ArrayLike, *, n_bootstrap: int, seed: int) -> Iterator[Weights]:
    """Yield how often each image is drawn, (b, N) at a time, `n_bootstrap` rows in all.

    Each row draws as many patients as there are, with replacement; all images of a patient come with
    them (the cluster bootstrap: Davison and Hinkley 1997, section 3.8). Rows depend on the set of
    patients and the seed, not on the order of the images.

    Args:
        patients: (N,) patient of each image.
        n_bootstrap: rows.
        seed: of the random numbers.
    """
    names, patient_of_image = np.unique(np.asarray(patients), return_inverse=True)
    n_patients, n_images = len(names), len(patient_of_image)
    random = np.random.default_rng(seed)
    rows_per_chunk = max(1, _WEIGHTS_PER_CHUNK // n_images)
    for start in range(0, n_bootstrap, rows_per_chunk):
        rows = min(rows_per_chunk, n_bootstrap - start)
        drawn = random.integers(n_patients, size=(rows, n_patients))
        cells = drawn + n_patients * np.arange(rows)[:, None]
        counts = np.bincount(cells.ravel(), minlength=rows * n_patients).reshape(rows, n_patients)
        yield np.take(counts.astype(np.int32), patient_of_image, axis=1)


def bootstrap_replicates(
    metrics: Callable[[Weights], Floats], patients: ArrayLike, *, n_bootstrap: int, seed: int
) -> Floats:
    """Return (B, M) replicates of M metrics, which `metrics` computes from weights: (b, N) to (b, M)."""
    chunks = resampled_weights(patients, n_bootstrap=n_bootstrap, seed=seed)
    return np.concatenate([metrics(weights) for weights in chunks])
