"""Shares of right decisions, with bounds that allow for patients who have several images."""

import numpy as np

from hilum.errors import UsageError
from training.evaluate.intervals import wilson_bounds
from training.evaluate.metrics import Booleans, Floats, Integers
from training.promote.gate.bounds import Bounded


def bounded_share(right: Booleans, patients: Integers, *, confidence: float) -> Bounded:
    """Return the share of right decisions among n images with Wilson's bounds on the effective number.

    A bootstrap over patients would agree for many misses; for few its bounds are too narrow, and for none it
    has none. A design effect seen in one or two misses alone says nothing either, so the bounds are never
    surer than those of as many patients, one image each, without a miss (without a hit for the upper one):
    or a first miss would make the lower bound better.

    Args:
        right: (n,) whether each image was decided rightly, n being 1 or more.
        patients: (n,) number of each image's patient.
        confidence: one-sided.
    """
    n, n_right = len(right), int(right.sum())
    if n == 0:
        raise UsageError("A share needs one image or more.")
    share, effect = n_right / n, design_effect(right.astype(np.float64), patients)
    lower, upper = wilson_bounds(n_right / effect, n / effect, confidence=2 * confidence - 1)
    n_patients = len(np.unique(patients))
    surest, _ = wilson_bounds(n_patients, n_patients, confidence=2 * confidence - 1)
    _, least = wilson_bounds(0, n_patients, confidence=2 * confidence - 1)
    likely = (n_right + 0.5) / (n + 1)  # no share of 0 or 1 is that of all cases to come
    return Bounded(
        value=share,
        lower=min(lower, surest),
        upper=max(upper, least),
        n=n,
        variance_per_case=effect * likely * (1 - likely),
        method="wilson" if n_patients == n else "wilson, effective number of images",
    )


def design_effect(values: Floats, patients: Integers) -> float:
    """Return by how many images that resemble each other weigh one independent one; 1 or more.

    The variance of the mean of n values when whole patients are drawn, over that when images are:
    (C / (C - 1)) sum_c (sum of the residuals of patient c)^2 / sum of all residuals^2, with C patients (Rao
    and Scott 1992, Biometrics 48:577). Where all values are equal there is no residual to judge by, and only
    patients count.

    Args:
        values: (n,) one or more, such as 1 for a right decision and 0 for a wrong one.
        patients: (n,) number of each image's patient.
    """
    n = len(values)
    _, patient_of_image = np.unique(patients, return_inverse=True)
    n_patients = int(patient_of_image.max()) + 1
    residuals = values - values.mean()
    alone = float(residuals @ residuals)
    if n_patients == n:
        return 1.0
    if n_patients == 1 or alone < 1e-12:
        return n / n_patients
    together = np.bincount(patient_of_image, weights=residuals)
    return max(n_patients / (n_patients - 1) * float(together @ together) / alone, 1.0)
