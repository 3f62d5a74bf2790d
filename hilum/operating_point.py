"""How probabilities become a finding: the decision rule that every part of Hilum shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from types import MappingProxyType

from hilum.contract import FINDINGS, LABELS
from hilum.errors import UsageError

PARAMETER_SUFFIX = "_threshold"
"""`lung_opacity_threshold` in a Triton configuration is the threshold of `lung_opacity`."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The probability from which each finding is reported.

    A finding is reported when its probability reaches its threshold; if several do, the one that
    exceeds its own threshold by the largest factor; if none does, `no_finding`.
    """

    thresholds: Mapping[str, float]
    """Threshold in (0, 1] by finding: exactly the labels of `FINDINGS`."""

    def __post_init__(self) -> None:
        if set(self.thresholds) != set(FINDINGS):
            raise UsageError(
                f"An operating point needs a threshold for each of {', '.join(FINDINGS)}; "
                f"found {', '.join(sorted(self.thresholds)) or 'none'}."
            )
        for finding, threshold in self.thresholds.items():
            if not 0 < threshold <= 1:
                raise UsageError(f"The threshold of {finding} must lie in (0, 1], got {threshold}.")
        object.__setattr__(self, "thresholds", MappingProxyType(dict(self.thresholds)))

    def finding(self, probabilities: Sequence[float]) -> str | None:
        """Return the label to report for (3,) probabilities in the order of `LABELS`.

        None where the probabilities are NaN: the filter rejected the image.
        """
        if isnan(probabilities[0]):
            return None
        excess = {
            finding: float(probabilities[LABELS.index(finding)]) / self.thresholds[finding]
            for finding in FINDINGS
        }
        best = max(FINDINGS, key=excess.__getitem__)
        return best if excess[best] >= 1 else LABELS[0]

    def as_parameters(self) -> dict[str, str]:
        """Return the thresholds as Triton configuration parameters."""
        return {f"{finding}{PARAMETER_SUFFIX}": repr(self.thresholds[finding]) for finding in FINDINGS}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> "OperatingPoint":
        """Read the thresholds from Triton configuration parameters; others are ignored."""
        return cls(
            {
                finding: float(parameters[f"{finding}{PARAMETER_SUFFIX}"])
                for finding in FINDINGS
                if f"{finding}{PARAMETER_SUFFIX}" in parameters
            }
        )
