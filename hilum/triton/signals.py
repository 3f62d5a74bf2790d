"""What a release's monitor observes of each image, so that drift shows without labels.

Importable inside a Triton Python model only. The series are explained in docs/monitoring.md.
"""

import numpy as np
from numpy.typing import NDArray

from hilum import reference
from hilum.contract import FINDINGS, LABELS
from hilum.contract import VALID_PROBABILITY as VALID_TENSOR
from hilum.reference import EmbeddingDistance, Reference
from hilum.triton.metrics import (
    EMBEDDING_DISTANCE,
    FINDING_PROBABILITY,
    REFERENCE_IMAGES,
    REFERENCE_SHARE,
    VALID_PROBABILITY,
    Gauges,
    Histogram,
)


class Signals:
    """The histograms of one release, and the gauges of what its reference sample holds."""

    def __init__(self, release: str, sample: Reference | None) -> None:
        """Register the series.

        Args:
            release: its number.
            sample: its reference sample, whose bounds are used; None for a release without one: its
                embeddings then have no distance, and there is nothing to compare with.
        """
        bounds = {name: counts.bounds for name, counts in sample.signals.items()} if sample else {}
        self._valid = Histogram(
            VALID_PROBABILITY, bounds.get(VALID_TENSOR.name, reference.PROBABILITY_BOUNDS), release=release
        )
        self._findings = {
            LABELS.index(finding): Histogram(
                FINDING_PROBABILITY,
                bounds.get(finding, reference.PROBABILITY_BOUNDS),
                release=release,
                finding=finding,
            )
            for finding in FINDINGS
        }
        self._distance = None
        if sample:
            self._distance = EmbeddingDistance(sample)
            self._distances = Histogram(
                EMBEDDING_DISTANCE, bounds[reference.EMBEDDING_DISTANCE], release=release
            )
            self._show(release, sample)

    def observe(
        self,
        valid_probability: NDArray[np.float32],
        probabilities: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> None:
        """Count images.

        Args:
            valid_probability: (N,) of every image.
            probabilities: (A, 3) of those that were accepted.
            embeddings: (A, D) of the same.
        """
        self._valid.observe(valid_probability)
        if len(probabilities):
            for column, histogram in self._findings.items():
                histogram.observe(probabilities[:, column])
            if self._distance:
                self._distances.observe(self._distance(embeddings))

    def _show(self, release: str, sample: Reference) -> None:
        """Set the gauges of the reference sample."""
        self._shares, self._images = Gauges(REFERENCE_SHARE), Gauges(REFERENCE_IMAGES)
        for signal, counts in sample.signals.items():
            self._images.set(counts.images, release=release, signal=signal)
            for le, share in counts.shares.items():
                self._shares.set(share, release=release, signal=signal, le=le)
