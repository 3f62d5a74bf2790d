"""Values that make no working release are refused before anything is installed, by naming what is wrong."""

from typing import Any

import pytest

from tests.support.chart.clusters import cluster
from tests.support.helm import ChartRefusedError, Cluster, Helm

SHARED = {
    "modelRepository.pvc.accessMode": "ReadWriteMany",
    "ledger.existingSecret": "ledger",
    "networkPolicy.egress.postgresql": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
}
"""What several replicas of Triton need."""

TYPOS = {
    "triton.replica": 2,
    "triton.image.tagg": "x",
    "triton.accelerator.kinds": "gpu",
    "triton.probes.startup.periodSecond": 5,
    "modelRepository.pvc.storageclass": "fast",
    "modelRepository.nfs": {"server": "x"},
    "kserve.canary.percents": 10,
    "networkPolicy.enable": False,
    "networkPolicy.egress.s3Port": [443],
    "monitoring.podMonitor.label": {"a": "b"},
    "monitoring.serviceMonitor": {"enabled": True},
    "monitoring.rules.thresholds.queueMilliseconds": 500,
    "autoscaling.min": 2,
    "rollout.interval": 30,
    "ledger.url": "postgresql://me:hush@db/ledger",
    "mlflow.database.url": "postgresql://me:hush@db/mlflow",
    "mlflow.auth.password": "hush",
    "dashboard.oidc.secret": "x",
    "training.gpu": 2,
    "tensorrt.build": [],
    "tests.enable": True,
    "gpu": True,
}
"""Keys that the chart does not know, some of which would put a secret into the values."""

WRONG: list[tuple[str, Any]] = [
    ("triton.replicas", "2"),
    ("triton.replicas", -1),
    ("triton.replicas", 1.5),
    ("triton.accelerator.kind", "tpu"),
    ("triton.accelerator.count", 0),
    ("triton.accelerator.networks", "fp16"),
    ("triton.version", "2.64"),
    ("triton.image.digest", "sha256:1234"),
    ("triton.image.pullPolicy", "always"),
    ("triton.adminKey.existingSecret", "Admin_Key"),
    ("triton.sharedMemory", "1 gigabyte"),
    ("triton.resources.limits.memory", "lots"),
    ("triton.resources.limit", {"memory": "1Gi"}),
    ("triton.probes.startup.failureThreshold", 0),
    ("triton.shutdown.drainSeconds", "15s"),
    ("triton.shutdown.exitTimeoutSeconds", -1),
    ("triton.service.type", "NodePorts"),
    ("triton.topologySpread.whenUnsatisfiable", "Never"),
    ("triton.podDisruptionBudget.maxUnavailable", "half"),
    ("triton.tls.enabled", "yes"),
    ("triton.nodeSelector", {"gpu": True}),
    ("modelRepository.pvc.size", "10 GB"),
    ("modelRepository.pvc.accessMode", "ReadOnlyMany"),
    ("modelRepository.s3.url", "https://bucket"),
    ("kserve.storageUri", "bucket/prefix"),
    ("kserve.canary.percent", 101),
    ("networkPolicy.egress.postgresqlPort", 65536),
    ("networkPolicy.egress.s3Ports", [0]),
    ("networkPolicy.clients", "all"),
    ("monitoring.rules.enabled", "maybe"),
    ("monitoring.podMonitor.interval", "often"),
    ("monitoring.rules.thresholds.gpuMemory", 95),
    ("monitoring.rules.thresholds.championDays", "180d"),
    ("autoscaling.kind", "both"),
    ("autoscaling.metric", "cpu"),
    ("autoscaling.queueMilliseconds", 0),
    ("autoscaling.keda.serverAddress", "prometheus:9090"),
    ("rollout.intervalSeconds", 0),
    ("rollout.handMovedAliases", "ignore"),
    ("rollout.kserve.canaryPercent", 100.5),
    ("mlflow.replicas", 0),
    ("mlflow.workers", 0),
    ("mlflow.externalUri", "mlflow.example.org"),
    ("mlflow.auth.defaultPermission", "ALL"),
    ("mlflow.allowedHosts", "*"),
    ("dashboard.replicas", "many"),
    ("training.kind", "Deployment"),
    ("training.networks", ["xray_filter"]),
    ("training.gpus", -1),
    ("training.nodes", 0),
    ("training.schedule", 5),
    ("tensorrt.builds", [{"folder": "x"}]),
    ("tests.timeoutSeconds", 0),
    ("nameOverride", "Hilum X"),
    ("global.imagePullSecrets", ["registry"]),
]
"""Values of a wrong type, form or size."""


def _values(settings: dict[str, Any]) -> dict[str, Any]:
    """Return nested values from dotted names."""
    values: dict[str, Any] = {}
    for name, value in settings.items():
        *outer, last = name.split(".")
        here = values
        for key in outer:
            here = here.setdefault(key, {})
        here[last] = value
    return values


def _refusal(helm: Helm, settings: dict[str, Any], where: Cluster) -> str:
    with pytest.raises(ChartRefusedError) as refused:
        helm.render(_values(settings), where)
    return str(refused.value)


@pytest.mark.parametrize("name", TYPOS)
def test_a_typo_is_named(helm: Helm, name: str) -> None:
    message = _refusal(helm, {name: TYPOS[name]}, cluster())
    outer, _, key = name.rpartition(".")
    assert f"at '/{outer.replace('.', '/')}'" in message or not outer
    assert f"'{key}' not allowed" in message


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name}={value}" for name, value in WRONG])
def test_a_wrong_value_is_named(helm: Helm, name: str, value: Any) -> None:
    message = _refusal(helm, {name: value}, cluster())
    assert f"/{name.replace('.', '/')}" in message or f"'{name.rpartition('.')[2]}' not allowed" in message


CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    (
        "two autoscalers at once",
        {**SHARED, "autoscaling.kind": "hpa", "autoscaling.keda.serverAddress": "http://prometheus:9090"},
        "autoscaling.keda.serverAddress is set, but autoscaling.kind is hpa",
    ),
    (
        "a GPU for an image without CUDA",
        {"triton.accelerator.kind": "gpu", "triton.image.tag": "26.09-cpu"},
        "is an image without CUDA",
    ),
    (
        "a GPU for networks on the CPU",
        {"triton.accelerator.kind": "gpu", "triton.accelerator.networks": "cpu"},
        "triton.accelerator.networks is cpu",
    ),
    ("TensorRT without a GPU", {"triton.accelerator.networks": "tensorrt_fp16"}, "which needs a GPU"),
    ("a GPU's name without a GPU", {"triton.accelerator.resource": "nvidia.com/gpu"}, "kind is cpu"),
    ("MIG without a slice", {"triton.accelerator.kind": "mig"}, "triton.accelerator.resource is"),
    (
        "a slice that is no MIG",
        {"triton.accelerator.kind": "gpu", "triton.accelerator.resource": "nvidia.com/mig-1g.10gb"},
        "a MIG slice, but triton.accelerator.kind is gpu",
    ),
    (
        "two shares of one GPU",
        {"triton.accelerator.kind": "shared", "triton.accelerator.count": 2},
        "triton.accelerator.count is 2",
    ),
    ("no storage", {"modelRepository.pvc.enabled": False}, "there is no storage for the models"),
    (
        "two storages",
        {"modelRepository.s3.enabled": True, "modelRepository.s3.url": "s3://bucket/models"},
        "pvc.enabled and s3.enabled are both true",
    ),
    (
        "a bucket without address",
        {"modelRepository.pvc.enabled": False, "modelRepository.s3.enabled": True},
        "modelRepository.s3.url is empty",
    ),
    (
        "a bucket behind a closed network",
        {
            "modelRepository.pvc.enabled": False,
            "modelRepository.s3.enabled": True,
            "modelRepository.s3.url": "s3://bucket/models",
        },
        "networkPolicy.egress.s3 is empty",
    ),
    ("replicas on a ReadWriteOnce volume", {"triton.replicas": 2}, "accessMode is ReadWriteOnce"),
    ("scaling on a ReadWriteOnce volume", {"autoscaling.kind": "hpa"}, "autoscaling.maxReplicas is 6, but"),
    (
        "an impossible range",
        {**SHARED, "autoscaling.kind": "hpa", "autoscaling.minReplicas": 7},
        "autoscaling.minReplicas is 7, more than autoscaling.maxReplicas (6)",
    ),
    (
        "KEDA without Prometheus",
        {**SHARED, "autoscaling.kind": "keda"},
        "autoscaling.keda.serverAddress is empty",
    ),
    ("no admin key", {"triton.adminKey.existingSecret": ""}, "triton.adminKey.existingSecret is empty"),
    (
        "TLS without a certificate",
        {"triton.tls.enabled": True, "rollout.clientTls.existingSecret": "own"},
        "triton.tls.existingSecret is empty",
    ),
    (
        "a certificate that is not used",
        {"triton.tls.existingSecret": "tls"},
        "triton.tls.existingSecret is tls, but triton.tls.enabled is false",
    ),
    ("mutual TLS without TLS", {"triton.tls.mutual": True}, "triton.tls.mutual is true"),
    (
        "open to all, unencrypted",
        {"triton.service.type": "LoadBalancer"},
        "would leave the cluster unencrypted",
    ),
    ("an ingress for no host", {"triton.ingress.enabled": True}, "triton.ingress.host is empty"),
    ("a route from no gateway", {"triton.grpcRoute.enabled": True}, "triton.grpcRoute.parentRefs is empty"),
    (
        "a budget that stops all draining",
        {"triton.podDisruptionBudget.maxUnavailable": 0},
        "triton.podDisruptionBudget.maxUnavailable is 0",
    ),
    (
        "an update that replaces nothing",
        {"triton.update.maxSurge": 0, "triton.update.maxUnavailable": "0%"},
        "triton.update: maxSurge and maxUnavailable are both 0",
    ),
    ("a Triton with known holes", {"triton.image.tag": "26.03-py3"}, "Triton 26.03 is older than 26.07"),
    ("a Triton of unknown age", {"triton.image.tag": "mine"}, "triton.version: neither the tag"),
    ("two ages", {"triton.version": "26.10"}, "triton.version is 26.10, but triton.image.tag"),
    ("KServe without a bucket", {"kserve.enabled": True}, "kserve.storageUri is empty"),
    (
        "a canary of nothing",
        {"kserve.enabled": True, "kserve.storageUri": "pvc://m/r", "kserve.canary.percent": 10},
        "kserve.canary.release is 0",
    ),
    (
        "a canary of itself",
        {"kserve.enabled": True, "kserve.storageUri": "pvc://m/r", "kserve.canary.release": 1},
        "a canary is another release",
    ),
    (
        "scaling under KServe",
        {"kserve.enabled": True, "kserve.storageUri": "pvc://m/r", "autoscaling.kind": "hpa"},
        "autoscaling.kind is hpa, but kserve.enabled is true",
    ),
    ("a bucket that nobody reads", {"kserve.storageUri": "s3://m/r"}, "kserve.enabled is false"),
    (
        "no registry",
        {"mlflow.enabled": False, "networkPolicy.enabled": False},
        "mlflow.enabled is false and mlflow.externalUri is empty",
    ),
    ("two registries", {"mlflow.externalUri": "https://mlflow.example.org"}, "which of the two servers"),
    ("many writers of SQLite", {"mlflow.replicas": 2}, "mlflow.replicas is 2 over SQLite"),
    ("a login without users", {"mlflow.auth.enabled": True}, "mlflow.auth.existingSecret is empty"),
    (
        "a registry open to all",
        {"mlflow.ingress.enabled": True, "mlflow.ingress.host": "x.org", "networkPolicy.enabled": False},
        "could move the champion alias",
    ),
    (
        "a ledger on a network file system",
        {"modelRepository.pvc.accessMode": "ReadWriteMany"},
        "ledger.existingSecret is empty and modelRepository.pvc.accessMode is ReadWriteMany",
    ),
    (
        "a watcher that trusts no certificate",
        {"triton.tls.enabled": True, "triton.tls.existingSecret": "tls"},
        "rollout.clientTls.existingSecret is empty",
    ),
    (
        "a watcher that Triton refuses",
        {
            "triton.tls.enabled": True,
            "triton.tls.existingSecret": "tls",
            "triton.tls.mutual": True,
            "rollout.clientTls.existingSecret": "own",
        },
        "Triton would refuse the watcher",
    ),
    ("a dashboard that is not there", {"dashboard.ingress.enabled": True}, "dashboard.enabled is false"),
    (
        "patients' images for everybody",
        {
            "dashboard.enabled": True,
            "networkPolicy.enabled": False,
            "dashboard.ingress.enabled": True,
            "dashboard.ingress.host": "a.example.org",
        },
        "dashboard.oidc.existingSecret is empty",
    ),
    (
        "a login that no network policy lets through",
        {"dashboard.enabled": True, "dashboard.oidc.existingSecret": "oidc", **SHARED},
        "networkPolicy.egress.oidc is empty",
    ),
    (
        "a dashboard that trusts no certificate",
        {
            "triton.tls.enabled": True,
            "triton.tls.existingSecret": "tls",
            "rollout.clientTls.existingSecret": "own",
            "dashboard.enabled": True,
        },
        "dashboard.clientTls.existingSecret is empty",
    ),
    (
        "a dashboard that Triton refuses",
        {
            "triton.tls.enabled": True,
            "triton.tls.existingSecret": "tls",
            "triton.tls.mutual": True,
            "rollout.clientTls.existingSecret": "own",
            "rollout.clientTls.mutual": True,
            "dashboard.enabled": True,
            "dashboard.clientTls.existingSecret": "own",
        },
        "Triton would refuse the dashboard",
    ),
    ("training on nothing", {"training.kind": "Job"}, "training.data.existingClaim is empty"),
    (
        "weights that no network policy lets through",
        {"training.kind": "Job", "training.data.existingClaim": "data", "training.weights": "imagenet"},
        "networkPolicy.egress.weights is empty",
    ),
    (
        "GPUs for torch without CUDA",
        {
            "training.kind": "Job",
            "training.data.existingClaim": "data",
            "training.gpus": 1,
            "training.image.tag": "0.1.0-cpu",
        },
        "training.gpus is 1, and the image's tag 0.1.0-cpu",
    ),
    (
        "one pod on two machines",
        {"training.kind": "Job", "training.data.existingClaim": "data", "training.nodes": 2},
        "training.nodes is 2 with training.kind Job",
    ),
]
"""What is asked for, in values that are each allowed, and a part of the sentence that refuses it."""


@pytest.mark.parametrize(
    ("settings", "sentence"), [each[1:] for each in CONTRADICTIONS], ids=[each[0] for each in CONTRADICTIONS]
)
def test_a_contradiction_is_refused_by_a_sentence(
    helm: Helm, settings: dict[str, Any], sentence: str
) -> None:
    message = _refusal(helm, settings, cluster())
    assert sentence in message
    assert message.rstrip().endswith((".", ".)")), message


NEEDS: list[tuple[str, dict[str, Any]]] = [
    ("monitoring.coreos.com/v1", {"monitoring.rules.enabled": True}),
    ("monitoring.coreos.com/v1", {"monitoring.podMonitor.enabled": True}),
    ("serving.kserve.io/v1beta1", {"kserve.enabled": True, "kserve.storageUri": "pvc://models/releases"}),
    (
        "keda.sh/v1alpha1",
        {
            "autoscaling.kind": "keda",
            "autoscaling.keda.serverAddress": "http://prometheus.monitoring.svc:9090",
            **SHARED,
        },
    ),
    (
        "gateway.networking.k8s.io/v1",
        {"triton.grpcRoute.enabled": True, "triton.grpcRoute.parentRefs": [{"name": "public"}]},
    ),
    ("trainer.kubeflow.org/v1alpha1", {"training.kind": "TrainJob", "training.data.existingClaim": "data"}),
]
"""APIs past Kubernetes' own, and values that need each."""


@pytest.mark.parametrize(("api", "settings"), NEEDS)
def test_a_missing_api_is_named(helm: Helm, api: str, settings: dict[str, Any]) -> None:
    helm.render(_values(settings), cluster())
    assert api in _refusal(helm, settings, cluster(installed="nothing"))
