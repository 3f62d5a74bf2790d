"""What the watcher tells Prometheus."""

import time
from collections.abc import Iterable, Mapping
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


class _Served(Collector):
    """`hilum_release_info`: replaced as a whole, so that a scrape never sees half a change."""

    def __init__(self) -> None:
        self.releases: Mapping[str, int] = {}

    @override
    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "hilum_release_info",
            "The release that answers in a role, by the server's word; always 1.",
            labels=("role", "release"),
        )
        for role, release in self.releases.items():
            family.add_metric((role, str(release)), 1)
        yield family


class WatchMetrics:
    """The series of one watcher, all there from its start."""

    def __init__(self) -> None:
        """Start every series at zero."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # each counter would come with the time of its creation
        self._registry = CollectorRegistry()
        self._served = _Served()
        self._registry.register(self._served)
        self._rollouts = Counter(
            "hilum_rollout", "Rollouts by what came of them.", ["result"], registry=self._registry
        )
        self._webhooks = Counter(
            "hilum_webhooks", "Webhook deliveries by what they were.", ["result"], registry=self._registry
        )
        self._drift = Gauge(
            "hilum_registry_drift", "1 while registry and server disagree.", registry=self._registry
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
        self._served.releases = dict(releases)

    def set_drift(self, *, disagree: bool) -> None:
        """Say whether registry and server disagree."""
        self._drift.set(int(disagree))

    def set_success(self) -> None:
        """Say that a pass has just succeeded."""
        self._last_success.set(time.time())

    def expose(self) -> bytes:
        """Return every series in Prometheus's text format."""
        return generate_latest(self._registry)
