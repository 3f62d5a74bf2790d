"""Writes the Kubernetes Job that runs `build.sh` on a node with the GPU that will serve.

The build folder is too large for a ConfigMap: it lies on a volume, which the Job mounts.
"""

from typing import Any

import yaml

from training.export.tensorrt.plan import BuildPlan
from training.export.tensorrt.script import SCRIPT_FILE

JOB_FILE = "job.yaml"

CLAIM = "hilum-engine-builds"
"""PersistentVolumeClaim that holds build folders; the manifest names it once, to be changed there."""

TRITON_USER = 1000
"""The user `triton-server` of NVIDIA's container."""


def build_job(plan: BuildPlan) -> dict[str, Any]:
    """Return the Job (batch/v1), for a cluster whose nodes carry GPU feature discovery's labels."""
    name = f"{plan.model.replace('_', '-')}-{plan.version}-{plan.precision}-engine"
    labels = {"app.kubernetes.io/name": "hilum", "app.kubernetes.io/component": "engine-build"}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": TRITON_USER,
            "fsGroup": TRITON_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "trtexec",
                "image": plan.image,
                "command": ["bash", f"/builds/{name}/{SCRIPT_FILE}"],
                "resources": {
                    "requests": {"cpu": "2", "memory": "8Gi"},
                    "limits": {"memory": "16Gi", "nvidia.com/gpu": "1"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "builds", "mountPath": "/builds"},
                    {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  a path in the container
                ],
            }
        ],
        "volumes": [
            {"name": "builds", "persistentVolumeClaim": {"claimName": CLAIM}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }
    if plan.compute_capability:
        major, minor = plan.compute_capability.split(".")
        pod["nodeSelector"] = {"nvidia.com/gpu.compute.major": major, "nvidia.com/gpu.compute.minor": minor}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0,  # a build that fails fails again
            "activeDeadlineSeconds": 3600,
            "ttlSecondsAfterFinished": 86400,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def render_job(plan: BuildPlan) -> str:
    """Return the Job as YAML, and how to use it."""
    job = build_job(plan)
    name = job["metadata"]["name"]
    return (
        f"# Copy this folder to /{name} on the volume of the claim {CLAIM}, then: kubectl apply -f "
        f"{JOB_FILE}\n# When the Job is complete, copy the folder back and run: hilum export passport "
        "FOLDER\n" + str(yaml.safe_dump(job, sort_keys=False))
    )
