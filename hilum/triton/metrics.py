"""The Prometheus series that the Python models add to Triton's own `/metrics`.

Importable inside a Triton Python model only. Several processes add to one series: Triton gives
the same counter to every process that names it with the same labels, so the sums are right.

Every change of a series is a call to the server's process and back, 0.1 ms that the image would wait:
so changes are gathered, and a thread hands them on ten times a second.
"""

import threading
from collections import Counter as Tally
from collections.abc import Iterable
from typing import Any

import triton_python_backend_utils as pb_utils

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

DECODE_DURATION = ("hilum_decode_duration_seconds", "Time to decode one image, refused ones included.")
"""A histogram without labels; copies for a challenger are decoded too, and count."""

DECODE_BUCKETS_S = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
"""Upper bounds in seconds: a small JPEG takes 2 ms, a 16-bit PNG of a full detector 0.5 s."""

_KEPT: list[object] = []
"""Every family ever made, kept for the life of the process.

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
        self._observations: list[tuple[Any, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_handing_on, daemon=True)

    def start(self) -> None:
        """Begin to hand on, once per process."""
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()

    def increment(self, metric: Any, amount: int) -> None:
        with self._lock:
            self._increments[metric] += amount

    def observe(self, metric: Any, value: float) -> None:
        with self._lock:
            self._observations.append((metric, value))

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
            *((metric.observe, value) for metric, value in observations),
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
        name, description = series
        family = pb_utils.MetricFamily(name=name, description=description, kind=pb_utils.MetricFamily.COUNTER)
        _KEPT.append(family)
        self._children = {value: family.Metric(labels={label: value, **constant}) for value in values}
        _gathered.start()

    def add(self, value: str, amount: int = 1) -> None:
        """Add to the child whose label has this value."""
        _gathered.increment(self._children[value], amount)


class Histogram:
    """A histogram without labels."""

    def __init__(self, series: tuple[str, str], buckets: Iterable[float]) -> None:
        name, description = series
        kind = pb_utils.MetricFamily.HISTOGRAM
        family = pb_utils.MetricFamily(name=name, description=description, kind=kind)
        _KEPT.append(family)
        self._histogram = family.Metric(labels={}, buckets=list(buckets))
        _gathered.start()

    def observe(self, value: float) -> None:
        """Count one observation."""
        _gathered.observe(self._histogram, value)
