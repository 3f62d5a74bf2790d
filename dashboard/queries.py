"""All PromQL of the dashboard; a test holds each expression against a real scrape and the recording rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

SERVER = "instance"
"""A legend that tells servers apart: by their pod, or by their address where there are no pods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One expression, and how its series are told apart."""

    expression: str
    legend: str = ""
    """The label that names a series; empty where there is only one."""

    def name_of(self, labels: Mapping[str, str]) -> str:
        """Return what tells a series from the others; empty where nothing has to."""
        pod = labels.get("pod") if self.legend == SERVER else None
        return pod or labels.get(self.legend, "")


INSTALLATIONS = Query(
    expression="max by (namespace) "
    '(last_over_time(nv_inference_request_success{model="xray_screening"}[1d]))',
    legend="namespace",
)
"""Every installation that Prometheus has seen within a day; on a laptop one, without a namespace."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is asked about one installation: its Tritons together, or each by itself where machines differ."""

    namespace: str = ""
    """In Kubernetes; empty outside it."""

    @property
    def silence(self) -> Query:
        """Seconds since the newest scrape of a Triton; none where that is more than five minutes ago."""
        return Query(
            expression="time() - max(timestamp("
            f'nv_inference_request_success{{model="xray_screening",namespace="{self._namespace}"}}))'
        )

    @property
    def long_silence(self) -> Query:
        """Seconds since the newest scrape of a Triton, to the minute; none where a day has none."""
        return Query(
            expression="time() - max(max_over_time(timestamp("
            f'nv_inference_request_success{{model="xray_screening",namespace="{self._namespace}"}})[1d:1m]))'
        )

    @property
    def images(self) -> Query:
        """Images per second, by what became of them."""
        return Query(
            expression=f'sum by (outcome) (rate(hilum_images_total{{namespace="{self._namespace}"}}[5m]))',
            legend="outcome",
        )

    @property
    def failures(self) -> Query:
        """Share of the requests of five minutes, in [0, 1], that the server failed to answer."""
        return Query(expression=f'hilum:front_door_failures:ratio_rate5m{{namespace="{self._namespace}"}}')

    @property
    def failures_of_a_day(self) -> Query:
        """The same share of a day."""
        return Query(expression=f'hilum:front_door_failures:ratio_rate1d{{namespace="{self._namespace}"}}')

    @property
    def duration(self) -> Query:
        """Mean time of a request within the server, in seconds; none without requests."""
        return Query(
            expression="sum(rate(nv_inference_request_duration_us"
            f'{{model="xray_screening",namespace="{self._namespace}"}}[5m])) / 1e6 '
            "/ (sum(rate(nv_inference_request_success"
            f'{{model="xray_screening",namespace="{self._namespace}"}}[5m])) > 0)'
        )

    def decoding(self, quantile: float) -> Query:
        """Time that decoding an image takes, in seconds, at a quantile in [0, 1]."""
        return Query(
            expression=f"histogram_quantile({quantile}, sum by (le) "
            f'(rate(hilum_decode_duration_seconds_bucket{{namespace="{self._namespace}"}}[5m])))'
        )

    @property
    def waiting(self) -> Query:
        """Time that a request waits before a step, mean in seconds."""
        return Query(
            expression="max by (model) "
            f'(hilum:queue_seconds_per_request:rate5m{{namespace="{self._namespace}"}})',
            legend="model",
        )

    @property
    def pending(self) -> Query:
        """Requests that wait now, in each server."""
        return Query(
            expression="sum by (instance, pod) "
            f'(nv_inference_pending_request_count{{namespace="{self._namespace}"}})',
            legend=SERVER,
        )

    @property
    def batch(self) -> Query:
        """Images that a network is given at once, mean."""
        return Query(
            expression=f'max by (model) (hilum:images_per_execution:rate5m{{namespace="{self._namespace}"}})',
            legend="model",
        )

    @property
    def memory(self) -> Query:
        """Used share, in [0, 1], of the memory of each server's machine."""
        return Query(
            expression="max by (instance, pod) "
            f'(hilum:memory_used:ratio{{memory="host",namespace="{self._namespace}"}})',
            legend=SERVER,
        )

    @property
    def processors(self) -> Query:
        """Used share, in [0, 1], of the processors of each server's machine."""
        return Query(
            expression=f'max by (instance, pod) (nv_cpu_utilization{{namespace="{self._namespace}"}})',
            legend=SERVER,
        )

    @property
    def gpu_memory(self) -> Query:
        """Used share, in [0, 1], of the memory of each server's fullest GPU."""
        return Query(
            expression="max by (instance, pod) "
            f'(hilum:memory_used:ratio{{memory="gpu",namespace="{self._namespace}"}})',
            legend=SERVER,
        )

    @property
    def gpus(self) -> Query:
        """Used share, in [0, 1], of each server's busiest GPU."""
        return Query(
            expression=f'max by (instance, pod) (nv_gpu_utilization{{namespace="{self._namespace}"}})',
            legend=SERVER,
        )

    @property
    def served(self) -> Query:
        """The release in each role, as the rollout watcher knows it."""
        return Query(
            expression=f'max by (role, release) (hilum_release_info{{namespace="{self._namespace}"}})'
        )

    @property
    def loaded(self) -> Query:
        """The front doors that each server has loaded, and in which version: the release's number."""
        return Query(
            expression="max by (instance, pod, model, version) (nv_inference_request_success"
            '{model=~"xray_screening|xray_screening_challenger",'
            f'namespace="{self._namespace}"}})',
            legend=SERVER,
        )

    @property
    def disagreement(self) -> Query:
        """1 while registry and server disagree, by the rollout watcher's word."""
        return Query(expression=f'max(hilum_registry_drift{{namespace="{self._namespace}"}})')

    @property
    def _namespace(self) -> str:
        return quoted(self.namespace)


def of_clients(quantile: float) -> Query:
    """Return the time that clients wait for an answer, in seconds; they may run in any namespace."""
    return Query(
        expression=f"histogram_quantile({quantile}, sum by (le) "
        "(rate(hilum_client_request_duration_seconds_bucket[5m])))"
    )


SIGNAL_IMAGES = Query(expression="sum by (release, signal) (hilum:signal_images:increase6h)", legend="signal")
DRIFT = Query(expression="max by (release, signal) (hilum:drift_ks:6h)", legend="signal")
DRIFT_BOUND = Query(expression="max by (release, signal) (hilum:drift_ks_bound:6h)", legend="signal")
REFERENCE_IMAGES = Query(expression="max by (release, signal) (hilum_reference_images)", legend="signal")
SERVED_BUCKETS = Query(
    expression="sum by (release, signal, le) (hilum:signal_bucket:increase6h)", legend="le"
)
REFERENCE_SHARES = Query(expression="max by (release, signal, le) (hilum_reference_share)", legend="le")

CHAMPION_FINDINGS = Query(
    expression="sum by (release, finding) (increase(hilum_findings_total[1d]))", legend="finding"
)
CHALLENGER_FINDINGS = Query(
    expression="sum by (release, finding) (increase(hilum_challenger_findings_total[1d]))", legend="finding"
)


def drift_of(release: str, signal: str) -> tuple[Query, Query]:
    """Return one signal's distance and its bound."""
    release, signal = quoted(release), quoted(signal)
    return (
        Query(expression=f'max(hilum:drift_ks:6h{{release="{release}",signal="{signal}"}})'),
        Query(expression=f'max(hilum:drift_ks_bound:6h{{release="{release}",signal="{signal}"}})'),
    )


def quoted(label: str) -> str:
    """Return a label's value as it stands between quotes in PromQL, whatever it holds."""
    return json.dumps(label)[1:-1]
