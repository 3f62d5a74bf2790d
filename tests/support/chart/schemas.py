"""Checks objects against the schemas of their kinds: Kubernetes' own, and CustomResourceDefinitions."""

import json
from functools import cache

import kubernetes_validate

from tests.support.custom_resources import is_defined, violations
from tests.support.helm import Object

CUSTOM = (
    "monitoring.coreos.com",
    "serving.kserve.io",
    "keda.sh",
    "gateway.networking.k8s.io",
    "trainer.kubeflow.org",
)
"""Groups of APIs that are no part of Kubernetes."""


def is_custom(resource: Object) -> bool:
    """Whether an object's kind is no part of Kubernetes."""
    return resource["apiVersion"].partition("/")[0] in CUSTOM


def has_no_schema(resource: Object) -> bool:
    """Whether nothing on this machine says how an object must look."""
    return is_custom(resource) and not is_defined(resource)


def schema_violations(resource: Object, kube_version: str) -> list[str]:
    """Return where an object is not as a version of Kubernetes, or its own definition, wants it."""
    if is_custom(resource):
        return violations(resource) if is_defined(resource) else []
    wrong = _violation(json.dumps(resource), kube_version)
    return [wrong] if wrong else []


@cache
def _violation(resource: str, kube_version: str) -> str | None:
    try:
        kubernetes_validate.validate(json.loads(resource), kube_version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return str(error.message)
    return None
