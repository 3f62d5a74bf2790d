"""Which of two networks to prefer, or how many more cases it would take to tell."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

from scipy.stats import norm

from training.evaluate.differences import Difference
from training.evaluate.intervals import CONFIDENCE

POWER = 0.8
"""Chance of telling the networks apart that the number of further cases is made for."""

MOST_TIMES = 100
"""Beyond so many times the cases at hand, a number of further cases is not given: none would collect them."""

METRIC_NAMES = {
    "auroc": "AUROC",
    "macro_auroc": "macro AUROC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "accuracy": "accuracy",
}
"""Metrics as a reader knows them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one difference allows to say."""

    preferred: Literal["a", "b"] | None
    """The better network; None where these cases cannot tell."""
    more_cases: int | None
    """Further cases of the same kind that would tell, roughly; None where one is preferred, no interval is
    given, or no practicable number would do."""
    sentence: str
    """The same for a reader."""


def judge(difference: Difference) -> Verdict:
    """Return the verdict on a difference by its patients' interval.

    A network is preferred only where the 95 % interval lies on its side of 0. Else the further cases follow
    from n' = n ((z_0.975 + z_0.8) SE / d)^2, with SE the interval's width over 2 z_0.975: the variance of a
    difference d falls with 1 / n, and n' cases show a true difference d with a chance of 80 % (the usual
    sample size of a z test; for AUROCs Hanley and McNeil 1983, Radiology 148:839). It takes the difference
    seen for the true one and the further cases to have the same mix of classes, sources and patients: an
    order of magnitude, no more.

    Args:
        difference: the one chosen before looking; a verdict on the most striking of several misleads.
    """
    name = METRIC_NAMES[difference.metric] + (f" of {difference.label}" if difference.label else "")
    if difference.value is None:
        return Verdict(None, None, f"Cannot tell: the {name} is not defined, a class has no case.")
    seen = f"{name} of B less that of A: {difference}"
    if difference.lower is None or difference.upper is None:
        return Verdict(
            None,
            None,
            f"Cannot tell: no interval can be given, resampling patients shows no spread ({seen}).",
        )
    if difference.favours:
        return Verdict(
            difference.favours,
            None,
            f"Prefer {difference.favours.upper()}: the interval leaves 0 out ({seen}).",
        )
    more = _more_cases(difference.n, difference.value, difference.upper - difference.lower)
    if more is None:
        needed = f"more than {MOST_TIMES} times as many cases would be needed at the difference seen"
    else:
        needed = (
            f"roughly {more:,} more cases like these {difference.n:,} would settle it, "
            "if the difference is as seen"
        )
    return Verdict(None, more, f"Cannot tell: the interval holds 0; {needed} ({seen}).")


def _more_cases(n: int, value: float, width: float) -> int | None:
    """Return how many cases beyond `n` would show a difference `value` whose interval is `width` wide."""
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    error = width / (2 * z)
    reach = (z + float(norm.ppf(POWER))) * error  # the difference that n cases show with that chance
    if abs(value) * MOST_TIMES**0.5 < reach:
        return None
    more = n * (reach / value) ** 2 - n
    unit: int = 10 ** max(len(str(ceil(more))) - 2, 0)  # two digits: it is an order of magnitude
    return ceil(more / unit) * unit
