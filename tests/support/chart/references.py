"""What pods expect to find: Secrets, ConfigMaps, claims, service accounts, volumes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.chart.pods import Pod, Values, pods, title, values_under
from tests.support.helm import Object

WORDS = {
    "Secret": ("secret",),
    "ConfigMap": ("configmap",),
    "PersistentVolumeClaim": ("claim",),
    "ServiceAccount": ("serviceaccount",),
    "PriorityClass": ("priorityclass",),
}
"""How the values call what a user makes and the chart only names, by kind."""


def check_references(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Whatever a pod names is made by the chart, or was named by the user in a value made for it."""
    made = {title(each) for each in objects}
    for pod in pods(objects):
        for kind, name, keys in _references(pod):
            if f"{kind}/{name}" in made:
                (found,) = [each for each in objects if title(each) == f"{kind}/{name}"]
                for key in keys - (found.get("data") or {}).keys() - (found.get("stringData") or {}).keys():
                    if kind in ("Secret", "ConfigMap"):
                        yield f"{pod.name} reads {key} of {kind}/{name}, which has no such key"
            elif name not in values_under(values, *WORDS[kind]):
                yield f"{pod.name} needs {kind}/{name}, which nobody makes and no value names"


def check_volumes(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every mount has its volume, and every volume is mounted."""
    for pod in pods(objects):
        volumes = {volume["name"] for volume in pod.spec.get("volumes", ())}
        volumes |= {claim["metadata"]["name"] for claim in _claim_templates(pod.owner)}
        mounted = set()
        for container in pod.containers:
            mounts = {mount["name"] for mount in container.get("volumeMounts", ())}
            mounted |= mounts
            where = f"{pod.name}, container {container['name']}"
            yield from (f"{where} mounts {name}, which is no volume of the pod" for name in mounts - volumes)
        for name in volumes - mounted:
            yield f"{pod.name} has the volume {name}, which no container mounts"


def _references(pod: Pod) -> Iterator[tuple[str, str, set[str]]]:
    """Yield kind, name and keys of what a pod cannot start without."""
    for container in pod.containers:
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {})
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"], {source[field]["key"]}
        for source in container.get("envFrom", ()):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"], set()
    for volume in pod.spec.get("volumes", ()):
        yield from _volume_sources(volume)
        for source in volume.get("projected", {}).get("sources", ()):
            yield from _volume_sources(source)
    for secret in pod.spec.get("imagePullSecrets", ()):
        yield "Secret", secret["name"], set()
    if pod.spec.get("serviceAccountName", "default") != "default":
        yield "ServiceAccount", pod.spec["serviceAccountName"], set()
    if pod.spec.get("priorityClassName"):
        yield "PriorityClass", pod.spec["priorityClassName"], set()


def _volume_sources(source: Mapping[str, Any]) -> Iterator[tuple[str, str, set[str]]]:
    if "secret" in source and not source["secret"].get("optional"):
        name = source["secret"].get("secretName", source["secret"].get("name"))
        yield "Secret", name, {item["key"] for item in source["secret"].get("items", ())}
    if "configMap" in source and not source["configMap"].get("optional"):
        yield (
            "ConfigMap",
            source["configMap"]["name"],
            {item["key"] for item in source["configMap"].get("items", ())},
        )
    if "persistentVolumeClaim" in source:
        yield "PersistentVolumeClaim", source["persistentVolumeClaim"]["claimName"], set()


def _claim_templates(owner: Object) -> Sequence[Object]:
    claims: Sequence[Object] = owner.get("spec", {}).get("volumeClaimTemplates", ())
    return claims
