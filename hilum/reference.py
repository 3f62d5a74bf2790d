"""The reference sample of a release: how its networks score radiographs of its own data set, as counts.

A release carries it as `reference.json`. The monitor that serves the release counts what it serves at the
same bounds, so that both can be compared without labels: by the largest gap between two cumulative shares,
the Kolmogorov-Smirnov distance. Release and server share this module, and so the bounds and the formula.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.contract import FINDINGS, VALID_PROBABILITY
from hilum.errors import UsageError

REFERENCE_FILE = "reference.json"
"""Its name among a release's artifacts, and beside the monitor's `model.py` in the model repository."""

EMBEDDING_DISTANCE = "embedding_distance"
"""The signal that tells how far an image's embedding lies from those of the reference sample."""

SIGNALS = (VALID_PROBABILITY.name, *FINDINGS, EMBEDDING_DISTANCE)
"""What is compared: the filter's valid probability, each finding's probability, the embedding distance."""

# Upper bounds, inclusive. None is a whole number: Prometheus 3 renames le="1" of a histogram, but not of a
# gauge, to le="1.0", and the reference could no longer be joined with what is served.
PROBABILITY_BOUNDS = (
    *(0.0001, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
    *(0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999),
)
"""Of every probability; dense at both ends, where a trained network's scores crowd."""

DISTANCE_BOUNDS = (
    *(0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    *(1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.5, 4.5),
)
"""Of the embedding distance, which is about 1 on the reference sample."""

LEAST_DEVIATION = 0.05
"""A dimension's standard deviation counts as at least this share of the median dimension's."""

_SMALLEST_SCALE = 1e-6
"""What a difference is divided by at least: an embedding that never varies has no scale of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalCounts:
    """How often one signal fell between two bounds."""

    bounds: tuple[float, ...]
    """(B,) upper bounds, inclusive and growing."""
    counts: tuple[int, ...]
    """(B + 1,) images in each bucket; the last holds what lies above every bound."""

    def __post_init__(self) -> None:
        growing = all(low < high for low, high in zip(self.bounds, self.bounds[1:], strict=False))
        whole = all(isinstance(count, int) and count >= 0 for count in self.counts)
        if not (
            self.bounds and growing and whole and len(self.counts) == len(self.bounds) + 1 and self.images
        ):
            raise UsageError(
                "The counts of a signal need growing bounds, one count more than bounds, and an image; "
                f"found bounds {list(self.bounds)} and counts {list(self.counts)}."
            )

    @classmethod
    def of(cls, values: ArrayLike, bounds: tuple[float, ...]) -> "SignalCounts":
        """Count (N,) values, N being 1 or more."""
        buckets = np.searchsorted(bounds, np.asarray(values, np.float64), side="left")
        counts = np.bincount(buckets, minlength=len(bounds) + 1)
        return cls(bounds=bounds, counts=tuple(counts.tolist()))

    @property
    def images(self) -> int:
        """Images that were counted."""
        return sum(self.counts)

    @property
    def shares(self) -> dict[str, float]:
        """The share of images at or below each bound, in [0, 1], by the bound as Triton prints it."""
        shares = np.cumsum(self.counts) / self.images
        labels = (*(f"{bound:g}" for bound in self.bounds), "+Inf")
        return dict(zip(labels, shares.tolist(), strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The reference sample of a release."""

    split: str
    """Split of the data set that the images come from."""
    signals: Mapping[str, SignalCounts]
    """Exactly those of `SIGNALS`."""
    mean: tuple[float, ...]
    """(D,) mean of each dimension of the accepted images' embeddings."""
    deviation: tuple[float, ...]
    """(D,) their standard deviation (divided by N)."""

    def __post_init__(self) -> None:
        lengths = len(self.mean), len(self.deviation)
        if set(self.signals) != set(SIGNALS) or lengths[0] != lengths[1] or not lengths[0]:
            raise UsageError(
                f"A reference sample needs the signals {', '.join(SIGNALS)}, and a mean and a deviation for "
                f"each dimension; found {', '.join(sorted(self.signals))}, and {lengths[0]} and {lengths[1]}."
            )
        if not np.isfinite([*self.mean, *self.deviation]).all():
            raise UsageError("A reference sample's means and deviations must be finite numbers.")

    def to_json(self) -> bytes:
        """Return the content of `reference.json`: one sample, one text."""
        record = {
            "split": self.split,
            "signals": {
                name: {"bounds": counts.bounds, "counts": counts.counts}
                for name, counts in self.signals.items()
            },
            "embedding": {"mean": self.mean, "deviation": self.deviation},
        }
        return json.dumps(record, sort_keys=True, allow_nan=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Reference":
        """Read the content of `reference.json`.

        Raises:
            UsageError: it is not what `to_json` writes.
        """
        try:
            return cls._from_record(json.loads(content))
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            raise UsageError(
                f"{REFERENCE_FILE} is not a reference sample as Hilum writes it "
                f"({type(error).__name__}: {error})."
            ) from error

    @classmethod
    def _from_record(cls, record: Mapping[str, Any]) -> "Reference":
        return cls(
            split=record["split"],
            signals={
                name: SignalCounts(bounds=tuple(map(float, each["bounds"])), counts=tuple(each["counts"]))
                for name, each in record["signals"].items()
            },
            mean=tuple(map(float, record["embedding"]["mean"])),
            deviation=tuple(map(float, record["embedding"]["deviation"])),
        )


def embedding_scale(deviation: ArrayLike) -> NDArray[np.float64]:
    """Return what a difference in each dimension is divided by, (..., D) for (..., D) standard deviations.

    That is max(s, eps), with eps = `LEAST_DEVIATION` of the median dimension's: a dimension that hardly
    varies in the sample, such as one behind a ReLU that stays shut, would outweigh all others.
    """
    s = np.asarray(deviation, np.float64)
    least = LEAST_DEVIATION * np.median(s, axis=-1, keepdims=True)
    return np.maximum(s, np.maximum(least, _SMALLEST_SCALE))


class EmbeddingDistance:
    """The distance of embeddings from those of a reference sample.

    d(e) = sqrt(1/D sum_k ((e_k - m_k) / max(s_k, eps))^2), with the mean m and standard deviation s of each
    of the D dimensions: a Mahalanobis distance (P. C. Mahalanobis, On the generalised distance in
    statistics, 1936) whose covariance is taken as diagonal, divided by sqrt(D). Its square averages about 1
    on images like those of the sample.
    """

    def __init__(self, reference: Reference) -> None:
        self._mean = np.asarray(reference.mean, np.float32)
        self._per_scale = (1 / embedding_scale(reference.deviation)).astype(np.float32)

    def __call__(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (N,) distances of (N, D) embeddings."""
        standard = (embeddings - self._mean) * self._per_scale
        distances: NDArray[np.float32] = np.sqrt(np.einsum("nd,nd->n", standard, standard) / len(self._mean))
        return distances
