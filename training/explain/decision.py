"""The decision that a heat map explains: from logits to probabilities and the class that is reported."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def most_probable(probabilities: Floats) -> Integers:
    """Return (N,) the class of highest probability in each row of (N, K)."""
    classes: Integers = probabilities.argmax(axis=1).astype(np.int64)
    return classes


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """How logits become the reported class; by default the most probable one, without calibration."""

    decide: Callable[[Floats], Integers] = most_probable
    """(N, K) probabilities to (N,) class indices: the rule that serving uses."""
    temperature: float = 1.0
    """Divides the logits before the softmax (Guo et al. 2017, section 4.2)."""

    def probabilities(self, logits: Floats) -> Floats:
        """Return softmax(logits / T) of (N, K) logits, row by row."""
        probabilities: Floats = softmax(logits / self.temperature, axis=1)
        return probabilities

    def classes(self, logits: Floats) -> Integers:
        """Return (N,) the class that is reported for each row of (N, K) logits."""
        return self.decide(self.probabilities(logits))
