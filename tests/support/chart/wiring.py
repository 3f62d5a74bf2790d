"""Selectors, ports and references between objects, none of which a schema can follow."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.chart.pods import Pod, Values, matches, pods, title
from tests.support.helm import Object

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds that find their own pods by labels."""

SCALABLE = ("Deployment", "StatefulSet")
"""Kinds whose replicas an autoscaler may set."""


def check_selectors(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every selector finds a pod of the chart, and no workload's takes in another's pods."""
    every = pods(objects)
    for each in objects:
        spec = each.get("spec", {})
        match each["kind"]:
            case "Deployment" | "StatefulSet" | "DaemonSet":
                yield from _check_workload(each, every)
            case "Service":
                if spec.get("selector") and not _selected({"matchLabels": spec["selector"]}, every):
                    yield f"{title(each)} selects no pod of the chart: {spec['selector']}"
            case "PodDisruptionBudget" | "PodMonitor":
                if not _selected(spec["selector"], every):
                    yield f"{title(each)} selects no pod of the chart: {spec['selector']}"
            case "NetworkPolicy":
                if spec["podSelector"] and not _selected(spec["podSelector"], every):
                    yield f"{title(each)} selects no pod of the chart: {spec['podSelector']}"
            case "ServiceMonitor":
                services = [other for other in objects if other["kind"] == "Service"]
                if not any(matches(spec["selector"], _labels(other)) for other in services):
                    yield f"{title(each)} selects no Service of the chart: {spec['selector']}"
    for pod in every:
        for constraint in pod.spec.get("topologySpreadConstraints", ()):
            if not matches(constraint.get("labelSelector"), pod.labels):
                yield f"{pod.name} spreads pods that are not its own: {constraint['labelSelector']}"


def check_targets(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every port that a Service, probe, monitor or policy names is a port of the pods that it means."""
    every = pods(objects)
    for each in objects:
        spec = each.get("spec", {})
        match each["kind"]:
            case "Service" if spec.get("selector"):
                for port in spec["ports"]:
                    wanted = port.get("targetPort", port["port"])
                    for pod in _selected({"matchLabels": spec["selector"]}, every):
                        if not pod.has_port(wanted):
                            yield f"{title(each)} sends {port['port']} to {wanted}, no port of {pod.name}"
            case "PodMonitor":
                for endpoint in spec["podMetricsEndpoints"]:
                    for pod in _selected(spec["selector"], every):
                        if not pod.has_port(endpoint["port"]):
                            yield f"{title(each)} scrapes {endpoint['port']}, no port of {pod.name}"
            case "ServiceMonitor":
                for endpoint in spec["endpoints"]:
                    for service in _services(objects, spec["selector"]):
                        if endpoint["port"] not in [port["name"] for port in service["spec"]["ports"]]:
                            yield f"{title(each)} scrapes {endpoint['port']}, no port of {title(service)}"
            case "NetworkPolicy":
                for rule in spec.get("ingress") or ():
                    for port in rule.get("ports", ()):
                        for pod in _selected(spec["podSelector"], every):
                            if spec["podSelector"] and "port" in port and not pod.has_port(port["port"]):
                                yield f"{title(each)} opens {port['port']}, no port of {pod.name}"
    for pod in every:
        yield from _check_handlers(pod)


def check_scaling(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every autoscaler scales a workload of the chart, which leaves its replicas to it, alone."""
    scaled: dict[str, str] = {}
    for each in objects:
        if each["kind"] not in ("HorizontalPodAutoscaler", "ScaledObject"):
            continue
        target = each["spec"]["scaleTargetRef"]
        found = [
            other
            for other in objects
            if other["kind"] == target.get("kind", "Deployment")
            and other["kind"] in SCALABLE
            and other["metadata"]["name"] == target["name"]
        ]
        if not found:
            yield f"{title(each)} scales {target}, which the chart does not make"
        for other in found:
            if "replicas" in other["spec"]:
                yield f"{title(other)} sets its replicas, which {title(each)} would reset at each upgrade"
            if title(other) in scaled:
                yield f"{title(other)} is scaled by {scaled[title(other)]} and by {title(each)}"
            scaled[title(other)] = title(each)
        least = each["spec"].get("minReplicas", each["spec"].get("minReplicaCount", 1))
        most = each["spec"].get("maxReplicas", each["spec"].get("maxReplicaCount", 100))
        if least > most:
            yield f"{title(each)} allows at least {least} replicas and at most {most}"


def check_roles(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every role binding joins a role and service accounts of the chart."""
    for each in objects:
        if each["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        wanted = [(each["roleRef"]["kind"], each["roleRef"]["name"])]
        wanted += [(subject["kind"], subject["name"]) for subject in each["subjects"]]
        for kind, name in wanted:
            if not any(other["kind"] == kind and other["metadata"]["name"] == name for other in objects):
                yield f"{title(each)} names {kind}/{name}, which the chart does not make"


def _check_workload(workload: Object, every: Sequence[Pod]) -> Iterator[str]:
    selector = workload["spec"]["selector"]
    for pod in every:
        if pod.owner is workload:
            if not matches(selector, pod.labels):
                yield f"{title(workload)} does not select its own pods: {selector} and {pod.labels}"
        elif matches(selector, pod.labels):
            yield f"{title(workload)} would take the pods of {pod.name} for its own: {selector}"
    for key in selector.get("matchLabels", {}):
        if "version" in key or "chart" in key:
            yield f"{title(workload)} selects by {key}, which changes with an upgrade; a selector cannot"


def _check_handlers(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        lifecycle = container.get("lifecycle", {})
        handlers = {
            **{kind: container[kind] for kind in _PROBES if kind in container},
            **{kind: lifecycle[kind] for kind in ("preStop", "postStart") if kind in lifecycle},
        }
        for kind, handler in handlers.items():
            for how in ("httpGet", "tcpSocket", "grpc"):
                port = handler.get(how, {}).get("port")
                own = [p for p in container.get("ports", ()) if port in (p["containerPort"], p.get("name"))]
                if port is not None and not own:
                    yield f"{pod.name}, container {container['name']}: its {kind} asks {port}, no port of it"


_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def _selected(selector: Mapping[str, Any], every: Sequence[Pod]) -> list[Pod]:
    return [pod for pod in every if matches(selector, pod.labels)]


def _services(objects: Sequence[Object], selector: Mapping[str, Any]) -> list[Object]:
    return [each for each in objects if each["kind"] == "Service" and matches(selector, _labels(each))]


def _labels(each: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = each["metadata"].get("labels", {})
    return labels
