"""The rule that every statistical check follows, and how many more cases would let it decide.

    lower bound >= the least that is demanded    passed: surely good enough
    upper bound <  the least that is demanded    failed: surely not
    neither                                      cannot tell

Each bound is one-sided at the policy's confidence. A release passes only if all of its checks do, so that
testing many of them needs no adjustment: the chance of passing although one demand is not met is at most that
check's own error (intersection-union test: Berger 1982, Technometrics 24:295).
"""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Literal

from scipy.stats import norm

POWER = 0.8
"""Chance of settling the question that a number of further cases is made for."""

MOST_TIMES = 100
"""Beyond so many times the cases at hand, a number of further cases is not given: none would collect them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounded:
    """A share, or a difference of two, with its one-sided bounds."""

    value: float
    """What was seen."""
    lower: float
    """Below it the true value lies with a chance of 1 - confidence at most."""
    upper: float
    """Above it likewise."""
    n: int
    """Cases that it is about."""
    variance_per_case: float
    """What one case adds: the variance of `value` times n."""
    method: str
    """How the bounds were made."""

    def judge(self, least: float) -> Literal["passed", "failed", "cannot_tell"]:
        """Return what the bounds say about the demand that the true value be `least` or more."""
        if self.lower >= least:
            return "passed"
        return "failed" if self.upper < least else "cannot_tell"

    def further_cases(self, least: float, *, confidence: float) -> int | None:
        """Return about how many more cases of the same kind would settle whether it is `least` or more.

        With n' = (z_confidence + z_0.8)^2 V / (value - least)^2 cases in all, V being the variance per case,
        a one-sided test of `least` decides with a chance of 80 % if the value seen is the true one
        (Blackwelder 1982, Controlled Clinical Trials 3:345; for paired shares with V from the discordant
        pairs: Liu et al. 2002, Statistics in Medicine 21:231). An order of magnitude: two digits, and a tenth
        of the cases at hand at least, since those at hand have not settled it.

        Returns:
            None where the value lies so near to `least` that no practicable number would do.
        """
        reach = (float(norm.ppf(confidence)) + float(norm.ppf(POWER))) * sqrt(self.variance_per_case)
        distance = abs(self.value - least)
        if reach > distance * sqrt(MOST_TIMES * self.n):
            return None
        more = max((reach / distance) ** 2 - self.n, self.n / 10, 1)
        unit = 10.0 ** max(len(str(ceil(more))) - 2, 0)
        return round(ceil(more / unit) * unit)
