"""Measured numbers as text: the value, its 95 % interval, and of how many images it is."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

DASH = "-"
"""Stands where a number is not defined."""


class StoredEstimate(TypedDict):
    """`training.evaluate.intervals.Estimate` as JSON holds it."""

    value: float | None
    lower: float | None
    upper: float | None
    n: int
    method: str


def told(estimate: StoredEstimate | Mapping[str, Any]) -> str:
    """Return value and interval as `0.994 (0.988-0.998)`; a dash where it is not defined."""
    from training.evaluate.intervals import Estimate

    return DASH if estimate["value"] is None else str(Estimate(**estimate))


def counted(estimate: StoredEstimate | Mapping[str, Any]) -> str:
    """Return the same with the number of images behind it."""
    is_counted = estimate["value"] is not None and estimate["n"]
    return f"{told(estimate)}, n {estimate['n']}" if is_counted else told(estimate)


def spread_told(mean: float | None, sd: float | None) -> str:
    """Return a mean and a standard deviation as `0.884 ± 0.032`; a dash where they are not defined."""
    if mean is None:
        return DASH
    return f"{mean:.3f}" if sd is None else f"{mean:.3f} ± {sd:.3f}"
