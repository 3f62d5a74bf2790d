"""All PromQL of the dashboard; a test holds each expression against a real scrape and the recording rules."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One expression, and how its series are told apart."""

    expression: str
    legend: str = ""
    """The label that names a series; empty where there is only one."""


def _quantile(quantile: float, histogram: str) -> Query:
    """Return a quantile in [0, 1] of a histogram over five minutes."""
    return Query(expression=f"histogram_quantile({quantile}, sum by (le) (rate({histogram}_bucket[5m])))")


SERVED = Query(expression="max by (role, release) (hilum_release_info)")
DISAGREEMENT = Query(expression="max(hilum_registry_drift)")

IMAGES = Query(expression="sum by (outcome) (rate(hilum_images_total[5m]))", legend="outcome")
FAILURES = Query(expression="max(hilum:front_door_failures:ratio_rate5m)")
FAILURES_DAY = Query(expression="max(hilum:front_door_failures:ratio_rate1d)")
PENDING = Query(expression="sum by (model) (nv_inference_pending_request_count)", legend="model")
DURATION = Query(
    expression='sum(rate(nv_inference_request_duration_us{model="xray_screening"}[5m])) / 1e6 '
    '/ sum(rate(nv_inference_request_success{model="xray_screening"}[5m]))'
)
CLIENT_P50 = _quantile(0.5, "hilum_client_request_duration_seconds")
CLIENT_P95 = _quantile(0.95, "hilum_client_request_duration_seconds")
DECODE_P50 = _quantile(0.5, "hilum_decode_duration_seconds")
DECODE_P95 = _quantile(0.95, "hilum_decode_duration_seconds")
QUEUE = Query(expression="max by (model) (hilum:queue_seconds_per_request:rate5m)", legend="model")
BATCH = Query(expression="max by (model) (hilum:images_per_execution:rate5m)", legend="model")
MEMORY = Query(expression="max by (memory) (hilum:memory_used:ratio)", legend="memory")
CPU = Query(expression="max(nv_cpu_utilization)")
GPU = Query(expression="max(nv_gpu_utilization)")

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
    release, signal = (json.dumps(label)[1:-1] for label in (release, signal))  # what a quote would end
    return (
        Query(expression=f'max(hilum:drift_ks:6h{{release="{release}",signal="{signal}"}})'),
        Query(expression=f'max(hilum:drift_ks_bound:6h{{release="{release}",signal="{signal}"}})'),
    )
