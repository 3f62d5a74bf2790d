"""The Prometheus series that the Python models add to Triton's own `/metrics`.

Importable inside a Triton Python model only. Several processes add to one series: Triton gives
the same counter to every process that names it with the same labels, so the sums are right.

Every change of a series is a call to the server's process and back, 0.1 ms that the image would wait, and
20 microseconds of work: so changes are gathered, and a thread hands them on ten times a second.
"""

import threading
from collections import Counter as Tally
from collections.abc import Iterable
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import ArrayLike

IMAGES = ("hilum_images_total", "Images that reached the front door, by outcome.")
"""Label `outcome`: accepted or rejected by the filter, or undecodable."""

UNDECODABLE = ("hilum_undecodable_total", "Images that are no radiograph, by reason of the refusal.")
"""Label `reason`: one of `hilum.radiograph.REASONS`, or `internal_error`."""

FINDINGS = ("hilum_findings_total", "Accepted images by the finding reported, at the release's thresholds.")
"""Labels `release` and `finding`."""

CHALLENGER_FINDINGS = (
    "hilum_challenger_findings_total",
    "Accepted images by the finding that a challenger reports, at its own thresholds.",
)
"""Labels `release` and `finding`. Such images are copies: they count in no other series but the decoder's."""

VALID_PROBABILITY = (
    "hilum_valid_probability",
    "The filter's probability that an image is an upright frontal radiograph.",
)
"""A histogram with the label `release`: every image that was decoded, copies for a challenger excepted."""

FINDING_PROBABILITY = (
    "hilum_finding_probability",
    "The classifier's probability of a finding, for accepted images.",
)
"""A histogram with the labels `release` and `finding`, one of `hilum.contract.FINDINGS`; no copies."""

EMBEDDING_DISTANCE = (
    "hilum_embedding_distance",
    "How far an accepted image's embedding lies from the release's reference sample, about 1 within it.",
)
"""A histogram with the label `release`; only of a release that has a reference sample; no copies."""

REFERENCE_SHARE = (
    "hilum_reference_share",
    "Share of the release's reference sample at or below a bound of the signal's histogram.",
)
"""Labels `release`, `signal` (one of `hilum.reference.SIGNALS`) and `le`, as the histogram has it."""

REFERENCE_IMAGES = ("hilum_reference_images", "Images of the release's reference sample, by signal.")
"""Labels `release` and `signal`."""

DECODE_DURATION = ("hilum_decode_duration_seconds", "Time to decode one image, refused ones included.")
"""A histogram without labels; copies for a challenger are decoded too, and count."""

DECODE_BUCKETS_S = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
"""Upper bounds in seconds: a small JPEG takes 2 ms, a 16-bit PNG of a full detector 0.5 s."""

_KEPT: dict[str, Any] = {}
"""Every family that this process ever named, kept for its life, as are the series of each.

Triton counts the users of a series per process. Were one process to delete its handle, the series
would be freed under all others, and the server would hang. A process that ends deletes nothing.
"""

HAND_ON_EVERY_S = 0.1
"""How long a change may wait in its process, in seconds; one that is killed loses no more."""


class _Gathered:
    """The changes of this process that the server does not know yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._increments: Tally[Any] = Tally()
        self._observations: list[tuple[Any, list[float]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_handing_on, daemon=True)

    def start(self) -> None:
        """Begin to hand on, once per process."""
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()

    def increment(self, metric: Any, amount: int) -> None:
        with self._lock:
            self._increments[metric] += amount

    def observe(self, metric: Any, values: list[float]) -> None:
        with self._lock:
            self._observations.append((metric, values))

    def end(self) -> None:
        """Hand on what is left."""
        self._ended.set()
        self._thread.join()

    def _keep_handing_on(self) -> None:
        while not self._ended.wait(HAND_ON_EVERY_S):
            self._hand_on()
        self._hand_on()

    def _hand_on(self) -> None:
        with self._lock:
            increments, self._increments = self._increments, Tally()
            observations, self._observations = self._observations, []
        changes = [
            *((metric.increment, amount) for metric, amount in increments.items()),
            *((metric.observe, value) for metric, values in observations for value in values),
        ]
        for change, value in changes:
            try:
                change(value)
            except Exception as error:  # one count is lost; the others must not be
                pb_utils.Logger.log_error(f"A count was lost: {type(error).__name__}: {error}")


_gathered = _Gathered()


def hand_on_the_rest() -> None:
    """Hand on what was gathered; the last thing a model does."""
    _gathered.end()


def _family(series: tuple[str, str], kind: str) -> Any:
    """Return the family of a series: of kind COUNTER, GAUGE or HISTOGRAM."""
    name, description = series
    if name not in _KEPT:
        kinds = pb_utils.MetricFamily
        _KEPT[name] = kinds(name=name, description=description, kind=getattr(kinds, kind))
    return _KEPT[name]


class Counter:
    """A counter with one label whose values are known beforehand, all of them visible from zero."""

    def __init__(self, series: tuple[str, str], label: str, values: Iterable[str], **constant: str) -> None:
        """Register the series.

        Args:
            series: name and description, from this module.
            label: name of the label that varies.
            values: every value that it can take.
            constant: labels that stay the same in this process.
        """
        family = _family(series, "COUNTER")
        self._children = {value: family.Metric(labels={label: value, **constant}) for value in values}
        _gathered.start()

    def add(self, value: str, amount: int = 1) -> None:
        """Add to the child whose label has this value."""
        _gathered.increment(self._children[value], amount)


class Histogram:
    """A histogram, visible from zero."""

    def __init__(self, series: tuple[str, str], buckets: Iterable[float], **labels: str) -> None:
        """Register the series: name and description, upper bounds, and labels."""
        family = _family(series, "HISTOGRAM")
        self._histogram = family.Metric(labels=labels, buckets=list(buckets))
        _gathered.start()

    def observe(self, values: ArrayLike) -> None:
        """Count observations, one number or (N,); those that are no finite number are left out."""
        numbers = np.atleast_1d(values)
        _gathered.observe(self._histogram, numbers[np.isfinite(numbers)].tolist())


class Gauges:
    """Gauges of one family that are set once and stay as they are."""

    def __init__(self, series: tuple[str, str]) -> None:
        self._family = _family(series, "GAUGE")
        self._children: list[Any] = []

    def set(self, value: float, **labels: str) -> None:
        """Register the gauge with these labels, and set it."""
        child = self._family.Metric(labels=labels)
        child.set(value)
        self._children.append(child)
