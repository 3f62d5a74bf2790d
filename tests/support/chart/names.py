"""Names, numbers and quantities that Kubernetes refuses although its published schemas allow them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from tests.support.chart.pods import Values, pods, title
from tests.support.helm import Object

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""RFC 1123, at most 63 characters."""

DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A name of most kinds: a dot is allowed in it."""

PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""IANA service name (RFC 6335), at most 15 characters, one of them a letter."""

LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
"""Value of a label, at most 63 characters."""

LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

MAX_NAME = {"CronJob": 52, "Service": 63}
"""Longest name of some kinds: a CronJob adds 11 characters to the names of its Jobs."""

QUANTITY = re.compile(r"[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?")
"""A quantity that is not negative, as the API server reads it."""

QUANTITIES = ("requests", "limits")
"""Fields that hold quantities by resource."""

QUANTITY_FIELDS = ("sizeLimit", "averageValue", "divisor")
"""Fields that are quantities."""


def check_names(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every object, container and label has a name that Kubernetes takes, and no two share one."""
    for each in objects:
        name = each["metadata"]["name"]
        longest = MAX_NAME.get(each["kind"], 63)
        is_label = each["kind"] in ("Service", "Deployment", "StatefulSet", "Job", "CronJob", "Pod")
        if not (DNS_LABEL if is_label else DNS_SUBDOMAIN).fullmatch(name) or len(name) > longest:
            yield f"{title(each)}: its name is no DNS name of at most {longest} characters"
        yield from _check_labels(title(each), each["metadata"].get("labels", {}))
    yield from _twice("the release", (title(each) for each in objects))
    for pod in pods(objects):
        yield from _check_labels(f"pods of {pod.name}", pod.labels)
        yield from _twice(pod.name, (container["name"] for container in pod.containers))
        yield from _twice(pod.name, (volume["name"] for volume in pod.spec.get("volumes", ())))
        for container in pod.containers:
            where = f"{pod.name}, container {container['name']}"
            if not DNS_LABEL.fullmatch(container["name"]) or len(container["name"]) > 63:
                yield f"{where}: its name is no DNS label"
            yield from _twice(where, (each["name"] for each in container.get("env", ())))
            yield from _twice(where, (each["mountPath"] for each in container.get("volumeMounts", ())))


def check_ports(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every port is 1 to 65535, and its name one that Kubernetes takes."""
    for pod in pods(objects):
        yield from _twice(pod.name, (port["name"] for port in pod.ports if "name" in port))
    for each in objects:
        for path, key, value in _fields(each):
            numbers = key in ("port", "containerPort", "targetPort", "hostPort", "nodePort", "endPort")
            if numbers and isinstance(value, int) and not 1 <= value <= 65535:
                yield f"{title(each)}: {path} is {value}, no port from 1 to 65535"
            names = key in ("port", "targetPort") or (key == "name" and ".ports." in path)
            if names and isinstance(value, str) and not (PORT_NAME.fullmatch(value) and len(value) <= 15):
                yield f"{title(each)}: {path} is {value!r}, no port name of at most 15 characters"


def check_quantities(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every quantity can be read, none is negative, and no request exceeds its limit."""
    for each in objects:
        for path, key, value in _fields(each):
            if key in QUANTITIES and isinstance(value, Mapping):
                for resource, quantity in value.items():
                    if not _is_quantity(quantity):
                        yield f"{title(each)}: {path}.{resource} is {quantity!r}, no quantity"
            elif key in QUANTITY_FIELDS and not _is_quantity(value):
                yield f"{title(each)}: {path} is {value!r}, no quantity"
            elif key == "resources" and isinstance(value, Mapping):
                yield from _check_limits(f"{title(each)}: {path}", value)


def _check_limits(where: str, resources: Mapping[str, Any]) -> Iterator[str]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for resource in requests.keys() & limits.keys():
        request, limit = requests[resource], limits[resource]
        if _is_quantity(request) and _is_quantity(limit) and parse_quantity(request) > parse_quantity(limit):
            yield f"{where} asks for {request} of {resource}, more than its limit of {limit}"
    for resource in requests.keys() | limits.keys():
        if "/" in resource and requests.get(resource, limits.get(resource)) != limits.get(resource):
            yield f"{where}: {resource} cannot be overcommitted, its request must equal its limit"


def _check_labels(where: str, labels: Mapping[str, Any]) -> Iterator[str]:
    for key, value in labels.items():
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value) or len(value) > 63:
            yield f"{where}: label {key} has the value {value!r}, which no label can have"
        if not LABEL_KEY.fullmatch(key):
            yield f"{where}: {key!r} cannot name a label"


def _is_quantity(value: Any) -> bool:
    if not QUANTITY.fullmatch(str(value)):
        return False
    try:
        return bool(parse_quantity(value) >= 0)
    except ValueError:
        return False


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield every field below a value: where it is, its key, its value."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, each in items:
        here = f"{path}.{key}" if path else str(key)
        yield here, str(key), each
        yield from _fields(each, here)


def _twice(where: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{where} has {name} {count} times"
