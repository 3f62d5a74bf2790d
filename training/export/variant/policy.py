"""How far a variant's answers may lie from the original's before it is refused.

The numbers are a policy, not a law: they say what rounding alone explains. Whether a variant may serve is
decided by the release gate, on labelled cases and against the champion, like for any other release.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from training.export.passport import Precision


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantPolicy:
    """What a variant of one precision must keep to."""

    probability: float
    """Largest absolute difference of a probability."""
    of_largest: float
    """Largest difference of an activation map or embedding, as a share of its largest magnitude."""
    borderline: float
    """Decisions may differ where the original's probability is this near to a threshold."""
    agreement: float
    """Least share of the images decided alike, borderline ones counted as alike."""


POLICIES: Mapping[Precision, VariantPolicy] = {
    # The same numbers in another order of summation: an engine that computes in FP32.
    "fp32": VariantPolicy(probability=0.001, of_largest=0.005, borderline=0.001, agreement=1.0),
    # FP16 keeps 11 bits: 0.05 % per rounding, some ten times that after a hundred layers.
    "fp16": VariantPolicy(probability=0.005, of_largest=0.01, borderline=0.005, agreement=1.0),
    # int8 has 256 levels per tensor: values drift visibly, so decisions are what counts.
    "int8": VariantPolicy(probability=0.15, of_largest=0.3, borderline=0.0, agreement=0.97),
}
"""By precision."""
