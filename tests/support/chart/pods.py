"""Finds the pods in rendered objects, whatever kind of object makes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.helm import Object

Values = Mapping[str, Any]
"""The chart's values in force."""


@dataclass(frozen=True)
class Pod:
    """A pod that an object would make."""

    owner: Object
    """The object."""
    labels: Mapping[str, str]
    """The pod's labels, as far as the object gives them."""
    spec: Mapping[str, Any]
    """The pod's specification; of an InferenceService, its predictor's over its runtime's, as KServe does."""

    @property
    def name(self) -> str:
        """`Kind/name` of the object, for messages."""
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """All containers, those that initialise included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self) -> list[Mapping[str, Any]]:
        """The ports of all containers."""
        return [port for container in self.containers for port in container.get("ports", ())]

    def has_port(self, wanted: int | str) -> bool:
        """Whether a container has a port of that number or name."""
        return any(wanted in (port["containerPort"], port.get("name")) for port in self.ports)


def pods(objects: Sequence[Object]) -> list[Pod]:
    """Return every pod that some objects would make."""
    runtimes = {
        each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "ServingRuntime"
    }
    return [pod for each in objects for pod in _pods(each, runtimes)]


def _pods(owner: Object, runtimes: Mapping[str, Any]) -> Iterator[Pod]:
    spec = owner.get("spec", {})
    match owner["kind"]:
        case "Pod":
            yield _pod(owner, owner)
        case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
            yield _pod(owner, spec["template"])
        case "CronJob":
            yield _pod(owner, spec["jobTemplate"]["spec"]["template"])
        case "InferenceService":
            for predictor in [spec["predictor"], *(each["predictor"] for each in spec.get("canary", ()))]:
                runtime = runtimes[predictor["model"]["runtime"]]
                yield Pod(owner, runtime.get("labels", {}), {**runtime, **predictor})
        case "TrainingRuntime":
            for job in spec["template"]["spec"]["replicatedJobs"]:
                yield _pod(owner, job["template"]["spec"]["template"])


def _pod(owner: Object, template: Mapping[str, Any]) -> Pod:
    return Pod(owner, template["metadata"].get("labels", {}), template["spec"])


def title(each: Object) -> str:
    """Return `Kind/name` of an object, for messages."""
    return f"{each['kind']}/{each['metadata']['name']}"


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector (`matchLabels`, `matchExpressions`) takes in some labels; an empty one does."""
    selector = selector or {}
    given = selector.get("matchLabels", {}).items() <= labels.items()
    return given and all(_holds(each, labels) for each in selector.get("matchExpressions", ()))


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise AssertionError(f"no such operator of a label selector: {other}")


def values_under(values: Any, *words: str) -> Iterator[str]:
    """Yield every string in the values below a key that has one of some words in its name.

    This is how a user names what the chart does not make: `existingSecret`, `existingClaim`, …
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            if any(word in str(key).lower() for word in words):
                yield from _strings(value)
            else:
                yield from values_under(value, *words)
    elif isinstance(values, list):
        for value in values:
            yield from values_under(value, *words)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
