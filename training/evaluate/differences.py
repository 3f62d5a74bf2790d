"""A metric's difference between two networks, with two judgements of it.

The percentile bootstrap that draws whole patients is the one to read. Beside it stands the customary test of
the field (DeLong, McNemar), which takes every image for independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Metric = Literal["auroc", "macro_auroc", "sensitivity", "specificity", "accuracy"]

ALL_CLASSES = ""
"""The label of metrics over all classes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far network B is from network A in one metric, on the same images."""

    metric: Metric
    """What was measured."""
    label: str
    """The class compared with the rest; empty for metrics over all classes."""
    n: int
    """Images that the metric is about: those of the class for its sensitivity, the others for its
    specificity, else all."""
    n_patients: int
    """Patients that these images come from."""
    a: float | None
    """Value of A, in [0, 1]; None where it is not defined for these images."""
    b: float | None
    """Value of B, in [0, 1]; None where it is not defined for these images."""
    value: float | None
    """b - a: above 0 where B is better."""
    lower: float | None
    """Lower bound of the interval, 95 % unless another was asked for, from resampling patients; None where
    none can be given."""
    upper: float | None
    """Upper bound of that interval; None where none can be given."""
    test: Literal["delong", "mcnemar"]
    """Which test gave the following, counting every image as independent."""
    test_lower: float | None
    """Lower bound of the test's interval (DeLong's, or Tango's beside McNemar's test)."""
    test_upper: float | None
    """Upper bound of the test's interval."""
    p_value: float | None
    """Two-sided p value of no difference; None where the test cannot judge."""
    p_adjusted: float | None = None
    """The p value after Holm's adjustment for all that are given beside it."""
    only_a: int | None = None
    """Images that only A decided rightly; None for AUROCs."""
    only_b: int | None = None
    """Images that only B decided rightly; None for AUROCs."""

    def __str__(self) -> str:
        """Return difference and interval, as `+0.012 (-0.003 to +0.027)`; narrow ones to 4 decimals."""
        if self.value is None:
            return "not defined"
        if self.lower is None or self.upper is None:
            return f"{self.value:+.3f}"
        digits = 3 if self.upper - self.lower >= 0.01 else 4
        return f"{self.value:+.{digits}f} ({self.lower:+.{digits}f} to {self.upper:+.{digits}f})"

    @property
    def favours(self) -> Literal["a", "b"] | None:
        """The network that the patients' interval says is better; None where it holds 0 or is not given."""
        if self.lower is None or self.upper is None or self.lower <= 0 <= self.upper:
            return None
        return "b" if self.lower > 0 else "a"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted so that the chance of any false rejection stays below the level.

    The r-th smallest of m, times m - r + 1, and no smaller than those before it (Holm 1979, Scandinavian
    Journal of Statistics 6:65). None stays None and does not count.
    """
    given = [(p, index) for index, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    reached = 0.0
    for rank, (p, index) in enumerate(sorted(given)):
        reached = max(reached, min(p * (len(given) - rank), 1.0))
        adjusted[index] = reached
    return adjusted


def adjusted_by_holm(groups: Sequence[Sequence[Difference]]) -> list[tuple[Difference, ...]]:
    """Return the differences of several sets of cases, adjusted as one family of tests."""
    adjusted = iter(holm([difference.p_value for group in groups for difference in group]))
    return [tuple(replace(difference, p_adjusted=next(adjusted)) for difference in group) for group in groups]
