"""What a whole release must be, past the soundness of its objects: doors, next commands, other values."""

import re
import shlex
from typing import Any

import pytest

from hilum.cli import cli
from hilum.triton.server import ADMIN_APIS
from tests.support.chart.checks import problems
from tests.support.chart.clusters import KUBE_VERSIONS, cluster
from tests.support.chart.commands import refusal
from tests.support.chart.pods import pods
from tests.support.chart.schemas import schema_violations
from tests.support.helm import Helm, load_values, values_files

SHARED = {
    "modelRepository": {"pvc": {"accessMode": "ReadWriteMany"}},
    "ledger": {"existingSecret": "ledger"},
    "networkPolicy": {"egress": {"postgresql": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
}
"""What several replicas of Triton need."""

PROMETHEUS = "http://prometheus-operated.monitoring.svc:9090"

WAYS = {path.stem: load_values(path) for path in values_files()}


def test_the_same_calls_are_closed_as_on_a_laptop(helm: Helm) -> None:
    (container,) = helm.render({}, cluster()).find("Deployment", "hilum-triton")["spec"]["template"]["spec"][
        "containers"
    ]
    closed = [each for each in container["args"] if "-restricted-" in each]
    assert [each.partition("=")[2].partition(":")[0] for each in closed] == [ADMIN_APIS, ADMIN_APIS]


@pytest.mark.parametrize("way", WAYS)
def test_the_notes_give_commands_that_hilum_takes(helm: Helm, way: str) -> None:
    notes = helm.render(WAYS[way], cluster()).notes
    assert {"1.", "2.", "3."} <= set(re.findall(r"^ +(\d\.)", notes, re.MULTILINE))
    found = re.findall(r"(?:^ +|-- |HILUM_ACTOR=\S+ )(hilum [a-z].*)$", notes, re.MULTILINE)
    commands = [shlex.split(each.rstrip("&. "))[1:] for each in found]
    assert commands or way == "kserve-values"  # where KServe does the watcher's work
    assert [(each, wrong) for each in commands if (wrong := refusal(cli, _numbered(each)))] == []


def _numbered(words: list[str]) -> list[str]:
    """Put a number where the notes leave one to the reader."""
    return ["7" if word in ("NUMBER", "RELEASE") else word for word in words]


def test_every_pod_lies_behind_a_policy(helm: Helm) -> None:
    """Default deny: each pod is selected for both directions, or could speak to anybody."""
    rendered = helm.render({}, cluster())
    for pod in pods(rendered.objects):
        directions = {
            direction
            for policy in rendered.of_kind("NetworkPolicy")
            if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()
            for direction in policy["spec"]["policyTypes"]
        }
        assert directions == {"Ingress", "Egress"}, pod.name


@pytest.mark.parametrize(
    "extra",
    [
        {"fullnameOverride": "x" * 40},
        {"nameOverride": "screening-of-the-university-hospital"},
        {
            "global": {
                "imageRegistry": "example.org:5000/r",
                "imagePullSecrets": [{"name": "pull-secret"}],
            }
        },
        {"dashboard": {"enabled": True}},
        {"mlflow": {"auth": {"enabled": True, "existingSecret": "a"}, "client": {"existingSecret": "b"}}},
        {"training": {"kind": "Job", "data": {"existingClaim": "data"}}},
        {"training": {"kind": "CronJob", "data": {"existingClaim": "data"}, "gpus": 2}},
        {
            "training": {
                "kind": "TrainJob",
                "data": {"existingClaim": "data"},
                "gpus": 1,
                "networks": ["filter"],
            }
        },
        {"tensorrt": {"builds": [{"folder": "xray-classifier-7-fp16-engine", "computeCapability": "9.0"}]}},
        {
            "training": {"kind": "CronJob", "data": {"existingClaim": "d"}, "runtimeClassName": "nvidia"},
            "tensorrt": {
                "builds": [{"folder": "xray-classifier-7-fp16-engine"}],
                "runtimeClassName": "nvidia",
            },
        },
        {
            "kserve": {"enabled": True, "storageUri": "pvc://models/releases"},
            "dashboard": {"enabled": True},
        },
        {"triton": {"accelerator": {"kind": "shared"}, "priorityClassName": "high"}},
        {
            "triton": {
                "service": {"type": "ClusterIP"},
                "ingress": {"enabled": True, "host": "x.org", "tlsSecret": "t"},
            }
        },
        {"triton": {"grpcRoute": {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["x.org"]}}},
        {**SHARED, "autoscaling": {"kind": "hpa", "metric": "pendingRequests"}},
        {**SHARED, "autoscaling": {"kind": "keda", "keda": {"serverAddress": PROMETHEUS}}},
        {
            **SHARED,
            "autoscaling": {
                "kind": "keda",
                "metric": "pendingRequests",
                "keda": {"serverAddress": PROMETHEUS, "authenticationRef": "prometheus"},
            },
        },
        {"networkPolicy": {"enabled": False}, "monitoring": {"grafana": {"enabled": False}}},
        {"rollout": {"enabled": False}},
        {"tests": {"enabled": False}},
    ],
    ids=lambda extra: str(extra)[:60],
)
def test_what_the_examples_leave_out_is_as_sound(helm: Helm, extra: dict[str, Any]) -> None:
    rendered = helm.render(extra, cluster())
    found = problems(rendered.objects, rendered.values)
    found += [wrong for each in rendered.objects for wrong in schema_violations(each, KUBE_VERSIONS[-1])]
    assert found == []
