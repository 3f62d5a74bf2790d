"""What a screening answers, as a caller reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Screening:
    """One radiograph's answer from the front door."""

    release: int
    """Number of the release that answered: the version of the `xray_screening` that was used."""
    accepted: bool
    """Whether the filter took the image for an upright frontal chest radiograph."""
    valid_probability: float
    """The filter's probability that it is one, in [0, 1]."""
    probabilities: Mapping[str, float] | None
    """Probability in [0, 1] by label, summing to 1; None where the filter rejected the image."""
    finding: str | None
    """The label that the release's operating point reports; None where the filter rejected the image."""
    activation_map: NDArray[np.float32] | None = None
    """(3, h, w) evidence for each label over the radiograph; None if not asked for, or rejected."""
    embedding: NDArray[np.float32] | None = None
    """(D,) features of the classifier; None if not asked for, or rejected."""

    def as_json(self, file: str) -> dict[str, Any]:
        """Return the answer for `file` as the record that `hilum predict --json` prints."""
        return {
            "file": file,
            "release": self.release,
            "accepted": self.accepted,
            "valid_probability": self.valid_probability,
            "probabilities": None if self.probabilities is None else dict(self.probabilities),
            "finding": self.finding,
        }
