"""95 % intervals of evaluation metrics.

- Proportions (sensitivity, specificity, precision, accuracy): Wilson's score interval. It counts images
  as independent, so where patients have several images it is somewhat too narrow.
- AUROC, average precision and means over classes: percentile bootstrap that draws whole patients, since
  images of one patient resemble each other.
- An AUROC that the bootstrap cannot judge (every resampling separates perfectly, or a class comes from
  a single patient): Newcombe's score interval on the numbers of patients.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from training.evaluate.metrics import Floats

CONFIDENCE = 0.95
"""Share of such intervals that hold the true value."""

Method = Literal["wilson", "patient_bootstrap", "newcombe", "none"]
"""How an interval was made; `none` where it, or the value too, is not defined."""

_WEIGHTS_PER_CHUNK = 4_000_000
"""Weights held at a time while resampling: 32 MB, whatever the number of images."""


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
    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(successes / n, float(interval.low), float(interval.high), n, "wilson")


def bootstrap_estimate(value: float, replicates: Floats, n: int, *, n_patients: int) -> Estimate:
    """Return `value` with the percentiles of its bootstrap replicates (Efron and Tibshirani 1993, ch. 13).

    Args:
        value: the metric on the images themselves; NaN where it is not defined.
        replicates: (B,) the metric on each resampling; NaN (a class was not drawn) is left out.
        n: images.
        n_patients: patients of the rarest class. From fewer than two, or where all replicates agree, no
            interval follows: the resamplings do not show what other patients would have given.
    """
    if np.isnan(value):
        return Estimate(None, None, None, n, "none")
    drawn = replicates[~np.isnan(replicates)]
    if n_patients < 2 or np.ptp(drawn) < 1e-12:
        return Estimate(float(value), None, None, n, "none")
    tail = 100 * (1 - CONFIDENCE) / 2
    lower, upper = np.percentile(drawn, [tail, 100 - tail])
    return Estimate(float(value), float(lower), float(upper), n, "patient_bootstrap")


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


def resampled_weights(patients: ArrayLike, *, n_bootstrap: int, seed: int) -> Iterator[Floats]:
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
        yield counts[:, patient_of_image].astype(np.float64)


def bootstrap_replicates(
    metrics: Callable[[Floats], Floats], patients: ArrayLike, *, n_bootstrap: int, seed: int
) -> Floats:
    """Return (B, M) replicates of M metrics, which `metrics` computes from weights: (b, N) to (b, M)."""
    chunks = resampled_weights(patients, n_bootstrap=n_bootstrap, seed=seed)
    return np.concatenate([metrics(weights) for weights in chunks])
