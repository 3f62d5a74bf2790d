"""What Prometheus measured of drift, as records, and what each means in plain words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard import queries
from dashboard.language import tr
from dashboard.look import label_name
from dashboard.sources.prometheus_api import Instant, query
from hilum.reference import SIGNALS

FEWEST_IMAGES = 100
"""Images in six hours from which a distance is spoken of, as for the alert `HilumDrift`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """How far one signal of one release is from its reference sample."""

    signal: str
    """One of `hilum.reference.SIGNALS`."""
    images: float
    """Images of the last six hours."""
    reference_images: float
    """Images of the reference sample; NaN where the release has none."""
    distance: float
    """Kolmogorov-Smirnov distance, in [0, 1]; NaN where there is none."""
    bound: float
    """What chance alone exceeds once in a thousand; NaN where there is none."""

    @property
    def outcome(self) -> str:
        """One of `few`, `no_reference`, `unknown`, `drifted` and `same`."""
        if not self.images >= FEWEST_IMAGES:
            return "few"
        if not self.reference_images > 0:
            return "no_reference"
        if math.isnan(self.distance) or math.isnan(self.bound):
            return "unknown"
        return "drifted" if self.distance > self.bound else "same"

    @property
    def words(self) -> str:
        """The finding as a sentence."""
        if self.outcome == "few":
            return tr(
                "{n} images in six hours: too few to say, {fewest} are needed.",
                n=round(self.images) if math.isfinite(self.images) else 0,
                fewest=FEWEST_IMAGES,
            )
        if self.outcome == "no_reference":
            return tr("This release carries no reference sample to compare with.")
        if self.outcome == "unknown":
            return tr("Prometheus has no distance for it yet.")
        values = {
            "distance": round(100 * self.distance, 1),
            "bound": round(100 * self.bound, 1),
            "n": round(self.images),
            "m": round(self.reference_images),
        }
        if self.outcome == "drifted":
            return tr(
                "What arrives has changed: {distance} % away from the reference, "
                "more than the {bound} % that chance explains ({n} images, reference {m}).",
                **values,
            )
        return tr(
            "As in the reference: {distance} % away, within the {bound} % that chance explains "
            "({n} images, reference {m}).",
            **values,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Distribution:
    """Cumulative shares of one signal."""

    bounds: NDArray[np.float64]
    """(B,) growing."""
    shares: NDArray[np.float64]
    """(B,) share of the images at or below each bound, in [0, 1]."""


def signal_name(signal: str) -> str:
    """Return a signal in the reader's words."""
    if signal == "valid_probability":
        return tr("looks like a frontal chest radiograph (probability)")
    if signal == "embedding_distance":
        return tr("how unlike the reference pictures (embedding distance)")
    return tr("probability of {label}", label=label_name(signal))


def measured_releases() -> tuple[str, ...]:
    """Return the releases that Prometheus knows signals or references of, newest first.

    Raises:
        SourceError: Prometheus does not answer in time, or not as it should.
    """
    asked = (queries.SIGNAL_IMAGES, queries.REFERENCE_IMAGES)
    found = {
        sample.labels.get("release", "") for query_ in asked for sample in query(query_.expression).samples
    }
    return tuple(sorted(found - {""}, key=lambda name: (name.isdigit(), name.zfill(9)), reverse=True))


def drifts(release: str) -> tuple[Drift, ...]:
    """Return how far each signal of a release is from its reference.

    Raises:
        SourceError: as for `measured_releases`.
    """
    images, reference, distance, bound = (
        _by(query(asked.expression), "signal", release)
        for asked in (queries.SIGNAL_IMAGES, queries.REFERENCE_IMAGES, queries.DRIFT, queries.DRIFT_BOUND)
    )
    return tuple(
        Drift(
            signal=signal,
            images=images.get(signal, 0.0),
            reference_images=reference.get(signal, math.nan),
            distance=distance.get(signal, math.nan),
            bound=bound.get(signal, math.nan),
        )
        for signal in SIGNALS
        if signal in images or signal in reference
    )


def distributions(release: str, signal: str) -> tuple[Distribution | None, Distribution | None]:
    """Return what was served in the last six hours, and the reference; None for what there is none of.

    Raises:
        SourceError: as for `measured_releases`.
    """
    served = _by(query(queries.SERVED_BUCKETS.expression), "le", release, signal)
    total = served.get("+Inf", 0.0)
    shares = {le: count / total for le, count in served.items()} if total > 0 else {}
    return (
        _distribution(shares),
        _distribution(_by(query(queries.REFERENCE_SHARES.expression), "le", release, signal)),
    )


def _by(answer: Instant, label: str, release: str, signal: str | None = None) -> dict[str, float]:
    """Return the finite values of one release, and signal, by another label."""
    return {
        sample.labels[label]: sample.value
        for sample in answer.samples
        if sample.labels.get("release") == release
        and label in sample.labels
        and signal in (None, sample.labels.get("signal"))
        and math.isfinite(sample.value)
    }


def _distribution(shares: Mapping[str, float]) -> Distribution | None:
    numbers = sorted((float(le), share) for le, share in shares.items() if le != "+Inf")
    if not numbers:
        return None
    bounds, values = np.array(numbers).T
    return Distribution(bounds=bounds, shares=values)
