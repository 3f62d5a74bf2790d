"""What a threshold means for those who answer its alerts: how many come, and how many are for nothing."""

from dataclasses import dataclass
from math import hypot

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.thresholds import ThresholdRow

EXAMINATIONS = 1000
"""What alerts are counted per."""


@dataclass(frozen=True, slots=True)
class AlertLoad:
    """Numbers per 1,000 examinations of a population with a stated prevalence."""

    prevalence: float
    """Share of the examinations that are of the class, in (0, 1)."""
    alerts: float
    """Examinations reported."""
    alerts_lower: float
    """Lower bound of the 95 % interval of `alerts`."""
    alerts_upper: float
    """Upper bound."""
    false_alerts: float
    """Reported, though not of the class."""
    missed: float
    """Of the class, but not reported."""
    missed_lower: float
    """Lower bound of the 95 % interval of `missed`: that of the sensitivity, per 1,000."""
    missed_upper: float
    """Upper bound."""
    ppv: float | None
    """Share of the alerts that are of the class; None where there are no alerts."""


def alert_load(row: ThresholdRow, prevalence: float) -> AlertLoad:
    """Return what a threshold's sensitivity and specificity mean at a prevalence (Bayes' theorem).

    alerts = 1000 (sensitivity p + (1 - specificity) (1 - p)). Its interval squares and adds the distances of
    both rates from their own bounds (MOVER: Zou, Huang and Zhang 2009). That the rates hold for another
    population than the one they were measured on is assumed, not shown.

    Args:
        row: of `threshold_table` or `choose_threshold`, with Wilson's intervals.
        prevalence: p.

    Raises:
        UsageError: the prevalence is not in (0, 1).
        DataSetError: sensitivity or specificity is not defined.
    """
    if not 0 < prevalence < 1:
        raise UsageError(f"A prevalence must lie in (0, 1), got {prevalence}.")
    own, others = EXAMINATIONS * prevalence, EXAMINATIONS * (1 - prevalence)
    sensitivity, sensitivity_lower, sensitivity_upper = _bounded(row, "sensitivity")
    specificity, specificity_lower, specificity_upper = _bounded(row, "specificity")
    true_alerts, false_alerts = own * sensitivity, others * (1 - specificity)
    alerts = true_alerts + false_alerts
    below = hypot(own * (sensitivity - sensitivity_lower), others * (specificity_upper - specificity))
    above = hypot(own * (sensitivity_upper - sensitivity), others * (specificity - specificity_lower))
    return AlertLoad(
        prevalence=prevalence,
        alerts=alerts,
        alerts_lower=alerts - below,
        alerts_upper=alerts + above,
        false_alerts=false_alerts,
        missed=own - true_alerts,
        missed_lower=own * (1 - sensitivity_upper),
        missed_upper=own * (1 - sensitivity_lower),
        ppv=true_alerts / alerts if alerts else None,
    )


def _bounded(row: ThresholdRow, rate: str) -> tuple[float, float, float]:
    """Return a rate's value and bounds."""
    estimate = row.sensitivity if rate == "sensitivity" else row.specificity
    if estimate.value is None or estimate.lower is None or estimate.upper is None:
        raise DataSetError(
            f"The {rate} at threshold {row.threshold:g} is not defined: there is no image to measure it on. "
            "Measure it on a split that holds the class and others."
        )
    return estimate.value, estimate.lower, estimate.upper
