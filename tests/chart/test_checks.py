"""Each check of rendered objects finds the fault that it is there for, in objects that are else in order."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart.checks import CHECKS, problems
from tests.support.chart.clusters import KUBE_VERSIONS
from tests.support.chart.schemas import has_no_schema, schema_violations
from tests.support.helm import Object, load_objects

VALUES = {"triton": {"adminKey": {"existingSecret": "admin"}}}

GOOD = load_objects("good.yaml", (Path(__file__).with_name("good.yaml")).read_text())
"""A release in small: Triton and a watcher, with all that lies round them."""

Objects = dict[str, Any]
"""Objects by kind, and by kind and name where a kind comes twice."""


def _by_name(objects: list[Object]) -> Objects:
    return {each["kind"]: each for each in objects} | {
        f"{each['kind']}/{each['metadata']['name']}": each for each in objects
    }


def _pod(objects: Objects) -> Any:
    return objects["Deployment/x-triton"]["spec"]["template"]["spec"]


def _container(objects: Objects) -> Any:
    return _pod(objects)["containers"][0]


def _watcher(objects: Objects) -> Any:
    return objects["Deployment/x-rollout"]["spec"]["template"]["spec"]["containers"][0]


def _check(objects: Objects) -> Any:
    return objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


PLACES = {"pod": _pod, "container": _container, "watcher": _watcher, "check": _check}
"""Parts of the objects, deep inside."""


def _put(value: object, *path: Any) -> Callable[[Objects], None]:
    """Return a change that puts a value at a path that begins with an object or a place."""

    def change(objects: Objects) -> None:
        first, *middle, last = path
        here = PLACES[first](objects) if first in PLACES else objects[first]
        for key in middle:
            here = here[key]
        here[last] = value

    return change


def test_good_objects_pass() -> None:
    assert problems(GOOD, VALUES) == []


YES, NO = True, False
HARD = ("container", "securityContext")
SELECTOR = ("spec", "selector", "matchLabels")

FAULTS: list[tuple[str, Callable[[Objects], None], str]] = [
    ("a long name", _put("x" * 64, "Service", "metadata", "name"), "its name is no DNS name"),
    ("a bad name", _put("X_triton", "ConfigMap", "metadata", "name"), "its name is no DNS name"),
    ("a long CronJob", _put("x" * 53, "CronJob", "metadata", "name"), "at most 52 characters"),
    ("a bad label", _put("a b", "Service", "metadata", "labels", "app"), "which no label can have"),
    ("a number as label", _put(1, "Service", "metadata", "labels", "app"), "which no label can have"),
    ("a name twice", _put("x-triton", "Deployment/x-rollout", "metadata", "name"), "2 times"),
    ("a port too high", _put(65536, "container", "ports", 0, "containerPort"), "no port from 1 to 65535"),
    (
        "a port's long name",
        _put("metrics-of-triton", "container", "ports", 1, "name"),
        "at most 15 characters",
    ),
    ("a bad quantity", _put("1 Gi", "container", "resources", "limits", "memory"), "no quantity"),
    ("a bad volume size", _put("64MB!", "pod", "volumes", 0, "emptyDir", "sizeLimit"), "no quantity"),
    (
        "a request over its limit",
        _put("9Gi", "container", "resources", "requests", "memory"),
        "more than its limit",
    ),
    (
        "an overcommitted GPU",
        _put({"limits": {"nvidia.com/gpu": 2}, "requests": {"nvidia.com/gpu": 1}}, "container", "resources"),
        "cannot be overcommitted",
    ),
    (
        "a foreign selector",
        _put("other", "Deployment/x-triton", *SELECTOR, "app"),
        "does not select its own pods",
    ),
    ("a greedy selector", _put({"part": "x"}, "Deployment/x-triton", *SELECTOR), "for its own"),
    (
        "a changing selector",
        _put("1", "Deployment/x-triton", *SELECTOR, "app/version"),
        "changes with an upgrade",
    ),
    ("a Service for nobody", _put("none", "Service", "spec", "selector", "app"), "selects no pod"),
    ("a budget for nobody", _put("none", "PodDisruptionBudget", *SELECTOR, "app"), "selects no pod"),
    ("a monitor for nobody", _put("none", "PodMonitor", *SELECTOR, "app"), "selects no pod"),
    (
        "a policy for nobody",
        _put({"matchLabels": {"app": "none"}}, "NetworkPolicy", "spec", "podSelector"),
        "no pod",
    ),
    (
        "a spread of others",
        _put({"matchLabels": {"app": "b"}}, "pod", "topologySpreadConstraints", 0, "labelSelector"),
        "not its own",
    ),
    (
        "a Service's wrong port",
        _put("htp", "Service", "spec", "ports", 0, "targetPort"),
        "no port of Deployment",
    ),
    (
        "a monitor's wrong port",
        _put("metric", "PodMonitor", "spec", "podMetricsEndpoints", 0, "port"),
        "scrapes metric",
    ),
    ("a policy's wrong port", _put(9, "NetworkPolicy", "spec", "ingress", 0, "ports", 0, "port"), "opens 9"),
    (
        "a probe's wrong port",
        _put(81, "container", "livenessProbe", "httpGet", "port"),
        "livenessProbe asks 81",
    ),
    (
        "replicas beside an autoscaler",
        _put(2, "Deployment/x-triton", "spec", "replicas"),
        "would reset at each upgrade",
    ),
    (
        "an autoscaler of nothing",
        _put("y", "HorizontalPodAutoscaler", "spec", "scaleTargetRef", "name"),
        "does not make",
    ),
    ("an impossible range", _put(9, "HorizontalPodAutoscaler", "spec", "minReplicas"), "at least 9 replicas"),
    ("a binding to nothing", _put("z", "RoleBinding", "roleRef", "name"), "names Role/z"),
    (
        "a Secret of nobody",
        _put("sec", "container", "env", 0, "valueFrom", "secretKeyRef", "name"),
        "Secret/sec",
    ),
    ("a missing ConfigMap", _put("cm", "pod", "volumes", 1, "configMap", "name"), "ConfigMap/cm"),
    (
        "a missing key of a ConfigMap",
        _put([{"key": "b", "path": "b"}], "pod", "volumes", 1, "configMap", "items"),
        "which has no such key",
    ),
    ("a claim of nobody", _put({"claimName": "c"}, "pod", "volumes", 2, "persistentVolumeClaim"), "Claim/c"),
    ("a service account of nobody", _put("sa", "pod", "serviceAccountName"), "ServiceAccount/sa"),
    ("a mount without volume", _put("none", "container", "volumeMounts", 0, "name"), "which is no volume"),
    ("a volume without mount", _put([], "container", "volumeMounts"), "which no container mounts"),
    ("a needless token", _put(YES, "pod", "automountServiceAccountToken"), "no role is bound"),
    (
        "a missing token",
        _put(NO, "Deployment/x-rollout", "spec", "template", "spec", "automountServiceAccountToken"),
        "has no service-account token",
    ),
    ("the node's network", _put(YES, "pod", "hostNetwork"), "shares its node"),
    (
        "the node's disk",
        _put({"name": "shm", "hostPath": {"path": "/"}}, "pod", "volumes", 0),
        "its node's disk",
    ),
    ("root", _put(0, *HARD, "runAsUser"), "runs as root"),
    ("perhaps root", _put({}, "pod", "securityContext"), "may run as root"),
    ("more privileges", _put(YES, *HARD, "allowPrivilegeEscalation"), "may gain privileges"),
    ("a root to write to", _put(NO, *HARD, "readOnlyRootFilesystem"), "may write to its root"),
    ("a privileged container", _put(YES, *HARD, "privileged"), "is privileged"),
    (
        "a capability",
        _put({"drop": ["ALL"], "add": ["SYS_PTRACE"]}, *HARD, "capabilities"),
        "has capabilities",
    ),
    ("no seccomp", _put({"type": "Unconfined"}, *HARD, "seccompProfile"), "no seccomp profile"),
    ("an image without tag", _put("nvcr.io:443/triton", "container", "image"), "is not pinned"),
    ("the latest image", _put("triton:latest", "container", "image"), "is not pinned"),
    ("a Secret made here", _put("Secret", "ConfigMap", "kind"), "is made by the chart"),
    (
        "a plain secret",
        _put({"name": "ADMIN_KEY", "value": "hush"}, "container", "env", 0),
        "ADMIN_KEY is given in plain",
    ),
    (
        "a password in a URL",
        _put({"name": "HILUM_LEDGER_URL", "value": "postgresql://me:hush@db/x"}, "container", "env", 1),
        "has a password in plain",
    ),
    (
        "a key in an argument",
        _put("--http-restricted-api=model-repository:hilum-admin=hush", "container", "args", 0),
        "has a secret in plain",
    ),
    ("too little grace", _put(40, "pod", "terminationGracePeriodSeconds"), "is killed after 40 s"),
    (
        "a typo in a flag",
        _put("--model-repositry=/models", "container", "args", 0),
        "no flag --model-repositry",
    ),
    ("a stray argument", _put("models", "container", "args", 0), "takes no argument 'models'"),
    ("an unknown variable", _put("--http-port=$(PORT)", "container", "args", 0), "uses $(PORT)"),
    (
        "a setting that is none",
        _put({"name": "HILUM_PORT", "value": "1"}, "watcher", "env", 0),
        "HILUM_PORT, which hilum/settings.py does not read",
    ),
    (
        "variables for Services",
        _put(YES, "Deployment/x-rollout", "spec", "template", "spec", "enableServiceLinks"),
        "enableServiceLinks is on",
    ),
    (
        "an unknown option",
        _put(["--intervall=5"], "watcher", "args"),
        "No such option",
    ),
    (
        "a wrong type",
        _put(["--interval=often"], "watcher", "args"),
        "'often' is not a valid",
    ),
    (
        "a command in a shell that there is not",
        _put("exec hilum doctr", "check", "args", 0),
        "no subcommand 'doctr'",
    ),
    (
        "a module that there is not",
        _put({"exec": {"command": ["python3", "-m", "hilum.alive"]}}, "container", "livenessProbe"),
        "no module hilum.alive",
    ),
    (
        "an unknown option under torchrun",
        _put(["exec torchrun --standalone -m hilum train filter --dta=/data"], "check", "args"),
        "No such option",
    ),
    (
        "an option that MLflow has not",
        _put("mlflow server --hst=0.0.0.0", "check", "args", 0),
        "No such option",
    ),
]


@pytest.mark.parametrize(
    ("change", "sentence"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_fault_is_found(change: Callable[[Objects], None], sentence: str) -> None:
    objects = copy.deepcopy(GOOD)
    change(_by_name(objects))
    found = problems(objects, VALUES)
    assert any(sentence in problem for problem in found), found


def test_every_check_can_fail() -> None:
    """No check is there that none of the faults makes speak."""
    silent = {check.__name__ for check in CHECKS}
    for _, change, _ in FAULTS:
        objects = copy.deepcopy(GOOD)
        change(_by_name(objects))
        silent -= {check.__name__ for check in CHECKS if any(check(objects, VALUES))}
    assert silent == set()


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("Service", _put(["a"], "Service", "spec", "port"), "'port' was unexpected"),
        ("CronJob", _put("daily", "CronJob", "spec", "suspend"), "'daily' is not of type"),
        ("PodMonitor", _put({}, "PodMonitor", "spec", "podSelector"), "'podSelector' was unexpected"),
    ],
)
def test_a_schema_finds_what_it_does_not_know(
    kind: str, change: Callable[[Objects], None], sentence: str
) -> None:
    objects = _by_name(copy.deepcopy(GOOD))
    if has_no_schema(objects[kind]):
        pytest.skip("no CustomResourceDefinitions here: set HILUM_CRDS to a folder with them")
    assert schema_violations(objects[kind], KUBE_VERSIONS[-1]) == []
    change(objects)
    (wrong,) = schema_violations(objects[kind], KUBE_VERSIONS[-1])
    assert sentence in wrong


def test_two_groups_of_rules_cannot_share_a_name() -> None:
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "x"},
        "spec": {"groups": [{"name": "a"}, {"name": "a"}]},
    }
    if has_no_schema(rule):
        pytest.skip("no CustomResourceDefinitions here: set HILUM_CRDS to a folder with them")
    (wrong,) = schema_violations(rule, KUBE_VERSIONS[-1])
    assert "2 entries have name" in wrong


def test_a_key_given_twice_is_no_yaml() -> None:
    with pytest.raises(AssertionError, match="given twice: kind"):
        load_objects("twice.yaml", "kind: A\nkind: B\n")
