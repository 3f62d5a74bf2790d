"""McNemar's test of two networks' decisions on the same images, and the interval that goes with it.

Only the discordant images, which one network decides rightly and the other wrongly, tell the two apart.
Images count as independent of each other: where patients have several, read the patient bootstrap instead.
"""

from math import sqrt

from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from hilum.errors import UsageError
from training.evaluate.intervals import CONFIDENCE
from training.evaluate.paired_test import PairedTest


def mcnemar_test(n: int, *, only_a: int, only_b: int, confidence: float = CONFIDENCE) -> PairedTest:
    """Return the interval and the p value of (only_b - only_a) / n, a difference of paired proportions.

    The p value is McNemar's exact one: under no difference `only_a` is binomial of the discordant images with
    probability 1/2 (McNemar 1947, Psychometrika 12:153). The interval is Tango's
    (1998), which stays informative without a discordant image.

    Args:
        n: images, 1 or more.
        only_a: images that only the first network decided rightly.
        only_b: images that only the second network decided rightly.
        confidence: of the interval.

    Raises:
        UsageError: a count is negative, or there are more discordant images than images.
    """
    if n < 1 or min(only_a, only_b) < 0 or only_a + only_b > n:
        raise UsageError(
            "Expected 1 or more images and at most as many discordant ones, "
            f"got {n} with {only_a} and {only_b}."
        )
    discordant = only_a + only_b
    p_value = float(binomtest(only_a, discordant).pvalue) if discordant else 1.0
    lower, upper = tango_interval(n, only_a=only_a, only_b=only_b, confidence=confidence)
    return PairedTest(lower, upper, p_value)


def tango_interval(n: float, *, only_a: float, only_b: float, confidence: float) -> tuple[float, float]:
    """Return the score interval of (only_b - only_a) / n, a difference of paired proportions.

    Its bounds solve (only_b - only_a - n d)^2 = z^2 n (2 q + d (1 - d)), with q the likeliest share of
    `only_a` given a difference d: the larger root of
    2 n q^2 + ((2 n - only_b + only_a) d - only_a - only_b) q - only_a d (1 - d) = 0
    (Tango 1998, Statistics in Medicine 17:891). Counts that are no integers are effective ones, of images
    that are not independent of each other.
    """
    z = float(norm.ppf((1 + confidence) / 2))

    def excess(d: float) -> float:
        linear = (2 * n - only_b + only_a) * d - only_a - only_b
        q = (sqrt(max(linear**2 + 8 * n * only_a * d * (1 - d), 0.0)) - linear) / (4 * n)
        return (only_b - only_a - n * d) ** 2 - z**2 * n * (2 * q + d * (1 - d))

    value = (only_b - only_a) / n
    margin = 1e-9  # `excess` is 0 at the value itself where no image is discordant or all are on one side
    lower = -1.0 if only_a == n else float(brentq(excess, -1, value - margin))
    upper = 1.0 if only_b == n else float(brentq(excess, value + margin, 1))
    return lower, upper
