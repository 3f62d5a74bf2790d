"""The Job is one that Kubernetes' own model of batch/v1 knows, field by field."""

import json
from types import SimpleNamespace
from typing import Any

import yaml
from kubernetes import client

from tests.unit.training.export.tensorrt.conftest import make_plan
from training.export.tensorrt.job import build_job, render_job


def as_known(job: dict[str, Any]) -> Any:
    """Return the Job as Kubernetes' client reads and writes it: a field that it does not know is lost."""
    api = client.ApiClient()
    response = SimpleNamespace(data=json.dumps(job))
    return api.sanitize_for_serialization(api.deserialize(response, "V1Job"))


def test_every_field_is_known_to_kubernetes() -> None:
    job = build_job(make_plan())
    assert as_known(job) == job


def test_the_yaml_is_the_job() -> None:
    plan = make_plan()
    assert yaml.safe_load(render_job(plan)) == build_job(plan)


def test_it_runs_the_script_in_the_servers_container_on_one_such_gpu() -> None:
    job = build_job(make_plan())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == make_plan().image
    assert container["command"] == ["bash", "/builds/xray-classifier-3-fp16-engine/build.sh"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["nodeSelector"] == {"nvidia.com/gpu.compute.major": "9", "nvidia.com/gpu.compute.minor": "0"}
    assert pod["restartPolicy"] == "Never"
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}


def test_without_a_capability_any_gpu_will_do() -> None:
    job = build_job(make_plan(compute_capability=None))
    assert "nodeSelector" not in job["spec"]["template"]["spec"]
