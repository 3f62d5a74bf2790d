"""The clusters that the chart is rendered for: versions of Kubernetes, and what is installed on them."""

from tests.support.helm import Cluster

KUBE_VERSIONS = ("1.30.0", "1.34.0", "1.37.0")
"""The oldest that the chart takes, the newest whose schemas are at hand, and one between."""

MONITORING = ("monitoring.coreos.com/v1",)
KSERVE = ("serving.kserve.io/v1beta1", "serving.kserve.io/v1alpha1")
KEDA = ("keda.sh/v1alpha1",)
GATEWAY = ("gateway.networking.k8s.io/v1",)
KUBEFLOW = ("trainer.kubeflow.org/v1alpha1",)

KINDS = {
    "monitoring.coreos.com/v1": ("PodMonitor", "ServiceMonitor", "PrometheusRule"),
    "serving.kserve.io/v1beta1": ("InferenceService",),
    "serving.kserve.io/v1alpha1": ("ServingRuntime", "ClusterServingRuntime"),
    "keda.sh/v1alpha1": ("ScaledObject", "TriggerAuthentication"),
    "gateway.networking.k8s.io/v1": ("HTTPRoute", "GRPCRoute"),
    "trainer.kubeflow.org/v1alpha1": ("TrainJob", "TrainingRuntime"),
}
"""What a cluster with an API lists besides the API itself."""

INSTALLED = {
    "nothing": (),
    "monitoring": MONITORING,
    "all but monitoring": (*KSERVE, *KEDA, *GATEWAY, *KUBEFLOW),
    "everything": (*MONITORING, *KSERVE, *KEDA, *GATEWAY, *KUBEFLOW),
}
"""APIs by what a person would call the cluster."""


def cluster(kube_version: str = KUBE_VERSIONS[-1], installed: str = "everything") -> Cluster:
    """Return a cluster of a version with something installed."""
    groups = INSTALLED[installed]
    kinds = tuple(f"{group}/{kind}" for group in groups for kind in KINDS[group])
    return Cluster(kube_version=kube_version, api_versions=(*groups, *kinds))
