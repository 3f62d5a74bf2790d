"""What the watcher tells Prometheus."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from training.promote.watch.deliveries import Outcome

RESULTS = ("loaded", "verified", "written", "failed")
"""What comes of a rollout: three outcomes of `RolloutResult`, and failure."""

DURATION_BUCKETS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class _Known(Collector):
    """A gauge of what is known now: replaced as a whole, so that a scrape never sees half a change."""

    def __init__(self, name: str, description: str, *labels: str) -> None:
        self._name, self._description, self._labels = name, description, labels
        self.values: Mapping[tuple[str, ...], float] = {}
        """Value by the values of the labels; what is not known is not in it."""

    @override
    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._description, labels=self._labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        yield family


class WatchMetrics:
    """The series of one watcher: what counts is there from its start, what is known once it is."""

    def __init__(self) -> None:
        """Start every counter at zero."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # each counter would come with the time of its creation
        self._registry = CollectorRegistry()
        self._served = _Known(
            "hilum_release_info",
            "The release that answers in a role, by the server's word; always 1.",
            "role",
            "release",
        )
        self._promoted = _Known(
            "hilum_release_promoted_timestamp_seconds",
            "When the release in a role got it, by the ledger, in seconds since 1970.",
            "role",
        )
        self._certificates = _Known(
            "hilum_certificate_expiry_timestamp_seconds",
            "When a certificate, a file or what Triton shows, stops to work, in seconds since 1970.",
            "certificate",
        )
        for known in (self._served, self._promoted, self._certificates):
            self._registry.register(known)
        self._rollouts = Counter(
            "hilum_rollout", "Rollouts by what came of them.", ["result"], registry=self._registry
        )
        self._webhooks = Counter(
            "hilum_webhooks", "Webhook deliveries by what they were.", ["result"], registry=self._registry
        )
        self._drift = Gauge(
            "hilum_registry_drift", "1 while registry and server disagree.", registry=self._registry
        )
        self._refused = Gauge(
            "hilum_rollout_refused",
            "1 while a release that the registry names broke its promise here, and is not tried again.",
            registry=self._registry,
        )
        self._last_success = Gauge(
            "hilum_rollout_last_success_timestamp_seconds",
            "When a pass last succeeded, in seconds since 1970; 0 where none did.",
            registry=self._registry,
        )
        self._duration = Histogram(
            "hilum_rollout_duration_seconds",
            "How long rollouts took, failed ones included.",
            buckets=DURATION_BUCKETS_S,
            registry=self._registry,
        )
        for result in RESULTS:
            self._rollouts.labels(result)
        for outcome in get_args(Outcome):
            self._webhooks.labels(outcome)

    def count_webhook(self, outcome: Outcome) -> None:
        """Count one delivery."""
        self._webhooks.labels(outcome).inc()

    def count_rollout(self, result: str, seconds: float) -> None:
        """Count one rollout, with how long it took."""
        self._rollouts.labels(result).inc()
        self._duration.observe(seconds)

    def set_served(self, releases: Mapping[str, int]) -> None:
        """Say which release the server says it serves, by role."""
        self._served.values = {(role, str(release)): 1 for role, release in releases.items()}

    def set_promoted(self, since: Mapping[str, datetime]) -> None:
        """Say since when the release in each role has had it, by role; one without a release is left out."""
        self._promoted.values = {(role,): at.timestamp() for role, at in since.items()}

    def set_certificates(self, expiries: Mapping[str, float]) -> None:
        """Say when each certificate stops to work, in seconds since 1970, by file name or `SHOWN`."""
        self._certificates.values = {(name,): end for name, end in expiries.items()}

    def set_drift(self, *, disagree: bool) -> None:
        """Say whether registry and server disagree."""
        self._drift.set(int(disagree))

    def set_refused(self, *, refused: bool) -> None:
        """Say whether a release that the registry names broke its promise, and is not tried again."""
        self._refused.set(int(refused))

    def set_success(self) -> None:
        """Say that a pass has just succeeded."""
        self._last_success.set(time.time())

    def expose(self) -> bytes:
        """Return every series in Prometheus's text format."""
        return generate_latest(self._registry)
