"""What the chart gives to Prometheus and Grafana lies in its folders, and is what autoscalers ask for."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart.clusters import cluster
from tests.support.helm import CHART, Helm, Rendered, load_values

SHARED = {
    "modelRepository": {"pvc": {"accessMode": "ReadWriteMany"}},
    "ledger": {"existingSecret": "ledger"},
    "networkPolicy": {"egress": {"postgresql": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
}
"""What several replicas of Triton need."""


@pytest.fixture
def monitored(helm: Helm) -> Rendered:
    """The chart on a cluster with the Prometheus operator."""
    return helm.render({}, cluster(installed="monitoring"))


def test_the_rules_are_those_of_the_files(monitored: Rendered) -> None:
    files = sorted((CHART / "rules").glob("*.yaml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    rendered = monitored.find("PrometheusRule", "hilum")["spec"]["groups"]
    by_name = {group["name"]: group for group in rendered}
    assert len(by_name) == len(rendered) == len(groups) > 0
    assert by_name == {group["name"]: group for group in groups}


def test_thresholds_change_the_ends_of_their_alerts_and_nothing_else(helm: Helm, monitored: Rendered) -> None:
    chosen = {"queueSeconds": 2, "gpuMemory": 0.8, "championDays": 90, "certificateDays": 30}
    changed = helm.render({"monitoring": {"rules": {"thresholds": chosen}}}, cluster(installed="monitoring"))
    ends = {
        "HilumQueueTimeHigh": ("> 0.5", "> 2"),
        "HilumGpuMemoryHigh": ("> 0.95", "> 0.8"),
        "HilumChampionOld": ("> 180", "> 90"),
        "HilumCertificateExpiring": ("< 21", "< 30"),
    }
    for before, after in zip(_rules(monitored), _rules(changed), strict=True):
        old, new = ends.pop(before.get("alert", ""), ("", ""))
        assert before["expr"].endswith(old)
        assert after == {**before, "expr": before["expr"].removesuffix(old) + new}
    assert ends == {}


def _rules(rendered: Rendered) -> list[dict[str, Any]]:
    groups = rendered.find("PrometheusRule", "hilum")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_takes_the_rendered_rules(monitored: Rendered, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": monitored.find("PrometheusRule", "hilum")["spec"]["groups"]}))
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_dashboards_are_those_of_the_files(monitored: Rendered) -> None:
    shown = {
        name: json.loads(text)
        for each in monitored.of_kind("ConfigMap")
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for name, text in each["data"].items()
    }
    files = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}
    assert {name.removeprefix("hilum-"): text for name, text in shown.items()} == files
    assert files


def test_targets_carry_the_jobs_that_the_rules_name(monitored: Rendered) -> None:
    jobs = {
        relabeling["replacement"]
        for monitor in monitored.of_kind("PodMonitor")
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
        for relabeling in endpoint["relabelings"]
        if relabeling["targetLabel"] == "job"
    }
    assert jobs == {"triton", "rollout"}


@pytest.mark.parametrize("metric", ["queueTime", "pendingRequests"])
def test_the_adapter_has_the_metric_that_the_autoscaler_asks_for(helm: Helm, metric: str) -> None:
    rendered = helm.render({**SHARED, "autoscaling": {"kind": "hpa", "metric": metric}}, cluster())
    (scaler,) = rendered.of_kind("HorizontalPodAutoscaler")
    adapter = load_values(CHART / "examples" / "prometheus-adapter-values.yaml")
    offered = {rule["name"]["as"] for rule in adapter["rules"]["custom"]}
    assert {each["pods"]["metric"]["name"] for each in scaler["spec"]["metrics"]} <= offered


@pytest.mark.parametrize("kind", ["none", "hpa", "keda"])
def test_one_autoscaler_at_most_scales(helm: Helm, kind: str) -> None:
    keda = {"serverAddress": "http://prometheus.monitoring.svc:9090"} if kind == "keda" else {}
    rendered = helm.render({**SHARED, "autoscaling": {"kind": kind, "keda": keda}}, cluster())
    scalers = [each["kind"] for each in rendered.of_kind("HorizontalPodAutoscaler", "ScaledObject")]
    assert scalers == {"none": [], "hpa": ["HorizontalPodAutoscaler"], "keda": ["ScaledObject"]}[kind]
    triton = rendered.find("Deployment", "hilum-triton")
    assert ("replicas" in triton["spec"]) == (kind == "none")


def test_nothing_of_the_operator_is_made_without_it(helm: Helm) -> None:
    rendered = helm.render({}, cluster(installed="nothing"))
    assert rendered.of_kind("PodMonitor", "ServiceMonitor", "PrometheusRule") == []
