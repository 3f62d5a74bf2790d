"""A status counts only where it speaks of the newest generation and of the traffic that was asked for."""

import copy
from typing import Any

import pytest

from training.promote.targets.readiness import read_readiness

STANDARD: dict[str, Any] = {
    "metadata": {
        "name": "hilum",
        "generation": 3,
        "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
    },
    "spec": {
        "predictor": {"model": {}},
        "canary": [{"predictor": {"name": "release-2"}, "trafficPercent": 10}],
    },
    "status": {
        "observedGeneration": 3,
        "conditions": [{"type": "Ready", "status": "True"}],
        "modelStatus": {"transitionStatus": "UpToDate"},
        "canaryStatuses": [{"name": "release-2", "ready": True, "trafficPercent": 10}],
    },
}

KNATIVE: dict[str, Any] = {
    "metadata": {
        "name": "hilum",
        "generation": 1,
        "annotations": {"serving.kserve.io/deploymentMode": "Knative"},
    },
    "spec": {"predictor": {"model": {}, "canaryTrafficPercent": 25}},
    "status": {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True"}],
        "components": {
            "predictor": {
                "traffic": [{"latestRevision": True, "percent": 25}, {"tag": "prev", "percent": 75}]
            }
        },
    },
}

FAILED = {
    "transitionStatus": "BlockedByFailedLoad",
    "lastFailureInfo": {"reason": "ModelLoadFailed", "message": "no such file"},
}


@pytest.mark.parametrize("service", [STANDARD, KNATIVE])
def test_what_is_in_force_is_ready(service: dict[str, Any]) -> None:
    readiness = read_readiness(service)
    assert (readiness.ready, readiness.failure, readiness.missing) == (True, "", "")


@pytest.mark.parametrize(
    ("service", "status", "missing"),
    [
        (STANDARD, {"observedGeneration": 2}, "has not seen the change"),
        (STANDARD, {"conditions": []}, "not ready"),
        (STANDARD, {"conditions": [{"type": "Ready", "status": "False", "reason": "NoPods"}]}, "NoPods"),
        (STANDARD, {"canaryStatuses": []}, "release-2 is not ready"),
        (
            STANDARD,
            {"canaryStatuses": [{"name": "release-2", "ready": True, "trafficPercent": 0}]},
            "release-2 gets 0 % of the traffic instead of 10 %",
        ),
        (KNATIVE, {"components": {}}, "gets 0 % of the traffic instead of 25 %"),
    ],
)
def test_what_is_missing_is_said(service: dict[str, Any], status: dict[str, Any], missing: str) -> None:
    service = copy.deepcopy(service)
    service["status"] |= status
    readiness = read_readiness(service)
    assert not readiness.ready
    assert not readiness.failure
    assert missing in readiness.missing


def test_an_object_without_a_status_is_not_ready() -> None:
    service = {key: value for key, value in STANDARD.items() if key != "status"}
    assert not read_readiness(service).ready


@pytest.mark.parametrize(
    "status",
    [{"modelStatus": FAILED}, {"canaryStatuses": [{"name": "release-2", "modelStatus": FAILED}]}],
)
def test_a_model_that_cannot_load_is_a_failure_of_its_own_generation_only(status: dict[str, Any]) -> None:
    service = copy.deepcopy(STANDARD)
    service["status"] |= status
    assert read_readiness(service).failure == "ModelLoadFailed: no such file"
    service["metadata"]["generation"] += 1
    assert read_readiness(service).failure == ""
