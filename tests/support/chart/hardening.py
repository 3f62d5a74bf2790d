"""What a pod may do: as little as it can, and no secret in plain sight."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.chart.pods import Pod, Values, pods, title
from tests.support.helm import Object

SECRET_NAME = re.compile(r"(KEY|PASSWORD|SECRET|TOKEN|CREDENTIALS?)$")
"""Ends the name of a variable that holds a secret; `…_FILE` names a file, and is none."""

PASSWORD_IN_URL = re.compile(r"://[^/\s:@$]+:[^/\s@$(]+@")
"""A URL with a password that is no reference to a variable."""

SECRET_FLAG = re.compile(
    r"^--[a-z-]*(restricted|password|secret|token)[a-z-]*=.*[:=][^=:]+=(?P<value>[^$].*)$"
)
"""A flag with a key in plain: `--http-restricted-api=…:KEY=VALUE`."""


def check_hardened(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every pod runs as nobody special, on a read-only root, with no capability and no needless token."""
    for pod in pods(objects):
        yield from _check_token(pod, objects)
        for setting in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(setting):
                yield f"{pod.name} shares its node: {setting}"
        for volume in pod.spec.get("volumes", ()):
            if "hostPath" in volume:
                yield f"{pod.name} reads its node's disk: volume {volume['name']}"
        for container in pod.containers:
            where = f"{pod.name}, container {container['name']}"
            yield from (f"{where} {wrong}" for wrong in _soft_spots(pod, container))


def check_images(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every image is pinned by a tag that says a version, or by its digest."""
    for pod in pods(objects):
        for container in pod.containers:
            image = container.get("image", "")
            tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
            if "@sha256:" not in image and tag in ("", "latest"):
                yield f"{pod.name}, container {container['name']}: image {image!r} is not pinned"


def check_secrets(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """No secret stands in an object in plain: not in a variable, not in an argument, not as a Secret."""
    for each in objects:
        if each["kind"] == "Secret":
            yield f"{title(each)} is made by the chart: its value lies in the release's values"
    for pod in pods(objects):
        for container in pod.containers:
            where = f"{pod.name}, container {container['name']}"
            for variable in container.get("env", ()):
                value = variable.get("value", "")
                if SECRET_NAME.search(variable["name"]) and value and not value.startswith(("$(", "/")):
                    yield f"{where}: {variable['name']} is given in plain"
                if PASSWORD_IN_URL.search(value):
                    yield f"{where}: {variable['name']} has a password in plain"
            for argument in _arguments(container):
                if SECRET_FLAG.match(argument) or PASSWORD_IN_URL.search(argument):
                    yield f"{where}: an argument has a secret in plain: {argument}"


def check_endings(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every pod has longer to end than its last request and its preStop pause take together."""
    for pod in pods(objects):
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        for container in pod.spec["containers"]:
            pause, drain = _pause_s(container), _exit_timeout_s(container)
            if pause + drain and grace <= pause + drain:
                yield (
                    f"{pod.name} is killed after {grace} s: its preStop pause of {pause} s and its "
                    f"exit timeout of {drain} s do not fit"
                )


def _check_token(pod: Pod, objects: Sequence[Object]) -> Iterator[str]:
    account = pod.spec.get("serviceAccountName", "default")
    mounts = pod.spec.get("automountServiceAccountToken", True)
    bound = any(
        subject["name"] == account
        for each in objects
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in each["subjects"]
    )
    if mounts and not bound:
        yield f"{pod.name} mounts a service-account token, and no role is bound to {account}"
    if bound and not mounts:
        yield f"{pod.name} has no service-account token, though a role is bound to {account}"


def _soft_spots(pod: Pod, container: Mapping[str, Any]) -> Iterator[str]:
    outer: Mapping[str, Any] = pod.spec.get("securityContext") or {}
    own: Mapping[str, Any] = container.get("securityContext") or {}
    both = {**outer, **own}
    if both.get("runAsNonRoot") is not True:
        yield "may run as root"
    if both.get("runAsUser") == 0:
        yield "runs as root"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root file system"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
        yield "has capabilities"
    if both.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"


def _arguments(container: Mapping[str, Any]) -> list[str]:
    return [*container.get("command", ()), *container.get("args", ())]


def _pause_s(container: Mapping[str, Any]) -> int:
    hook = container.get("lifecycle", {}).get("preStop", {})
    if "sleep" in hook:
        return int(hook["sleep"]["seconds"])
    found = re.search(r"sleep[ ,\"']+(\d+)", " ".join(hook.get("exec", {}).get("command", ())))
    return int(found[1]) if found else 0


def _exit_timeout_s(container: Mapping[str, Any]) -> int:
    found = [re.fullmatch(r"--exit-timeout-secs=(\d+)", each) for each in _arguments(container)]
    return max((int(each[1]) for each in found if each), default=0)
