"""What a client tells Prometheus, in a registry that its caller chooses."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from clients.errors import (
    DeadlineExceededError,
    ModelNotReadyError,
    OverloadedError,
    RadiographRefusedError,
    ServerUnreachableError,
    TlsError,
)
from clients.results import Screening

Outcome = Literal["accepted", "rejected", "undecodable", "unavailable", "overloaded", "deadline", "error"]
"""What came of a request: an answer, a refusal of the image, or why there is neither."""

_OUTCOMES: dict[type[Exception], Outcome] = {
    RadiographRefusedError: "undecodable",
    ServerUnreachableError: "unavailable",
    TlsError: "unavailable",
    ModelNotReadyError: "unavailable",
    OverloadedError: "overloaded",
    DeadlineExceededError: "deadline",
}

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds, from toy networks on a GPU to the default time-out."""


class ClientMetrics:
    """The series of all clients that share it, each there from the start.

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> registry = CollectorRegistry()
        >>> metrics = ClientMetrics(registry)
        >>> registry.get_sample_value("hilum_client_retries_total")
        0.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Start every series at zero.

        Args:
            registry: where they are registered: `prometheus_client.REGISTRY`, or one of the caller's own.

        Raises:
            ValueError: the registry has these series already; clients share one `ClientMetrics`.
        """
        durations = Histogram(
            "hilum_client_request_duration_seconds",
            "Time from a request to its answer or error, retries included.",
            ["outcome"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._durations = {outcome: durations.labels(outcome) for outcome in get_args(Outcome)}
        self._retries = Counter(
            "hilum_client_retries", "Requests sent again because their connection broke.", registry=registry
        )

    def observe_answer(self, screening: Screening, seconds: float) -> None:
        """Count one answer."""
        self._durations["accepted" if screening.accepted else "rejected"].observe(seconds)

    def observe_error(self, error: Exception, seconds: float) -> None:
        """Count one request that has no answer."""
        self._durations[_OUTCOMES.get(type(error), "error")].observe(seconds)

    def count_retry(self) -> None:
        """Count one retry."""
        self._retries.inc()
