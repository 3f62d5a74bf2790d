"""How far a release lies from the champion in one metric, with the bounds that the gate judges by."""

from math import ceil

from scipy.stats import norm

from training.evaluate.differences import Difference
from training.evaluate.mcnemar import tango_interval
from training.promote.gate.bounds import Bounded


def bounded_share_difference(difference: Difference, *, effect: float, confidence: float) -> Bounded:
    """Return a difference of paired shares, of release less champion, with Tango's score interval.

    It goes with McNemar's test, and stays informative without a discordant image. Where patients have several
    images it is taken of the effective numbers, all counts over the design effect of the gains. In
    simulations of few discordant images this holds its error, and percentiles of a bootstrap over patients do
    not (docs/gate.md). A design effect seen in one or two discordant images says nothing, so no bound lies
    nearer to the value than that of as many patients, one image each, without a discordant one.

    The variance per case is that of the discordant share q and the difference d, q - d^2, with half a case
    added to each cell of the two-by-two table, so that cases without a discordant one do not promise that
    there will never be any (Agresti and Min 2005, Statistics in Medicine 24:729).

    Args:
        difference: of the champion (A) and the release (B), defined for these cases.
        effect: the design effect of the images' gains: 1 where each patient has one image.
        confidence: one-sided.
    """
    n, only_a, only_b = difference.n, difference.only_a, difference.only_b
    assert only_a is not None and only_b is not None and n, "a difference of shares of some cases"  # noqa: PT018
    lower, upper = tango_interval(
        n / effect, only_a=only_a / effect, only_b=only_b / effect, confidence=2 * confidence - 1
    )
    value, one_each = (only_b - only_a) / n, difference.n_patients == n
    if not one_each:
        below, above = tango_interval(
            difference.n_patients, only_a=0, only_b=0, confidence=2 * confidence - 1
        )
        lower, upper = max(min(lower, value + below), -1.0), min(max(upper, value + above), 1.0)
    discordant, gain = (only_a + only_b + 1) / (n + 2), (only_b - only_a) / (n + 2)
    return Bounded(
        value=value,
        lower=lower,
        upper=upper,
        n=n,
        variance_per_case=effect * (discordant - gain**2),
        method="tango" if one_each else "tango, effective number of images",
    )


def bounded_auroc_difference(difference: Difference, *, n_rarer: int, confidence: float) -> Bounded:
    """Return a difference of AUROCs, of release less champion, with its bounds.

    DeLong's where each patient has one image; else the wider of these and the patients' bootstrap, since the
    first take images for independent and the second is too narrow for few patients. Where neither finds any
    spread, as for two networks that rank all cases alike, what these cases rule out is that many others would
    differ: Tango's interval about the value without a discordant one of the rarer cases.

    Args:
        difference: of the champion (A) and the release (B), defined for these cases, its intervals two-sided
            at 2 `confidence` - 1.
        n_rarer: images of the class, or of the rest, whichever are fewer.
        confidence: one-sided.
    """
    value, n = difference.value, difference.n
    assert value is not None, "a difference of AUROCs that are defined"
    intervals = {"delong": (difference.test_lower, difference.test_upper)}
    if difference.n_patients < n:
        intervals["patient bootstrap"] = (difference.lower, difference.upper)
    known = {
        method: (lower, upper)
        for method, (lower, upper) in intervals.items()
        if lower is not None and upper is not None
    }
    if known:
        lower, upper = min(lower for lower, _ in known.values()), max(upper for _, upper in known.values())
        error = (upper - lower) / (2 * float(norm.ppf(confidence)))
        variance = n * error**2
    else:
        independent = ceil(n_rarer * difference.n_patients / n)
        below, above = tango_interval(independent, only_a=0, only_b=0, confidence=2 * confidence - 1)
        lower, upper = value + below, value + above
        variance = n / n_rarer / (n_rarer + 2)
    method = " and ".join(known) + ", the wider" if len(known) > 1 else next(iter(known), "no spread")
    return Bounded(
        value=value,
        lower=max(lower, -1.0),
        upper=min(upper, 1.0),
        n=n,
        variance_per_case=variance,
        method=method,
    )
