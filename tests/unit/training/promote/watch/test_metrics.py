import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from training.promote.watch.metrics import WatchMetrics


def samples(metrics: WatchMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
    }


def test_every_series_is_there_from_the_start() -> None:
    """An alert on a counter's increase needs to see its zero."""
    zero = samples(WatchMetrics())
    for result in ("loaded", "verified", "written", "failed"):
        assert zero["hilum_rollout_total", (("result", result),)] == 0
    for result in ("accepted", "duplicate", "stale", "forged", "malformed"):
        assert zero["hilum_webhooks_total", (("result", result),)] == 0
    for name in (
        "hilum_registry_drift",
        "hilum_rollout_refused",
        "hilum_rollout_last_success_timestamp_seconds",
    ):
        assert zero[name, ()] == 0
    assert zero["hilum_rollout_duration_seconds_count", ()] == 0


def test_only_what_is_served_now_is_told() -> None:
    metrics = WatchMetrics()
    metrics.set_served({"champion": 3, "challenger": 4})
    metrics.set_served({"champion": 4})
    told = {key: value for key, value in samples(metrics).items() if key[0] == "hilum_release_info"}
    assert told == {("hilum_release_info", (("release", "4"), ("role", "champion"))): 1}


def test_what_is_not_known_is_absent_and_never_zero() -> None:
    metrics = WatchMetrics()
    names = {"hilum_release_promoted_timestamp_seconds", "hilum_certificate_expiry_timestamp_seconds"}
    assert not names & {name for name, _ in samples(metrics)}
    at = datetime(2025, 3, 1, tzinfo=UTC)
    metrics.set_promoted({"champion": at, "challenger": at})
    metrics.set_promoted({"champion": at})
    metrics.set_certificates({"tls.crt": 1.9e9})
    now = {key: value for key, value in samples(metrics).items() if key[0] in names}
    assert now == {
        ("hilum_release_promoted_timestamp_seconds", (("role", "champion"),)): at.timestamp(),
        ("hilum_certificate_expiry_timestamp_seconds", (("certificate", "tls.crt"),)): 1.9e9,
    }


def test_counts() -> None:
    metrics = WatchMetrics()
    metrics.count_rollout("loaded", 0.7)
    metrics.count_rollout("failed", 70.0)
    metrics.count_webhook("forged")
    metrics.set_drift(disagree=True)
    metrics.set_refused(refused=True)
    metrics.set_success()
    now = samples(metrics)
    assert now["hilum_rollout_total", (("result", "loaded"),)] == 1
    assert now["hilum_rollout_total", (("result", "failed"),)] == 1
    assert now["hilum_rollout_duration_seconds_sum", ()] == pytest.approx(70.7)
    assert now["hilum_rollout_duration_seconds_bucket", (("le", "1.0"),)] == 1
    assert now["hilum_webhooks_total", (("result", "forged"),)] == 1
    assert now["hilum_registry_drift", ()] == 1
    assert now["hilum_rollout_refused", ()] == 1
    assert now["hilum_rollout_last_success_timestamp_seconds", ()] > 1.7e9


def test_nothing_but_our_own_series() -> None:
    assert {name.removeprefix("hilum_").partition("_")[0] for name, _ in samples(WatchMetrics())} == {
        "rollout",
        "webhooks",
        "registry",
    }
    assert not [name for name, _ in samples(WatchMetrics()) if name.endswith("_created")]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_promtool_finds_no_fault() -> None:
    metrics = WatchMetrics()
    metrics.set_served({"champion": 3})
    metrics.set_promoted({"champion": datetime.now(UTC)})
    metrics.set_certificates({"tls.crt": 1.9e9})
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.expose(), capture_output=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
