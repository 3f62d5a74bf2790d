"""Thresholds on one class's probability: what each gives, and the one that meets a stated constraint."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.stats import norm

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.intervals import CONFIDENCE, Estimate, normal_estimate, wilson_bounds, wilson_estimate
from training.evaluate.metrics import Booleans, Floats

GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds of a table where none are named: 0.05 to 0.95."""

Rate = Literal["sensitivity", "specificity", "ppv", "npv"]
Interval = Literal["wilson", "normal"]


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """What one threshold gives: an image is reported when its probability is the threshold or more."""

    threshold: float
    reported: int
    """Images reported."""
    sensitivity: Estimate
    """Of the images of the class, the share reported: TP / (TP + FN) (Minaee et al. 2020, eq. 2)."""
    specificity: Estimate
    """Of the others, the share not reported: TN / (TN + FP) (likewise)."""
    ppv: Estimate
    """Of the images reported, the share of the class, at the prevalence of these images: TP / (TP + FP)."""
    npv: Estimate
    """Of the images not reported, the share of the others, likewise: TN / (TN + FN)."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a threshold must reach: `sensitivity>=0.98`, or `sensitivity.lower>=0.95` for its bound."""

    rate: Literal["sensitivity", "specificity"]
    at_least: float
    """In (0, 1]."""
    of_lower_bound: bool = False
    """Whether the lower bound of Wilson's 95 % interval must reach it, not only the value."""

    def __post_init__(self) -> None:
        if not 0 < self.at_least <= 1 or (self.of_lower_bound and self.at_least == 1):
            raise UsageError(
                f"A constraint must ask for a share in (0, 1], below 1 for a bound; got {self.at_least}."
            )

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Read a constraint from its written form.

        Raises:
            UsageError: the text has another form, or asks for the impossible.
        """
        match = re.fullmatch(r"(sensitivity|specificity)(\.lower)?>=(\d*\.?\d+)", text.replace(" ", ""))
        if match is None:
            raise UsageError(
                f"Expected a constraint such as `sensitivity>=0.98`, `specificity>=0.9` or "
                f"`sensitivity.lower>=0.95`, got {text!r}."
            )
        rate: Literal["sensitivity", "specificity"] = (
            "sensitivity" if match[1] == "sensitivity" else "specificity"
        )
        return cls(rate, float(match[3]), of_lower_bound=bool(match[2]))

    def __str__(self) -> str:
        return f"{self.rate}{'.lower' if self.of_lower_bound else ''}>={self.at_least:g}"


def threshold_table(
    scores: Floats, positive: Booleans, thresholds: Sequence[float] = GRID, *, interval: Interval = "wilson"
) -> tuple[ThresholdRow, ...]:
    """Return what each threshold gives on N images (the form of Minaee et al. 2020, tables 2 to 5).

    Args:
        scores: (N,) probabilities of the class.
        positive: (N,) whether each image belongs to it.
        thresholds: in the order of the rows.
        interval: `wilson`, or `normal` for the paper's own (eq. 3).

    Raises:
        DataSetError: a score is not in [0, 1].
    """
    _check_scores(scores)
    estimate = {"wilson": wilson_estimate, "normal": normal_estimate}[interval]
    own, others = np.sort(scores[positive]), np.sort(scores[~positive])
    rows = []
    for threshold in thresholds:
        true_positive = len(own) - int(np.searchsorted(own, threshold))
        false_positive = len(others) - int(np.searchsorted(others, threshold))
        reported = true_positive + false_positive
        true_negative = len(others) - false_positive
        rows.append(
            ThresholdRow(
                float(threshold),
                reported,
                sensitivity=estimate(true_positive, len(own)),
                specificity=estimate(true_negative, len(others)),
                ppv=estimate(true_positive, reported),
                npv=estimate(true_negative, len(scores) - reported),
            )
        )
    return tuple(rows)


def threshold_frame(rows: Sequence[ThresholdRow]) -> pd.DataFrame:
    """Return a threshold table as a frame.

    Columns: `threshold`, `reported`, and for each rate RATE, RATE_lower, RATE_upper and RATE_n; NaN where it
    is not defined.
    """
    records = []
    for row in rows:
        record: dict[str, float | int | None] = {"threshold": row.threshold, "reported": row.reported}
        for rate in get_args(Rate):
            estimate = asdict(getattr(row, rate))
            record[rate] = estimate["value"]
            record |= {f"{rate}_{part}": estimate[part] for part in ("lower", "upper", "n")}
        records.append(record)
    return pd.DataFrame(records).astype(
        {f"{rate}{part}": float for rate in get_args(Rate) for part in ("", "_lower", "_upper")}
    )


def choose_threshold(scores: Floats, positive: Booleans, constraint: Constraint) -> ThresholdRow:
    """Return the threshold that meets the constraint and is best at the other rate.

    Of the thresholds that decide these images alike it is the middle one, so that small changes of the
    probabilities change no decision. Scores and threshold are FP32 numbers, as a served graph compares them.

    Args:
        scores: (N,) probabilities of the class.
        positive: (N,) whether each image belongs to it.
        constraint: what must be reached on these images.

    Raises:
        DataSetError: a score is not in [0, 1], the images are all of one class, or no threshold in (0, 1] can
            meet the constraint; the message says how many images would do.
    """
    _check_scores(scores)
    scores = scores.astype(np.float32)
    counted = scores[positive] if constraint.rate == "sensitivity" else scores[~positive]
    if not 0 < len(counted) < len(scores):
        raise DataSetError(
            f"A threshold for {constraint} needs images of the class and others; got {int(positive.sum())} "
            f"and {int((~positive).sum())}. Choose it on a split that holds both."
        )
    needed = _fewest_right(len(counted), constraint)
    zero, one = np.float32(0), np.float32(1)
    if constraint.rate == "sensitivity":
        highest = np.sort(counted)[::-1][needed - 1]  # the threshold may not exceed it
        lowest = np.max(scores[scores < highest], initial=zero)
    else:
        at_most = np.sort(counted)[needed - 1]  # the threshold must exceed it
        lowest, highest = at_most, np.min(scores[scores > at_most], initial=one)
    if highest <= lowest:
        raise DataSetError(
            f"No threshold in (0, 1] reaches {constraint}: too many images have a probability of exactly "
            f"{float(lowest):g}. The network must be trained further."
        )
    middle = (lowest + highest) / np.float32(2)
    threshold = float(middle if lowest < middle else highest)
    return threshold_table(scores.astype(np.float64), positive, [threshold])[0]


def _fewest_right(n: int, constraint: Constraint) -> int:
    """Return how many of `n` images must be decided rightly to meet a constraint."""
    if not constraint.of_lower_bound:
        return max(1, int(np.ceil(constraint.at_least * n - 1e-9)))  # 0.98 * 50 is 49.00000000000001
    right = bisect_left(range(1, n + 1), constraint.at_least, key=lambda m: wilson_bounds(m, n)[0]) + 1
    if right <= n:
        return right
    z_squared = float(norm.ppf((1 + CONFIDENCE) / 2)) ** 2  # Wilson's lower bound of n / n is n / (n + z^2)
    enough = int(np.ceil(z_squared * constraint.at_least / (1 - constraint.at_least)))
    raise DataSetError(
        f"{constraint} cannot be reached with {n} images: if all are decided rightly the bound is "
        f"{wilson_bounds(n, n)[0]:.3f}. It takes {enough} or more such images, or a smaller bound."
    )


def _check_scores(scores: Floats) -> None:
    if not np.all((scores >= 0) & (scores <= 1)):
        raise DataSetError("Thresholds need probabilities in [0, 1]; some are not, or are NaN.")
